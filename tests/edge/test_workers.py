"""The parent and its workers: what dies is started again, what is replaced drops no request, and all of it ends."""

import asyncio
import json
import os
import re
import signal
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from docsredirect.cli import parent
from tests.edge.test_server import serving
from tests.support.edges import publish, record, running_edge
from tests.support.http import Connection
from tests.support.stores import FakeStore

# A worker that only keeps to the protocol. It starts in a twentieth of the time of a real one.
_FAKE = """
import json, os, signal, sys
listeners, life, notices, seat, role, *duties = sys.argv[1:]
line = {"event": "fake", "role": role, "seat": int(seat), "duties": duties, "pid": os.getpid()}
os.write(2, (json.dumps(line) + "\\n").encode())
"""
SERVES = _FAKE + "os.write(int(notices), b'serving\\n'); os.close(int(notices)); os.read(int(life), 1)"
DIES = _FAKE + "sys.exit(3)"
NEVER_SERVES = _FAKE + "os.read(int(life), 1)"
DIES_IF_PATIENT = _FAKE + "'patient' in duties and sys.exit(3)\n" + SERVES.removeprefix(_FAKE)
DEAF = _FAKE + "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SERVES.removeprefix(_FAKE)


class Parent:
    """A running parent and what it and its workers log."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []

    async def until(self, event: str, times: int = 1) -> list[dict[str, Any]]:
        """Read on until `event` was logged so many times in all, and return the lines that did."""
        assert self.process.stderr is not None
        with suppress(TimeoutError):
            async with asyncio.timeout(40):
                while len(found := [line for line in self.lines if line["event"] == event]) < times:
                    line = await self.process.stderr.readline()
                    assert line, f"it ended before {event}"
                    if line.startswith(b"{"):
                        self.lines.append(json.loads(line))
                return found
        raise AssertionError(f"{event!r} did not come {times} times: {self.lines}")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the parent."""
        self.process.send_signal(number)

    async def stop(self) -> int:
        """Send SIGTERM and return the exit code."""
        self.signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            return await self.process.wait()


@asynccontextmanager
async def _parent(
    worker: str, *, workers: int = 1, grace: float = 1.0, control: bool = False, folder: str = "/nowhere"
) -> AsyncIterator[Parent]:
    posts = ",".join([parent.WORKER] * workers + [parent.CONTROL] * control)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-S", parent.__file__, f"edge={listener.fileno()}", posts, str(grace), folder,
            "debug", sys.executable, "-S", "-c", worker,
            pass_fds=(listener.fileno(),), stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
    try:
        yield Parent(process)
    finally:
        if process.returncode is None:
            process.kill()
        async with asyncio.timeout(10):
            await process.communicate()


async def _until_gone(pid: int) -> None:
    async with asyncio.timeout(10):
        while Path(f"/proc/{pid}").exists() and " Z " not in Path(f"/proc/{pid}/stat").read_text():
            await asyncio.sleep(0.01)


async def test_exactly_one_worker_is_the_keeper() -> None:
    """At the start, after one has died, and after all were replaced."""
    async with _parent(SERVES, workers=3) as running:
        await running.until("worker serves", 3)
        (keeper,) = [line for line in await running.until("fake", 3) if "keeper" in line["duties"]]
        os.kill(keeper["pid"], signal.SIGKILL)
        await running.until("worker serves", 4)
        assert (await running.until("fake", 4))[3]["duties"] == ["keeper", "patient"]
        running.signal(signal.SIGHUP)
        await running.until("processes replaced")
        replaced = [line["duties"] for line in await running.until("fake", 7)][4:]
        assert replaced == [["keeper", "patient"], ["patient"], ["patient"]]
        assert await running.stop() == 0


