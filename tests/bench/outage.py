"""A full outage of the store under load, with edges killed and restarted in it; and what readers saw.

Two edges of two workers (``--workers N``) with a table of 25,000 projects (``--projects N``; 5,000 with ``--quick``),
each with a state folder of its own. For 60 s (``--seconds N``; 12 with ``--quick``) nobody reaches the store: the
folder is renamed away, or, on S3, connections are accepted and never answered for one half, and reset for the other.
All the while 32 readers ask for names in the table and for others, and check every answer; every few seconds, in
turn, all processes of one edge are killed and started again, or one worker of it is killed. A reader whose
connection breaks asks the other edge, as a CDN would; there is always one.
"""

import asyncio
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from docsredirect.cli.terminal import run
from tests.bench.fronts import Outage, cuttable
from tests.bench.load import Tally, readers
from tests.bench.options import Options
from tests.bench.places import place_with
from tests.bench.report import Figure
from tests.bench.services import Service, is_ready, kill

EDGES = 2
WORKERS = 2
PROJECTS = 25_000
QUICK_PROJECTS = 5_000
SECONDS = 60.0
QUICK_SECONDS = 12.0
READERS = 32
PAUSE_SECONDS = 0.02
KILLS = 8
_KEPT_WITHIN = 30.0
_BACK_WITHIN = 60.0


class _Killed(NamedTuple):
    edges: list[float]
    """Seconds from each start anew, the store out of reach, until that edge was ready."""
    workers: int


def figures(options: Options) -> list[Figure]:
    """Measure."""
    count = options.size(options.projects, PROJECTS, QUICK_PROJECTS)
    seconds = options.size(options.seconds, SECONDS, QUICK_SECONDS)
    workers = options.size(options.workers, WORKERS, WORKERS)
    with ExitStack() as stack:
        place = stack.enter_context(place_with(options.store, count))
        through, set_outage = stack.enter_context(cuttable(place))
        services: list[Service] = []
        stack.callback(_stop, services)
        for _ in range(EDGES):
            state = stack.enter_context(tempfile.TemporaryDirectory())
            environ = {**through.environ, "DOCSREDIRECT_STORE": through.url, "DOCSREDIRECT_STATE_DIR": state}
            services.append(Service(environ, workers=workers))
        for service in services:
            service.until_ready(count)
            _until_kept(Path(service.environ["DOCSREDIRECT_STATE_DIR"]))
        tally, killed, back = run(_measure(services, count, seconds, set_outage))
    for wrong in tally.wrong[:10]:
        print(f"wrong: {wrong}")
    return [
        Figure(
            f"requests in {seconds:g} s without a store ({options.store}, {count:,} projects)", "", [tally.requests]
        ),
        Figure("wrong answers", "", [len(tally.wrong)]),
        Figure("5xx for names in the table", "", [tally.failed_known]),
        Figure("5xx for other names", "", [tally.failed_unknown]),
        Figure("requests that no edge answered", "", [tally.unanswered]),
        Figure("connections that broke with a process that was killed, and were asked anew", "", [tally.retried]),
        Figure("slowest answer, with its retries", "s", [tally.slowest]),
        Figure("99th percentile of the same", "s", [tally.p99]),
        Figure("workers killed", "", [killed.workers]),
        Figure("edges killed; restart to ready without a store", "s", killed.edges),
        Figure("end of the outage to a good poll of every edge", "s", [back]),
    ]


def _stop(services: list[Service]) -> None:
    for service in services:
        service.stop()


def _until_kept(state: Path) -> None:
    until = time.monotonic() + _KEPT_WITHIN
    while not next(state.rglob("table.json"), None):
        assert time.monotonic() < until, "serve keeps no last good table: it could not be restarted without a store"
        time.sleep(0.1)


async def _measure(
    services: list[Service], count: int, seconds: float, set_outage: Callable[[Outage | None], None]
) -> tuple[Tally, _Killed, float]:
    tally = Tally()
    ports = [service.port for service in services]
    async with readers(ports, count, tally, connections=READERS, pause=PAUSE_SECONDS):
        set_outage(Outage.SILENT)
        killed = await _kill_in_turn(services, count, seconds, set_outage)
    set_outage(None)
    begun = time.monotonic()
    for service in services:
        while not _has_polled(service, count):
            assert time.monotonic() - begun < _BACK_WITHIN, "an edge did not come back to its store"
            await asyncio.sleep(0.05)
    return tally, killed, time.monotonic() - begun


async def _kill_in_turn(
    services: list[Service], count: int, seconds: float, set_outage: Callable[[Outage | None], None]
) -> _Killed:
    """Kill a whole edge and start it again, or one worker, of each edge in turn, spread over `seconds`."""
    end, starts, workers = time.monotonic() + seconds, list[float](), 0
    for number in range(KILLS):
        await asyncio.sleep(max((end - time.monotonic()) / (KILLS - number), 0))
        if number == KILLS // 2:
            set_outage(Outage.RESET)
        place = number % EDGES
        if number // EDGES % 2 == 0:
            await asyncio.to_thread(services[place].kill)
            services[place] = services[place].restart()
            starts.append(await asyncio.to_thread(services[place].until_ready, count, polled=False))
        else:
            kill(services[place].processes()[1:][number // (2 * EDGES) % services[place].workers])
            workers += 1
    await asyncio.sleep(max(end - time.monotonic(), 1.0))
    return _Killed(starts, workers)


def _has_polled(service: Service, count: int) -> bool:
    status = service.status()
    return status is not None and is_ready(status, count, polled=True) and status["problem"] is None
