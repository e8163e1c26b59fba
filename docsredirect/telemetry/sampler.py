"""The sampler: once a second it carries what a process has counted for itself into metrics and onto the board.

Answers and lookups are counted in plain integers, which costs a request next to nothing; here they become metrics.
"""

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Hashable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
import structlog

from docsredirect.service.asked import Asked
from docsredirect.service.lookups import Lookups
from docsredirect.service.replica import Replica
from docsredirect.telemetry import files
from docsredirect.telemetry.board import Board, ProcessState
from docsredirect.telemetry.labels import FAILED, OK, POLLS
from docsredirect.telemetry.metrics import Metrics

SECONDS = 1.0
"""How often it looks. What a process has counted since is lost if it is killed."""

ASKED_SHOWN = 50
"""How many of the names that were asked for in vain are told of."""

log = structlog.get_logger(__name__)


@contextmanager
def _reported() -> Iterator[None]:
    """Report that a file could not be written, and go on: counting may not keep a process from its work."""
    try:
        yield
    except OSError as error:
        log.warning("what was counted is not reported", reason=str(error))


def _nothing() -> None:
    """Do nothing."""


class Place(NamedTuple):
    """Where in the service a process is: the run folder, its seat there, and its role."""

    folder: Path
    seat: int
    role: str


class Sampler:
    """Tells of the process at `place`. `stale_after` is in seconds."""

    def __init__(self, place: Place, metrics: Metrics, *, stale_after: float) -> None:
        self._place = place
        self._metrics = metrics
        self._stale_after = stale_after
        self._board = Board(place.folder, place.seat)
        self._started = rfc3339(time.time())
        self._replica: Replica | None = None
        self._lookups: Lookups | None = None
        self._statuses: Mapping[int, int] = {}
        self._asked = Asked()
        self._on_sample: Callable[[], None] = _nothing
        self._seen: Counter[Hashable] = Counter()
        self._serves = False

    def watch(
        self,
        replica: Replica | None,
        *,
        lookups: Lookups | None = None,
        statuses: Mapping[int, int] | None = None,
        asked: Asked | None = None,
        on_sample: Callable[[], None] = _nothing,
    ) -> None:
        """From now on the process serves: tell of its replica, its lookups, its answers, counted by status, and the
        names that it is asked for in vain."""
        self._replica = replica
        self._lookups = lookups
        if statuses is not None:
            self._statuses = statuses
            self._metrics.begin_edge()
        if asked is not None:
            self._asked = asked
        self._on_sample = on_sample
        self._serves = True
        if replica is not None:
            replica.on_applied.append(self._show)
        with _reported():
            self.sample()

    async def run(self) -> None:
        """Sample for ever. A sample that fails is reported; it may not keep the process from its work."""
        while True:
            begin = time.monotonic()
            await asyncio.sleep(SECONDS)
            self._metrics.lagged(self._place.role, max(0.0, time.monotonic() - begin - SECONDS))
            with _reported():
                self.sample()

    def sample(self) -> None:
        """Tell of what is so now, and count what has come since the last time."""
        metrics = self._metrics
        for status, count in list(self._statuses.items()):
            metrics.edge_answers(status, self._new(status, count))
        if self._lookups is not None:
            lookups = self._lookups
            metrics.lookups("hit", self._new("hit", lookups.hits))
            metrics.lookups("miss", self._new("miss", lookups.misses))
            metrics.read_through(OK, self._new("read", lookups.read))
            metrics.read_through(FAILED, self._new("unread", lookups.unread))
        if self._replica is not None:
            self._sample_replica(self._replica)
        self._asked.age(time.monotonic())
        self._on_sample()
        self._board.write(self._state())

    def _show(self) -> None:
        """Tell of a new table at once: the CDN is purged again when every edge says that it has it."""
        with _reported():
            self._board.write(self._state())

    def leave(self) -> None:
        """Count what is left, and leave the board."""
        with _reported():
            self.sample()
        with _reported():
            self._board.remove()

    def _sample_replica(self, replica: Replica) -> None:
        for outcome in POLLS:
            self._metrics.polls(outcome, self._new(outcome, replica.polls[outcome]))
        self._metrics.refusals(self._new("refusals", replica.refusals))
        age = replica.age()
        self._metrics.table(
            self._place.role,
            sequence=replica.applied.sequence if replica.applied else 0,
            rows=replica.rows,
            stale=replica.is_stale(self._stale_after),
            last_poll=0.0 if age is None else time.time() - age,
        )

    def _new(self, what: Hashable, count: int) -> int:
        """Return how many of a count have come since this was asked for the last time."""
        new = count - self._seen[what]
        self._seen[what] = count
        return new

    def _state(self) -> ProcessState:
        now, replica = time.time(), self._replica
        bare = ProcessState(
            role=self._place.role, seat=self._place.seat, pid=os.getpid(), started=self._started,
            reported=now, serves=self._serves, ready=self._serves,
        )  # fmt: skip
        if replica is None:
            return bare
        age = replica.age()
        return msgspec.structs.replace(
            bare,
            ready=self._serves and replica.ready,
            follows=True,
            epoch=replica.applied.epoch if replica.applied else None,
            sequence=replica.applied.sequence if replica.applied else None,
            complete=replica.complete,
            rows=replica.rows,
            refusals=replica.refusals,
            refused_sequence=replica.refused_sequence,
            reason=replica.refused_reason,
            problem=replica.problem,
            stale=replica.is_stale(self._stale_after),
            last_poll=None if age is None else rfc3339(now - age),
            table_age_seconds=None if age is None else round(age, 1),
            asked=self._asked.top(ASKED_SHOWN),
        )


@asynccontextmanager
async def sampling(place: Place, *, stale_after: float) -> AsyncIterator[tuple[Sampler, Metrics]]:
    """Tell of this process while the context lasts. What was counted until its end is counted too."""
    files.count_in(place.folder, place.seat)
    metrics = Metrics()
    metrics.started(place.role)
    sampler = Sampler(place, metrics, stale_after=stale_after)
    with _reported():
        sampler.sample()
    running = asyncio.create_task(sampler.run(), name="sample")
    try:
        yield sampler, metrics
    finally:
        running.cancel()
        await asyncio.wait([running])
        sampler.leave()


def rfc3339(seconds: float) -> str:
    """Return a Unix time as text, to the second, in UTC (RFC 3339)."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