async def test_the_control_is_one_more_process_with_the_life_of_a_worker() -> None:
    """It is no keeper, never patient, restarted when it dies, and replaced last."""
    async with _parent(SERVES, workers=2, control=True) as running:
        (first,) = await running.until("control serves")
        await running.until("worker serves", 2)
        os.kill(first["pid"], signal.SIGKILL)
        (death,) = await running.until("control died")
        assert (death["signal"], death["next_in_seconds"]) == (signal.SIGKILL, 0.1)
        await running.until("control serves", 2)
        running.signal(signal.SIGHUP)
        await running.until("processes replaced")
        order = [line["role"] for line in await running.until("fake", 7)][4:]
        assert order == ["worker", "worker", "control"]
        controls = [line for line in await running.until("fake", 7) if line["role"] == "control"]
        assert [line["duties"] for line in controls] == [[], [], []]
        await running.until("control ended")
        assert await running.stop() == 0


async def test_a_seat_is_the_lowest_that_is_free(tmp_path: Path) -> None:
    """However often processes are replaced, two and a successor have three seats. What was true of one that has ended
    goes with it, what it has counted stays, and at the end the folder is gone."""
    folder = tmp_path / "run"
    folder.mkdir()
    async with _parent(SERVES, control=True, folder=str(folder)) as running:
        await running.until("control serves")
        await running.until("worker serves")
        files = [f"{kind}_{seat}{end}" for seat in range(12) for kind, end in
                 (("live", ".json"), ("live", ".draft"), ("gauge_livemin", ".db"), ("counter", ".db"))]  # fmt: skip
        for name in files:
            (folder / name).touch()
        for rounds in range(1, 4):
            running.signal(signal.SIGHUP)
            await running.until("processes replaced", rounds)
        await running.until("control ended", 3)
        assert {line["seat"] for line in await running.until("fake", 8)} == {0, 1, 2}
        left = {path.name for path in folder.iterdir()}
        assert left >= {f"counter_{seat}.db" for seat in range(12)}
        assert {name for name in left if "live" in name} == {
            name for name in files if "live" in name and int(name.partition(".")[0].rpartition("_")[2]) > 2
        }
        assert await running.stop() == 0
    assert not folder.exists()


async def test_a_worker_that_dies_again_and_again_is_started_after_growing_pauses() -> None:
    """Loudly, and never too often."""
    async with _parent(DIES) as running:
        deaths = await running.until("worker died", 4)
        assert [(line["exit_code"], line["level"]) for line in deaths] == [(3, "error")] * 4
        assert [line["next_in_seconds"] for line in deaths] == [0.1, 0.2, 0.4, 0.8]
        assert await running.stop() == 0
    assert parent.pause_after(1_000_000) == parent.LONGEST_PAUSE


async def test_a_successor_that_dies_leaves_the_others_as_they_are() -> None:
    """The round is broken off; nobody is stopped for somebody who cannot serve."""
    async with _parent(DIES_IF_PATIENT, workers=2) as running:
        first = [line["pid"] for line in await running.until("worker serves", 1)]
        running.signal(signal.SIGHUP)
        broken = await running.until("replacing broken off, the other processes stay")
        assert broken[0]["exit_code"] == 3
        assert Path(f"/proc/{first[0]}").exists()
        assert [line for line in running.lines if line["event"] == "worker ended"] == []
        assert await running.stop() == 0


async def test_asking_to_replace_while_replacing_replaces_once_more() -> None:
    """Whoever asks can rely on it that every worker starts after the asking."""
    async with _parent(SERVES) as running:
        await running.until("worker serves")
        running.signal(signal.SIGHUP)
        await running.until("replacing processes")
        running.signal(signal.SIGHUP)
        await running.until("processes replaced", 2)
        assert len(await running.until("worker serves", 3)) == 3
        assert await running.stop() == 0


@pytest.mark.parametrize("worker", [SERVES, DIES, NEVER_SERVES, DEAF])
async def test_the_end_comes_in_every_state(worker: str) -> None:
    """Workers that serve, die, have not begun or do not listen: exit 0, and nobody is left."""
    async with _parent(worker, workers=2, grace=0.1) as running:
        started = await running.until("fake", 2)
        if worker in {SERVES, DEAF}:
            await running.until("worker serves", 2)
        assert await running.stop() == 0
        for line in started:
            await _until_gone(line["pid"])


