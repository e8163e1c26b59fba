"""What following the table costs the store: requests by process and poll, quiet and under load, at two sizes.

In process, over a store that counts: exactly so many requests for so many polls. With ``--store moto`` or ``rgw``
also as users run it: an edge of two workers (``--workers N``) behind a proxy that counts, for 20 s (``--seconds N``,
6 with ``--quick``) without a request and 20 s under load. Polls there are 2 s apart, ±20 %, and each takes a while:
so a figure of a little less than 1 for 2 s is one request a poll.
"""

import asyncio
import tempfile
import time
from itertools import islice
from pathlib import Path

from docsredirect.cli.terminal import run
from docsredirect.domain.resolve import resolve
from docsredirect.service.lookups import Lookups
from docsredirect.service.replica import Replica
from docsredirect.store import DirectoryStore
from tests.bench import prepared
from tests.bench.counting import CountingStore
from tests.bench.fronts import Front, fronted
from tests.bench.load import Tally, readers
from tests.bench.options import Options
from tests.bench.places import Place, place_with
from tests.bench.report import Figure
from tests.bench.services import running

SIZES = (1_000, 25_000)
POLLS = 100
POLL_SECONDS = 2.0
SECONDS = 20.0
QUICK_SECONDS = 6.0
WORKERS = 2


def figures(options: Options) -> list[Figure]:
    """Measure."""
    measured = []
    for count in (options.projects,) if options.projects else SIZES:
        with prepared.folder_with(count) as folder:
            measured += run(_in_process(folder, count))
        if options.store != "directory":
            with place_with(options.store, count) as place, fronted(place) as (through, front):
                measured += _served(options, through, front, count)
    return measured


async def _in_process(folder: Path, count: int) -> list[Figure]:
    store = CountingStore(DirectoryStore(folder))
    replica = Replica(store, clock=time.monotonic)
    lookups = Lookups(replica, store, clock=time.monotonic)
    assert await replica.poll(), replica.problem
    paths = [f"/{record.name}/" for record in islice(prepared.records(count), 500)]
    paths += [f"/x{number}/" for number in range(500)]
    measured = []
    for what, asked in (("quiet", []), (f"{len(paths):,} lookups between two polls", paths)):
        store.requests.clear()
        store.not_modified = 0
        for _ in range(POLLS):
            assert await replica.poll(), replica.problem
            for path in asked:
                assert resolve(lookups.find, path).status != 503
        where = f"in process, {count:,} projects, {what}"
        measured += [
            Figure(f"{where}: requests per poll", "", [store.requests.total() / POLLS]),
            Figure("… of them conditional GETs of the table, answered 304", "", [store.not_modified / POLLS]),
        ]
    await store.close()
    return measured


def _served(options: Options, place: Place, front: Front, count: int) -> list[Figure]:
    workers = options.size(options.workers, WORKERS, WORKERS)
    seconds = options.size(options.seconds, SECONDS, QUICK_SECONDS)
    measured = []
    with tempfile.TemporaryDirectory() as state:
        environ = {
            **place.environ,
            "DOCSREDIRECT_STORE": place.url,
            "DOCSREDIRECT_STATE_DIR": state,
            "DOCSREDIRECT_POLL_SECONDS": str(POLL_SECONDS),
        }
        with running(environ, workers=workers) as service:
            service.until_ready(count)
            time.sleep(2 * POLL_SECONDS)  # until every worker holds the table and only polls
            for connections in (0, 16):
                front.requests.clear()
                tally = Tally()
                asyncio.run(_for_seconds(seconds, service.port, count, tally, connections))
                assert not tally.wrong, tally.wrong[:3]
                polls = sum(n for asked, n in front.requests.items() if asked.conditional)
                others = front.requests.total() - polls
                rate = tally.requests / seconds
                where = f"{options.store}, {count:,} projects, {workers} workers, {rate:,.0f} requests/s"
                per_poll = polls / workers / seconds * POLL_SECONDS
                measured += [
                    Figure(f"{where}: conditional GETs per process and {POLL_SECONDS:g} s", "", [per_poll]),
                    Figure("… other store requests", "", [others]),
                ]
    return measured


async def _for_seconds(seconds: float, port: int, count: int, tally: Tally, connections: int) -> None:
    async with readers([port], count, tally, connections=connections, pause=0.002):
        await asyncio.sleep(seconds)
