"""How long a change takes to reach readers: two edges of two workers each, on one store, polling every 2 s.

300 changes one after the other (20 with ``--quick``), or ``--changes N``, in a table of 25,000 projects, or
``--projects N``; ``--workers N`` for each edge; ``--store rgw``. With the pauses between changes that keep them from
falling into step with the polls, a change takes about 3 s.

Every worker is asked on a connection of its own, whose other end the kernel says is held by that process, every
10 ms, until it answers with the new target. A change has reached everybody when the last of them does. Counted from
the acknowledgement of the write, and, since a worker may be faster than that, from its beginning too.
"""

import asyncio
import random
import tempfile
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from itertools import islice
from typing import NamedTuple

import msgspec

from docsredirect.cli.terminal import run
from docsredirect.domain.projects import Author
from docsredirect.domain.records import Record
from docsredirect.service.publications import Publications
from docsredirect.service.registry import Registry
from docsredirect.service.writers import make_publisher, pause_before
from docsredirect.store import open_store
from tests.bench import prepared
from tests.bench.options import Options
from tests.bench.places import environment, place_with
from tests.bench.report import Figure
from tests.bench.services import Service, running
from tests.support.http import Connection

EDGES = 2
WORKERS = 2
PROJECTS = 25_000
QUICK_PROJECTS = 5_000
CHANGES = 300
QUICK_CHANGES = 20
POLL_SECONDS = 2.0
_ASK_SECONDS = 0.01
_SEEN_WITHIN = 60.0


class Seen(NamedTuple):
    """Seconds until a change was acknowledged, and until every worker answered with it, from the write's beginning."""

    acknowledged: float
    everywhere: float


def figures(options: Options) -> list[Figure]:
    """Measure."""
    count = options.size(options.projects, PROJECTS, QUICK_PROJECTS)
    changes = options.size(options.changes, CHANGES, QUICK_CHANGES)
    workers = options.size(options.workers, WORKERS, WORKERS)
    with ExitStack() as stack:
        place = stack.enter_context(place_with(options.store, count))
        stack.enter_context(environment(place.environ))
        services = []
        for _ in range(EDGES):
            environ = {
                "DOCSREDIRECT_STORE": place.url,
                "DOCSREDIRECT_STATE_DIR": stack.enter_context(tempfile.TemporaryDirectory()),
                "DOCSREDIRECT_POLL_SECONDS": str(POLL_SECONDS),
            }
            services.append(stack.enter_context(running(environ, workers=workers)))
        for service in services:
            service.until_ready(count)
        seen = run(_measure(place.url, services, count, changes))
    what = f"a change at every worker of {EDGES} edges with {workers} each, {count:,} projects, {options.store}"
    return [
        Figure(
            f"{what}, from the acknowledgement", "s", [max(each.everywhere - each.acknowledged, 0) for each in seen]
        ),
        Figure("… from the beginning of the write", "s", [each.everywhere for each in seen]),
        Figure("the write itself, its publication included", "s", [each.acknowledged for each in seen]),
    ]


async def _measure(url: str, services: list[Service], count: int, changes: int) -> list[Seen]:
    chosen = random.Random(3)
    seen = []
    connections = [each for service in services for each in (await service.connections()).values()]
    async with _registry(url) as registry:
        for number, record in enumerate(islice(prepared.records(count), changes)):
            await asyncio.sleep(chosen.uniform(0, POLL_SECONDS))
            seen.append(await _change(registry, connections, record, f"https://moved-{number}.example.org/"))
    for connection in connections:
        await connection.close()
    return seen


async def _change(registry: Registry, connections: list[Connection], record: Record, target: str) -> Seen:
    """Make one change, and ask every worker for it meanwhile."""
    begun = time.perf_counter()
    changed = msgspec.structs.replace(record, target=target, path="root", rules={})
    asking = [asyncio.create_task(_until_seen(each, f"/{record.name}/", target)) for each in connections]
    await registry.put(changed, Author(by="propagation"))
    acknowledged = time.perf_counter() - begun
    return Seen(acknowledged, max(await asyncio.gather(*asking)) - begun)


async def _until_seen(connection: Connection, path: str, location: str) -> float:
    """Return when, by the performance counter, the worker behind `connection` first answered with `location`."""
    async with asyncio.timeout(_SEEN_WITHIN):
        while (await connection.get(path)).header("location") != location:
            await asyncio.sleep(_ASK_SECONDS)
    return time.perf_counter()


@asynccontextmanager
async def _registry(url: str) -> AsyncIterator[Registry]:
    async with open_store(url) as store:
        publisher = make_publisher(store)
        publications = Publications(publisher, pause_before)
        publishing = asyncio.create_task(publications.run())
        try:
            yield Registry(store, publisher, publications, clock=time.time, new_operation=lambda: uuid.uuid4().hex)
        finally:
            publishing.cancel()
            await asyncio.gather(publishing, return_exceptions=True)