async def test_the_end_comes_also_while_workers_are_replaced() -> None:
    """The old one and the new one are both stopped."""
    slow_if_patient = _FAKE + "'patient' in duties and os.read(int(life), 1)\n" + SERVES.removeprefix(_FAKE)
    async with _parent(slow_if_patient) as running:
        await running.until("worker serves")
        running.signal(signal.SIGHUP)
        await running.until("fake", 2)
        assert await running.stop() == 0
        for line in await running.until("fake", 2):
            await _until_gone(line["pid"])


class Load:
    """Clients that ask again and again, each on a connection that it keeps for as long as the server does, or on a
    new one for each request."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.counts: Counter[str] = Counter()
        self.stopping = False

    async def client(self, *, keeps: bool) -> None:
        """Ask until told to stop. Only a close that an answer has announced is no drop."""
        connection: Connection | None = None
        while not self.stopping:
            if connection is None:
                connection = await Connection.open(self._port)
            connection.send(b"GET /six/x HTTP/1.1\r\nHost: pythonhosted.org\r\n\r\n")
            response = await connection.receive()
            if response is None:
                self.counts["dropped"] += 1
            else:
                self.counts[str(response.status)] += 1
            announced = response is not None and response.header("connection") == "close"
            self.counts["announced"] += announced
            if response is None or announced or not keeps:
                await connection.close()
                connection = None
            await asyncio.sleep(0.002)
        if connection is not None:
            await connection.close()


@pytest.mark.parametrize("workers", [1, 2])
async def test_replacing_workers_under_load_drops_no_request(tmp_path: Path, workers: int) -> None:
    """Every request on 12 kept and 4 short connections is answered with its redirect, three times over."""
    async with serving(tmp_path, "--sample", DOCSREDIRECT_WORKERS=str(workers)) as (process, port):
        running, load = Parent(process), Load(port)
        await running.until("worker serves", workers)
        clients = [asyncio.create_task(load.client(keeps=number < 12)) for number in range(16)]
        for rounds in range(1, 4):
            process.send_signal(signal.SIGHUP)
            await running.until("processes replaced", rounds)
        load.stopping = True
        await asyncio.gather(*clients)
        assert await running.stop() == 0
        rest = await process.stderr.read() if process.stderr else b""
    print(f"{workers} workers: {dict(load.counts)}")
    assert set(load.counts) == {"301", "announced"}
    assert load.counts["announced"] >= 12
    pids = [line["pid"] for line in running.lines if line["event"] == "worker serves"]
    assert len(set(pids)) == len(pids) == 4 * workers
    assert b'"error"' not in rest


async def test_a_worker_that_is_killed_is_replaced_and_the_others_answer_meanwhile(tmp_path: Path) -> None:
    """Its death is logged with the signal, and every new connection is answered."""
    async with serving(tmp_path, "--sample", DOCSREDIRECT_WORKERS="2") as (process, port):
        running = Parent(process)
        victim = (await running.until("worker serves", 2))[0]["pid"]
        os.kill(victim, signal.SIGKILL)
        starting = asyncio.create_task(running.until("worker serves", 3))
        while not starting.done():
            connection = await Connection.open(port)
            assert (await connection.get("/six/")).status == 301
            await connection.close()
        (death,) = await running.until("worker died")
        assert (death["level"], death["signal"], death["pid"]) == ("error", signal.SIGKILL, victim)


async def test_the_parent_stays_small(tmp_path: Path) -> None:
    """It lives as long as the service and holds next to nothing: a fifth of a worker."""
    async with serving(tmp_path, "--sample") as (process, _):
        await Parent(process).until("worker serves")
        (kibibytes,) = re.findall(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
        assert int(kibibytes) < 16 * 1024


async def test_workers_end_when_their_parent_is_gone(tmp_path: Path) -> None:
    """Nobody could stop them any more, and the port would stay taken."""
    async with serving(tmp_path, DOCSREDIRECT_WORKERS="2") as (process, port):
        workers = [line["pid"] for line in await Parent(process).until("worker serves", 2)]
        process.kill()
        for pid in workers:
            await _until_gone(pid)
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0


async def test_a_successor_waits_for_a_table_before_it_takes_connections(tmp_path: Path) -> None:
    """With the store gone, replacing waits, and the old worker answers on from its memory."""
    store = tmp_path / "store"
    async with serving(tmp_path, "--sample") as (process, port):
        running = Parent(process)
        await running.until("worker serves")
        connection = await Connection.open(port)
        assert (await connection.get("/six/")).status == 301
        store.rename(tmp_path / "away")
        store.write_text("no folder")
        process.send_signal(signal.SIGHUP)
        await running.until("poll failed", 2)  # the old one's and the new one's
        fresh = await Connection.open(port)
        assert (await fresh.get("/six/")).status == 301
        await fresh.close()
        store.unlink()
        (tmp_path / "away").rename(store)
        await running.until("processes replaced")
        assert await connection.is_closed()
        await connection.close()


async def test_a_draining_server_answers_what_still_comes_and_says_that_it_closes() -> None:
    """New connections are refused, a request on an open one is answered, and then it closes."""
    store = FakeStore()
    await publish(store, [record("six")])
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(running_edge(store))
        connections = [await Connection.open(port) for _ in range(3)]
        for connection in connections:
            assert (await connection.get("/six/")).header("connection") is None
        ending = asyncio.create_task(stack.aclose())
        await asyncio.sleep(0.05)
        with pytest.raises(ConnectionRefusedError):
            await Connection.open(port)
        one, several, half = connections
        assert (await one.get("/six/")).header("connection") == "close"
        several.send(b"GET /six/ HTTP/1.1\r\nHost: pythonhosted.org\r\n\r\n" * 20)
        responses = [await several.receive() for _ in range(20)]
        assert [each and each.header("connection") for each in responses] == [None] * 19 + ["close"]
        half.send(b"GET /six/ HTTP/1.1\r\nHost: pythonho")
        await asyncio.sleep(1.2)  # longer than an idle connection may stay
        assert not ending.done()
        half.send(b"sted.org\r\n\r\n")
        response = await half.receive()
        assert response is not None
        assert response.header("connection") == "close"
        for connection in connections:
            assert await connection.is_closed()
            await connection.close()
        async with asyncio.timeout(1):
            await ending


async def test_an_idle_connection_is_closed_after_a_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the end does not wait for somebody who has nothing to ask."""
    monkeypatch.setattr("docsredirect.wire.connections.GRACE_SECONDS", 0.2)
    store = FakeStore()
    await publish(store, [record("six")])
    async with asyncio.timeout(2):
        async with running_edge(store) as port:
            idle, silent = await Connection.open(port), await Connection.open(port)
            assert (await idle.get("/six/")).status == 301
        for connection in (idle, silent):
            assert await connection.is_closed()
            await connection.close()


async def test_a_service_that_starts_while_the_store_is_gone_serves_its_last_good_table(tmp_path: Path) -> None:
    """Every worker begins with what the keeper left on disk: known names redirect, unknown ones are 404."""
    state = str(tmp_path / "state")
    async with serving(tmp_path, "--sample", DOCSREDIRECT_STATE_DIR=state) as (process, _):
        await Parent(process).until("worker serves")
        async with asyncio.timeout(10):
            while not list((tmp_path / "state").glob("*/table.json")):
                await asyncio.sleep(0.02)
    (tmp_path / "store").rename(tmp_path / "away")
    (tmp_path / "store").write_text("no folder")
    async with serving(tmp_path, DOCSREDIRECT_STATE_DIR=state, DOCSREDIRECT_WORKERS="2") as (process, port):
        await Parent(process).until("worker serves", 2)
        for _ in range(8):
            connection = await Connection.open(port)
            response = await connection.get("/six/x")
            assert response.header("location") == "https://six.readthedocs.io/en/latest/x"
            assert response.header("cache-control") == "public, max-age=60"
            assert (await connection.get("/no-such-project/")).status == 404
            assert (await connection.get("/-/health/ready")).status == 200
            await connection.close()
