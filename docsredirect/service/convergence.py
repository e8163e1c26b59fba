"""When edges have what was published: as each of them says, or, where nobody knows them, after a while."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

import structlog

from docsredirect.domain.clock import Clock
from docsredirect.domain.tables import Table
from docsredirect.service.replica import Replica
from docsredirect.service.writers import JITTER

MARGIN_SECONDS: Final = 0.5
"""What is added to two polls for an edge of which nobody hears."""

log = structlog.get_logger(__name__)


class Held(NamedTuple):
    """What an edge says that it holds: of its processes, the one that is furthest behind."""

    epoch: str | None
    sequence: int | None


class Timing(NamedTuple):
    """After how many seconds edges count as having a change: where nobody knows them, and at the latest."""

    blind: float
    latest: float


def timing_of(poll_seconds: float, stale_after: float) -> Timing:
    """Return when edges count as having a change: after two polls, the second as late as it may be; at the latest when
    one that does not follow counts as stale."""
    blind = 2 * poll_seconds * (1 + JITTER) + MARGIN_SECONDS
    return Timing(blind, stale_after + blind)


class Seen(NamedTuple):
    """A published table, and when by the clock this process saw it."""

    table: Table
    time: float


AskEdges = Callable[[], Awaitable[Sequence[Held | None]]]
"""Tells what each edge holds; None for one that does not answer."""


class Convergence:
    """Tells how far the edges are. `replica` holds what is published."""

    def __init__(self, replica: Replica, clock: Clock, timing: Timing, ask_edges: AskEdges | None) -> None:
        self._replica = replica
        self._clock = clock
        self._timing = timing
        self._ask_edges = ask_edges

    async def reached(self, tables: Sequence[Seen]) -> int:
        """Return how many of `tables`, from the first on, every edge has."""
        if self._ask_edges is None:
            there = [self._clock() - each.time >= self._timing.blind for each in tables]
        else:
            held = await self._ask_edges()
            there = [all(self._has(edge, each.table) for edge in held) or self._is_late(each) for each in tables]
        return there.index(False) if False in there else len(there)

    def _has(self, held: Held | None, table: Table) -> bool:
        if held is None or held.epoch is None or held.sequence is None:
            return False
        if held.epoch == table.epoch:
            return held.sequence >= table.sequence
        published = self._replica.applied
        return published is not None and published.epoch == held.epoch and table.epoch in published.follows

    def _is_late(self, seen: Seen) -> bool:
        """Tell whether an edge that does not follow is waited for no longer: by now its answers count as stale, and
        caches keep them for a short time only."""
        if self._clock() - seen.time < self._timing.latest:
            return False
        log.warning("an edge is not waited for any longer", sequence=seen.table.sequence)
        return True
