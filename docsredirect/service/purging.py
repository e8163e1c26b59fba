"""Purging the CDN of what was changed: at once, and again when every edge has the change, because a reader may have
fetched the old answer in between.

What is to be purged is read off the published table: what the replica finds changed, and at a start what has changed
since the mark in the store. The mark moves on when a change has been purged twice, so a crash loses none. Each process
purges at once what it has published itself, and after a while what another should have.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Final, NamedTuple

import structlog

from docsredirect.cdn import Purger
from docsredirect.domain import purges
from docsredirect.domain.clock import Clock
from docsredirect.domain.errors import PurgeFailed, StoreError
from docsredirect.domain.tables import Table
from docsredirect.service.convergence import Convergence, Seen
from docsredirect.service.publisher import Publisher
from docsredirect.service.purge_flag import PurgeFlag
from docsredirect.service.purge_marks import PurgeMarks
from docsredirect.service.replica import Replica
from docsredirect.store import Store

PROBE_SECONDS: Final = 60.0
"""How often purging is tried while there is nothing to purge."""

LONGEST_PAUSE_SECONDS: Final = 30.0
_TICK_SECONDS: Final = 0.1
"""Between two looks at how far the edges are."""

_BEGIN_AGAIN_SECONDS: Final = 1.0

log = structlog.get_logger(__name__)


class _Batch(NamedTuple):
    """Names that changed after the table of the sequence `after`, up to `seen`."""

    seen: Seen
    names: frozenset[str]
    after: int


class Purging:
    """Purges through `purger` what `replica` finds changed in `store`, whose tables `publisher` replaces.

    What another process has published is left to it for `take_over_seconds`. `on_purge` is told of each purge whether
    it went well.
    """

    def __init__(  # noqa: PLR0913 - what it works with, each by its name
        self,
        store: Store,
        replica: Replica,
        publisher: Publisher,
        purger: Purger,
        convergence: Convergence,
        *,
        clock: Clock,
        take_over_seconds: float,
        on_purge: Callable[[bool], None] = lambda ok: None,
    ) -> None:
        self._replica = replica
        self._purger = purger
        self._convergence = convergence
        self._marks = PurgeMarks(store)
        self._flag = PurgeFlag(replica, publisher, clock)
        self._clock = clock
        self._take_over_seconds = take_over_seconds
        self._on_purge = on_purge
        self._names: set[str] = set()
        self._seen: Table | None = None
        self._mine: Table | None = None
        """The last table that this process has published."""
        self._first: list[_Batch] = []
        self._again: list[_Batch] = []
        self._unmarked: Table | None = None
        """Up to where everything was purged, as long as the mark does not say so."""
        self._woken, self._purged = asyncio.Event(), asyncio.Event()
        self._last_purge = float("-inf")
        self.working: bool | None = None
        """Whether the last purge went well; None before the first."""
        publisher.on_publish = self._note_published
        replica.on_change.append(self._note_changed)
        replica.on_applied.append(self._note_applied)

    @property
    def waiting(self) -> int:
        """How many projects have changes that are not purged twice yet."""
        return len(_names_of([*self._first, *self._again]) | self._names)

    async def run(self) -> None:
        """Purge for ever. Never raises for what the CDN, the edges or the store do."""
        while True:
            if await self._attempt("begin", self._begin):
                break
            await asyncio.sleep(_TICK_SECONDS if self._replica.last_success is None else _BEGIN_AGAIN_SECONDS)
        await asyncio.gather(
            self._keep_trying("first", self._turn, self._woken, self._until_due),
            self._keep_trying("second", self._turn_again, self._purged, lambda: _TICK_SECONDS if self._again else None),
        )

    async def _keep_trying(
        self,
        what: str,
        turn: Callable[[], Awaitable[bool]],
        event: asyncio.Event,
        pause: Callable[[], float | None],
    ) -> None:
        failures = 0
        while True:
            await _wait(event, min(2.0**failures, LONGEST_PAUSE_SECONDS) if failures else pause())
            failures = 0 if await self._attempt(what, turn) else min(failures + 1, 10)

    async def _attempt(self, what: str, work: Callable[[], Awaitable[bool]]) -> bool:
        try:
            return await work()
        except StoreError as error:
            log.warning("purging waits for the store", step=what, reason=str(error))
        except Exception:  # a fault of our own must not end all purging
            log.exception("purging broke off", step=what)
        return False

    async def _begin(self) -> bool:
        """Find what an earlier process has left to purge."""
        table = self._replica.applied
        if table is not None:
            shards = [self._replica.shard(number) for number in range(len(table.shards))]
            if left := await self._marks.unpurged(table, shards):
                log.info("changes were left to purge", projects=len(left))
                self._mine = self._mine or table
                self._first.insert(0, _Batch(Seen(table, self._clock()), left, after=-1))
        return self._replica.last_success is not None

    def _note_published(self, table: Table) -> None:
        self._mine = table
        self._woken.set()

    def _is_first_load(self) -> bool:
        """Tell whether the replica is taking what was published before this process began."""
        return self._seen is None and not self._replica.polls["unchanged"]

    def _note_changed(self, names: Collection[str]) -> None:
        if not self._is_first_load():
            self._names.update(names)

    def _note_applied(self) -> None:
        """Take what the replica has found changed."""
        table, before = self._replica.applied, self._seen
        assert table is not None
        names, self._seen = frozenset(self._names), table
        self._names.clear()
        after = before.sequence if before is not None and before.epoch == table.epoch else -1
        if names:
            self._first.append(_Batch(Seen(table, self._clock()), names, after))
            self._woken.set()

    def _is_mine(self, batch: _Batch) -> bool:
        mine, table = self._mine, batch.seen.table
        return mine is not None and mine.epoch == table.epoch and mine.sequence > batch.after

    def _due(self, batch: _Batch) -> float:
        return batch.seen.time + (0.0 if self._is_mine(batch) else self._take_over_seconds)

    def _until_due(self) -> float:
        """Return in how many seconds there is something to do without being woken."""
        times = [self._last_purge + PROBE_SECONDS, *map(self._due, self._first)]
        return max(0.0, min(times) - self._clock())

    async def _turn(self) -> bool:
        mine, seen = self._mine, self._seen
        if mine is not None and (seen is None or (mine.epoch == seen.epoch and mine.sequence > seen.sequence)):
            await self._replica.refresh()
        due = await self._take_due()
        if due:
            went_well = False
            try:
                went_well = await self._purge(due)
            finally:  # whatever went wrong, nothing that was not purged is forgotten
                if not went_well:
                    self._first[:0] = due
            if went_well:
                self._again += due
                self._purged.set()
        elif self._clock() - self._last_purge >= PROBE_SECONDS:
            await self._purge([])
        if self.working is not None:
            await self._flag.tell(working=self.working)
        return self.working is not False

    async def _take_due(self) -> list[_Batch]:
        """Return the batches up to the last one that is due, without those that another process has purged. In their
        order, so that the mark never passes one that is not purged."""
        if not all(map(self._is_mine, self._first[: self._count_due()])):
            mark = await self._marks.read()
            self._first = [
                each for each in self._first if self._is_mine(each) or not (mark and mark.covers(each.seen.table))
            ]
        count = self._count_due()
        taken, self._first = self._first[:count], self._first[count:]
        return taken

    def _count_due(self) -> int:
        now = self._clock()
        return max((place for place, batch in enumerate(self._first, 1) if self._due(batch) <= now), default=0)

    async def _turn_again(self) -> bool:
        batches = self._again[: await self._convergence.reached([batch.seen for batch in self._again])]
        if batches and not await self._purge(batches):
            self._woken.set()  # who tells of it
            return False
        if batches:
            del self._again[: len(batches)]
            self._unmarked = batches[-1].seen.table
        if self._unmarked is not None:
            await self._marks.advance(self._unmarked)
            self._unmarked = None
        return True

    async def _purge(self, batches: Sequence[_Batch]) -> bool:
        keys = [purges.key_of(name) for name in sorted(_names_of(batches))] or [purges.PROBE]
        self._last_purge = self._clock()
        try:
            await self._purger.purge(keys)
        except PurgeFailed as error:
            if self.working is not False:
                log.error("the CDN is not purged", keys=len(keys), reason=str(error))
            self.working = False
        else:
            if self.working is False:
                log.info("purging works again")
            self.working = True
        self._on_purge(self.working)
        return self.working


def _names_of(batches: Sequence[_Batch]) -> frozenset[str]:
    return frozenset[str]().union(*(batch.names for batch in batches))


async def _wait(event: asyncio.Event, seconds: float | None) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
    event.clear()
