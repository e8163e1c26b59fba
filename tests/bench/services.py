"""`docsredirect serve` as users run it: processes, which of them are workers, and what they take."""

import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bench.memory import Memory, memory_of
from tests.support.http import Connection

COMMAND = (sys.executable, "-m", "docsredirect")
LOOPBACK = "127.0.0.1"
_READY = "/-/health/ready"
_DEADLINE = 120.0
_ASK_SECONDS = 0.005
_PORTS = (20_000, 32_000)
_BURST = 32
"""Connections opened at a time to meet every worker: opened one by one, the same worker may take them all."""


class Service:
    """One running ``docsredirect serve --edge-only`` on a port of its own. It is killed when it is not stopped."""

    def __init__(self, environ: Mapping[str, str], *, workers: int = 1, port: int | None = None) -> None:
        self.port = next(_free_ports) if port is None else port
        self.ops_port = next(_free_ports)
        self.workers = workers
        self.environ = dict(environ)
        own = {
            "DOCSREDIRECT_EDGE": f"{LOOPBACK}:{self.port}",
            "DOCSREDIRECT_OPS": f"{LOOPBACK}:{self.ops_port}",
            "DOCSREDIRECT_WORKERS": str(workers),
        }
        quiet = {"DOCSREDIRECT_LOG_LEVEL": "error"}
        self.started = time.perf_counter()
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the service
        environ = {**os.environ, **quiet, **environ, **own}
        self._process = subprocess.Popen([*COMMAND, "serve", "--edge-only"], env=environ, stderr=self._said)

    @property
    def pid(self) -> int:
        """The process that was started."""
        return self._process.pid

    def restart(self) -> "Service":
        """Return the same service, begun anew on the same port."""
        return Service(self.environ, workers=self.workers, port=self.port)

    def processes(self) -> list[int]:
        """Return the process that was started and all below it: first the workers, then who serves something else."""
        found = [self.pid]
        for pid in found:
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                found += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split())
        return [self.pid, *sorted(found[1:], key=lambda pid: not _is_worker(pid))]

    def status(self) -> dict[str, Any] | None:
        """Return what ``/-/health/ready`` says, or None where nobody answers."""
        try:
            with urllib.request.urlopen(f"http://{LOOPBACK}:{self.port}{_READY}", timeout=5) as response:
                found: dict[str, Any] = json.load(response)
        except urllib.error.HTTPError as error:
            found = json.load(error)
        except OSError:
            return None
        return found

    def said(self) -> str:
        """Return the end of what it has said on standard error: errors alone."""
        self._said.seek(0)
        return self._said.read().decode(errors="replace")[-2_000:]

    def until_ready(self, rows: int, *, polled: bool = True) -> float:
        """Return the seconds from the start until every worker held `rows` rows, with `polled` from a poll that worked.

        Not to be called on an event loop."""
        while True:
            status = self.status()
            assert self._process.poll() is None, f"serve ended: {self.said()}"
            if status is not None and is_ready(status, rows, polled=polled):
                break
            assert time.perf_counter() - self.started < _DEADLINE, f"not ready: {status} {self.said()}"
            time.sleep(_ASK_SECONDS)
        if self.workers > 1:
            asyncio.run(self._until_every_worker(rows, polled=polled))
        return time.perf_counter() - self.started

    async def _until_every_worker(self, rows: int, *, polled: bool) -> None:
        async with asyncio.timeout(_DEADLINE):
            for connection in (await self.connections()).values():
                while not is_ready(json.loads((await connection.get(_READY)).body), rows, polled=polled):
                    await asyncio.sleep(_ASK_SECONDS)
                await connection.close()

    async def connections(self) -> dict[int, Connection]:
        """Return one connection to each worker, by the worker's process id.

        Which process has accepted a connection is read from the kernel: the socket's inode in ``/proc/net/tcp``,
        and the process that holds it open.
        """
        found: dict[int, Connection] = {}
        async with asyncio.timeout(_DEADLINE):
            while len(found) < self.workers:
                opened = await asyncio.gather(*(self._connect() for _ in range(_BURST)))
                holders = self._holders()
                for local_port, connection in opened:
                    pid = holders.get(local_port)
                    if pid is None or pid in found:
                        await connection.close()
                    else:
                        found[pid] = connection
        return found

    async def _connect(self) -> tuple[int, Connection]:
        reader, writer = await asyncio.open_connection(LOOPBACK, self.port)
        connection = Connection(reader, writer)
        await connection.get("/-/health/live")  # answered, so accepted
        return writer.get_extra_info("sockname")[1], connection

    def _holders(self) -> dict[int, int]:
        """Return which process has accepted the connection that comes from a local port."""
        ours, by_inode = f":{self.port:04X}", dict[str, int]()
        for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            if fields[1].endswith(ours):
                by_inode[f"socket:[{fields[9]}]"] = int(fields[2].rpartition(":")[2], 16)
        opened = ((pid, by_inode.get(file)) for pid in self.processes() for file in _open_files(pid))
        return {port: pid for pid, port in opened if port}  # a listening socket's other port is 0

    async def memory(self) -> list[Memory]:
        """Return what each worker takes."""
        connections = await self.connections()
        for connection in connections.values():
            await connection.close()
        return [memory_of(pid) for pid in connections]

    def stop(self) -> None:
        """End it as an operator does, and wait."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """Kill every process of it, as a machine that fails does."""
        for pid in self.processes():
            kill(pid)
        self._process.wait(timeout=20)


def _ports() -> Iterator[int]:
    """Give ports that nobody listens on, below those that the kernel gives to connections: an edge that is killed
    must find its port free when it is started again."""
    for port in random.SystemRandom().sample(range(*_PORTS), k=_PORTS[1] - _PORTS[0]):
        try:
            socket.create_server((LOOPBACK, port)).close()
        except OSError:
            continue
        yield port


_free_ports = _ports()


def kill(pid: int) -> None:
    """Kill a process, if it is still there."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


@contextmanager
def running(environ: Mapping[str, str], *, workers: int = 1) -> Iterator[Service]:
    """Run ``docsredirect serve`` while the context lasts."""
    service = Service(environ, workers=workers)
    try:
        yield service
    finally:
        service.stop()


def is_ready(status: Mapping[str, Any], rows: int, *, polled: bool) -> bool:
    """Tell whether a health report says that `rows` rows are held, with `polled` since a poll that worked."""
    return bool(
        status["ready"]
        and status["rows"] == rows
        and (status["seconds_since_successful_poll"] is not None or not polled)
    )


def _is_worker(pid: int) -> bool:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return b"worker" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return False


def _open_files(pid: int) -> set[str]:
    found = set()
    with contextlib.suppress(FileNotFoundError, PermissionError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                found.add(str(entry.readlink()))
    return found
