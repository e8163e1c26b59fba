"""`docsredirect serve --admin-only` as operators run it, on ports that it keeps; and its API on one connection."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.bench import services
from tests.bench.services import COMMAND, LOOPBACK
from tests.support.http import Connection, Response

TOKEN = "drill-and-bench-token-0123456789abcdef"
API = "/-/api/v1"
_READY = "/-/health/ready"
_DEADLINE = 60.0
_ASK_SECONDS = 0.005


class NotReadyError(Exception):
    """The service ended, or was not ready in time. The text is what it said last."""


class Api:
    """The admin side at a port, asked on one connection that is opened when it is needed."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection: Connection | None = None

    async def connect(self) -> None:
        """Open the connection, if it is not open. Raises `OSError`."""
        if self._connection is None:
            self._connection = await Connection.open(self._port)

    async def ask(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Response | None:
        """Return the answer; None where the connection ends without one, or none comes in ten seconds. The request is
        sent before this first waits, if the connection is open. Raises `OSError` where none can be opened."""
        await self.connect()
        assert self._connection is not None
        connection, self._connection = self._connection, None
        given = {"Host": "localhost", "Authorization": f"Bearer {TOKEN}", **(headers or {})}
        if body:
            given = {"Content-Type": "application/json", **given, "Content-Length": str(len(body))}
        head = "".join(f"{name}: {value}\r\n" for name, value in given.items())
        connection.send(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body)
        try:
            response = await connection.receive()
        except (OSError, TimeoutError):
            response = None
        if response is None or response.header("connection") == "close":
            await connection.close()
        else:
            self._connection = connection
        return response

    async def close(self) -> None:
        """Close the connection. The next request opens another."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None


class AdminService:
    """One running ``docsredirect serve --admin-only``, in a process group of its own. What it leaves behind when it is
    killed is in the folder `runs`."""

    def __init__(self, environ: Mapping[str, str], runs: Path, *, ports: tuple[int, int] | None = None) -> None:
        self.ports = ports or (next(services._free_ports), next(services._free_ports))
        self._environ, self._runs = dict(environ), runs
        own = {
            "DOCSREDIRECT_ADMIN": f"{LOOPBACK}:{self.port}",
            "DOCSREDIRECT_OPS": f"{LOOPBACK}:{self.ports[1]}",
            "DOCSREDIRECT_ADMIN_TOKEN": TOKEN,
            "DOCSREDIRECT_LOG_LEVEL": "error",
            "TMPDIR": str(runs),
        }
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the service
        self.started = time.perf_counter()
        command = [*COMMAND, "serve", "--admin-only"]
        environ = {**os.environ, **environ, **own}
        self._process = subprocess.Popen(command, env=environ, stderr=self._said, start_new_session=True)

    @property
    def port(self) -> int:
        """Where the API is."""
        return self.ports[0]

    @property
    def control(self) -> int:
        """The process that answers."""
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        assert len(children) == 1, f"the parent has the children {children}"
        return int(children[0])

    def restart(self) -> "AdminService":
        """Return the same service, begun anew on the same ports."""
        return AdminService(self._environ, self._runs, ports=self.ports)

    def said(self) -> str:
        """Return the end of what it has said on standard error: errors alone."""
        self._said.seek(0)
        return self._said.read().decode(errors="replace")[-2_000:]

    async def until_ready(self) -> float:
        """Return the seconds from the start until it said that it is ready. Raises `NotReadyError`."""
        api = Api(self.port)
        while True:
            with contextlib.suppress(OSError):
                response = await api.ask("GET", _READY)
                if response is not None and response.status == 200:
                    break
            if self._process.poll() is not None or time.perf_counter() - self.started > _DEADLINE:
                raise NotReadyError(self.said())
            await asyncio.sleep(_ASK_SECONDS)
        seconds = time.perf_counter() - self.started
        await api.close()
        return seconds

    def kill(self) -> None:
        """Kill the parent and the process that answers with one signal to both, so that neither does anything more."""
        os.killpg(self._process.pid, signal.SIGKILL)

    def until_gone(self) -> None:
        """Wait until both are gone, which is when their ports are free."""
        self._process.wait(timeout=20)
        until = time.monotonic() + 20
        for port in self.ports:
            while True:
                try:
                    socket.create_server((LOOPBACK, port)).close()
                    break
                except OSError:
                    assert time.monotonic() < until, f"port {port} stays taken after the kill"
                    time.sleep(0.001)
        self._said.close()

    def stop(self) -> None:
        """End it as an operator does, and wait."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.kill()
                self._process.wait()
        self._said.close()


@contextmanager
def administering(environ: Mapping[str, str]) -> Iterator[AdminService]:
    """Run the admin side while the context lasts."""
    with tempfile.TemporaryDirectory(prefix="docsredirect-runs-") as runs:
        service = AdminService(environ, Path(runs))
        try:
            yield service
        finally:
            service.stop()
