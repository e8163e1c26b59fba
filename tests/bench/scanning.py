"""What names cost an edge once it holds a table: store requests and memory, over a scan of random names."""

import gc
import os
import random
import time
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from docsredirect.cli.terminal import run
from docsredirect.domain.resolve import resolve
from docsredirect.service.lookups import Lookups
from docsredirect.service.replica import Replica
from docsredirect.store import DirectoryStore
from tests.bench import prepared
from tests.bench.counting import CountingStore
from tests.bench.memory import memory_of
from tests.bench.report import Figure

RANDOM_NAMES = 1_000_000
HOT = 1_000
COLD = 100_000


def figures(folder: Path, count: int, names: int) -> list[Figure]:
    """Measure over the table of `count` projects in `folder`, in this process."""
    return run(_figures(folder, count, names))


async def _figures(folder: Path, count: int, names: int) -> list[Figure]:
    store = CountingStore(DirectoryStore(folder))
    replica = Replica(store, clock=time.monotonic)
    assert await replica.poll(), replica.problem
    lookups = Lookups(replica, store, clock=time.monotonic)
    known = [f"/{record.name}/api.html" for record in islice(prepared.records(count), COLD)]
    hot = known[:HOT]
    chosen = random.Random(2)
    # Redirects last: their compiled routes may fill a cache of 64 MiB, which the scan must not.
    kinds: list[tuple[str, Iterable[str], int]] = [
        (f"{names:,} random names", (f"/x{chosen.getrandbits(64):x}/api.html" for _ in range(names)), 404),
        (f"{len(known):,} cold redirects", known, 301),
        (f"{HOT * 100:,} hot redirects", (path for _ in range(100) for path in hot), 301),
    ]
    for path in hot:
        resolve(lookups.find, path)
    measured = []
    for what, paths, status in kinds:
        measured += await _measure(what, paths, status, lookups, store)
    await store.close()
    return measured


async def _measure(
    what: str, paths: Iterable[str], status: int, lookups: Lookups, store: CountingStore
) -> list[Figure]:
    """Decide each path as the edge does: what the table does not know is read through."""
    requests = store.requests.total()
    before, begun, done = _resident(), time.process_time(), 0
    for path in paths:
        answer = resolve(lookups.find, path)
        if answer.status == 503:
            assert answer.name is not None
            await lookups.read_through(answer.name)
        assert answer.status == status, (path, answer)
        done += 1
    seconds = time.process_time() - begun
    return [
        Figure(f"{what}: store requests", "", [store.requests.total() - requests]),
        Figure(f"{what}: growth of resident memory", "MiB", [_resident() - before]),
        Figure(f"{what}: CPU each, making the name included", "µs", [seconds / done * 1e6]),
    ]


def _resident() -> float:
    gc.collect()
    return memory_of(os.getpid()).resident
