"""What one change costs an edge that holds a large table: time, as a share of a full load, and pauses of its loop."""

import asyncio
import tempfile
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import msgspec

from docsredirect.cli.terminal import run
from docsredirect.domain.tables import Row
from docsredirect.service.last_good import LastGood
from docsredirect.service.lookups import Lookups
from docsredirect.service.publisher import Publisher
from docsredirect.service.replica import Replica
from docsredirect.store import DirectoryStore
from tests.bench import prepared
from tests.bench.report import Figure, percentile

TICK_SECONDS = 0.001
QUIET_SECONDS = 2.0


def figures(folder: Path, count: int, changes: int) -> list[Figure]:
    """Measure over the table of `count` projects in `folder`, which is changed, in this process and on its loop."""
    return run(_figures(folder, count, changes))


class _Role(NamedTuple):
    """One worker's part, and what was measured of it. The keeper also writes the table to the state folder."""

    what: str
    replica: Replica
    lookups: Lookups
    cpu: list[float]
    wall: list[float]
    pauses: list[float]


async def _figures(folder: Path, count: int, changes: int) -> list[Figure]:
    store = DirectoryStore(folder)
    quiet: list[float] = []
    with tempfile.TemporaryDirectory() as state:
        local = DirectoryStore(Path(state))
        keeper = _role("the worker that keeps it on disk", store, LastGood(local, keeper=True))
        other = _role("any other worker", store, LastGood(local, keeper=False))
        full = [await _poll(each.replica) for each in (keeper, other)]
        begun = time.perf_counter()
        await Replica(store, clock=time.monotonic, last_good=LastGood(local, keeper=False)).load_last_good()
        from_disk = time.perf_counter() - begun
        async with _ticking(quiet):
            await asyncio.sleep(QUIET_SECONDS)
        publisher = Publisher(store, new_epoch=lambda: uuid.uuid4().hex[:16])
        for number, record in enumerate(islice(prepared.records(count), 2 * changes)):
            moved = msgspec.structs.replace(record, target=f"https://moved-{number}.example.org/")
            await publisher.publish([Row(record.name, 2, "0" * 64, moved)])
            for role in (keeper, other):
                # The ticks cost time too: so one half of the changes for the cost, the other for the pauses.
                await (_cost(role) if number % 2 else _pause(role))
                assert role.lookups.find(record.name) is not None
        await store.close()
        await local.close()
    what = f"{count:,} projects"
    return [
        Figure(f"full load of {what} in process: CPU, the keeper", "s", [full[0][0]]),
        Figure(f"full load of {what} in process: CPU, another worker", "s", [full[1][0]]),
        Figure(f"full load of {what} in process: wall, another worker", "s", [full[1][1]]),
        Figure(f"load of {what} from the last good table, in process: wall", "s", [from_disk]),
        *_role_figures(keeper, full[0][0], what),
        *_role_figures(other, full[1][0], what),
        Figure(f"longest pause of the loop, {QUIET_SECONDS:g} s without a change", "ms", [max(quiet) * 1e3]),
        Figure("99th percentile of the same pauses", "ms", [percentile(quiet, 99) * 1e3]),
    ]


def _role(what: str, store: DirectoryStore, last_good: LastGood) -> _Role:
    replica = Replica(store, clock=time.monotonic, last_good=last_good)
    return _Role(what, replica, Lookups(replica, store, clock=time.monotonic), [], [], [])


def _role_figures(role: _Role, full_cpu: float, what: str) -> list[Figure]:
    return [
        Figure(f"one change at {what}, {role.what}: CPU", "ms", [each * 1e3 for each in role.cpu]),
        Figure("… wall", "ms", [each * 1e3 for each in role.wall]),
        Figure("… CPU as a share of its full load", "%", [each / full_cpu * 100 for each in role.cpu]),
        Figure("… longest pause of the loop meanwhile", "ms", [each * 1e3 for each in role.pauses]),
    ]


async def _cost(role: _Role) -> None:
    cpu, wall = await _poll(role.replica)
    role.cpu.append(cpu)
    role.wall.append(wall)


async def _pause(role: _Role) -> None:
    gaps: list[float] = []
    async with _ticking(gaps):
        await _poll(role.replica)
        await asyncio.sleep(0.05)
    role.pauses.append(max(gaps))


async def _poll(replica: Replica) -> tuple[float, float]:
    """Return what a poll cost: CPU seconds of all threads, and seconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    assert await replica.poll(), replica.problem
    return time.process_time() - cpu, time.perf_counter() - wall


@asynccontextmanager
async def _ticking(gaps: list[float]) -> AsyncIterator[None]:
    """Collect while the context lasts by how much each sleep of `TICK_SECONDS` was overslept: the loop's pauses."""

    async def tick() -> None:
        while True:
            begun = time.perf_counter()
            await asyncio.sleep(TICK_SECONDS)
            gaps.append(time.perf_counter() - begun - TICK_SECONDS)

    ticker = asyncio.create_task(tick())
    await asyncio.sleep(TICK_SECONDS)
    try:
        yield
    finally:
        # One more turn: a pause that is not over yet is counted too.
        await asyncio.sleep(2 * TICK_SECONDS)
        ticker.cancel()
        await asyncio.gather(ticker, return_exceptions=True)
