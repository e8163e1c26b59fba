"""The replica: the published table in this process's memory, followed by polling. Writes nothing to the store.

It takes a new table shard by shard, each verified and then swapped in at once. Whatever fails a check is refused,
counted and reported, and the last good shard stays. Only a table whose shards are all held counts as applied, and
only then may the next poll ask "has it changed?".
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterator

import msgspec
import structlog

from docsredirect.domain import tables
from docsredirect.domain.clock import Clock
from docsredirect.domain.errors import Damaged, StoreError, StoreUnavailable
from docsredirect.domain.tables import SHARDS, TABLE_KEY, Row, ShardRef, Table
from docsredirect.service.concurrency import for_each
from docsredirect.store import NotModified, Store

_AT_ONCE = 16
"""Shards fetched at a time. More would hold more memory than it saves time."""

log = structlog.get_logger(__name__)


class Shard(msgspec.Struct):
    """One shard as it is held: how the table names it, its rows as lines by name, how many have a live redirect."""

    ref: ShardRef
    lines: dict[str, bytes]
    active: int


class Replica:
    """The table in memory. `clock` counts seconds from any fixed start."""

    def __init__(self, store: Store, *, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._started = clock()
        self.on_change: Callable[[Collection[str]], None] = lambda names: None
        """Called with the names whose rows were replaced, after each shard that was."""
        self._shards: list[Shard | None] = [None] * SHARDS
        self._etag: str | None = None
        self.table: Table | None = None
        """The last table that was taken: applied where `complete`, else still missing shards."""
        self.last_success: float | None = None
        """When, by the clock, a poll last ended with all that is published being held."""
        self.refusals = 0
        self.problem: str | None = "not polled yet"
        """What kept the last poll from being a success, or None."""

    @property
    def complete(self) -> bool:
        """Tell whether every shard of the table is held."""
        return self._etag is not None

    @property
    def rows(self) -> int:
        """How many rows are held."""
        return sum(len(shard.lines) for shard in self._shards if shard is not None)

    def holds(self, name: str) -> bool:
        """Tell whether the shard of `name` is held: if so, a name without a line is known to be absent."""
        return self._shards[tables.shard_of(name)] is not None

    def line(self, name: str) -> bytes | None:
        """Return the row of `name` as its line, or None where the shard has none, or is not held."""
        shard = self._shards[tables.shard_of(name)]
        return None if shard is None else shard.lines.get(name)

    def shards(self) -> Iterator[Shard | None]:
        """Go through the shards as they are now."""
        return iter(list(self._shards))

    def age(self) -> float | None:
        """Return the seconds since the last successful poll, or None where there was none."""
        return None if self.last_success is None else self._clock() - self.last_success

    def is_stale(self, after: float) -> bool:
        """Tell whether no poll has succeeded for `after` seconds, of this process's life at the most."""
        return self._clock() - (self._started if self.last_success is None else self.last_success) > after

    async def poll(self) -> bool:
        """Ask once for a newer table and take it. Returns whether all that is published is now held; never raises
        for what the store does.
        """
        try:
            await self._poll()
        except StoreError as error:
            if str(error) != self.problem:
                log.warning("poll failed", reason=str(error))
            self.problem = str(error)
            return False
        if self.problem is not None and self.last_success is not None:
            log.info("poll works again")
        self.problem = None
        self.last_success = self._clock()
        return True

    async def follow(self, pauses: Iterator[float]) -> None:
        """Poll for ever, pausing between two polls for the seconds that `pauses` gives.

        A fault of our own fails one poll: an edge that stopped following would serve an old table for ever.
        """
        for pause in pauses:
            try:
                await self.poll()
            except Exception as error:
                log.exception("poll broke off")
                self.problem = f"poll broke off: {type(error).__name__}"
            await asyncio.sleep(pause)

    async def _poll(self) -> None:
        try:
            stored = await self._store.get(TABLE_KEY, unless=self._etag)
        except NotModified:
            return
        if stored is None:
            if self.table is not None:
                raise StoreUnavailable(f"{TABLE_KEY} is gone; the table that is held stays.")
            return
        try:
            table = tables.decode_table(stored.body)
            self._check_order(table)
        except Damaged:
            self.refusals += 1
            raise
        if table != self.table:
            log.info("table found", epoch=table.epoch, sequence=table.sequence, rows=table.rows)
        self._etag = None
        self.table = table
        await self._fetch(table)
        self._etag = stored.etag

    def _check_order(self, table: Table) -> None:
        held = self.table
        if held is None or held.epoch in table.follows:
            return
        if table.epoch != held.epoch:
            raise Damaged(f"{TABLE_KEY} is of epoch {table.epoch}, which does not follow {held.epoch}.")
        if table.sequence < held.sequence:
            raise Damaged(f"{TABLE_KEY} went back from sequence {held.sequence} to {table.sequence}.")

    async def _fetch(self, table: Table) -> None:
        problems: list[str] = []

        async def fetch_shard(number: int) -> None:
            try:
                self._take(number, await read_shard(self._store, number, table.shards[number]))
            except StoreError as error:
                self.refusals += isinstance(error, Damaged)
                problems.append(str(error))

        held = [None if shard is None else shard.ref for shard in self._shards]
        missing = [number for number in range(SHARDS) if held[number] != table.shards[number]]
        await for_each(missing, fetch_shard, _AT_ONCE)
        if problems:
            raise StoreUnavailable(f"{len(problems)} of {len(missing)} new shards are not held: {problems[0]}")

    def _take(self, number: int, shard: Shard) -> None:
        present = self._shards[number]
        self._shards[number] = shard
        before = {} if present is None else present.lines
        changed = [name for name, line in shard.lines.items() if before.get(name) != line]
        changed += [name for name in before if name not in shard.lines]
        if changed:
            self.on_change(changed)


async def read_shard(store: Store, number: int, ref: ShardRef) -> Shard:
    """Return a shard from the store, verified. Raises `Damaged`, also where it is missing, and `StoreUnavailable`."""
    if ref.key is None:
        return Shard(ref, {}, 0)
    stored = await store.get(ref.key)
    if stored is None:
        raise Damaged(f"{ref.key} is missing.")
    return await asyncio.to_thread(_decode, number, ref, stored.body)


async def load_rows(store: Store, table: Table) -> AsyncIterator[Row]:
    """Go through all rows of a published table, shard by shard. Raises `Damaged` and `StoreUnavailable`."""
    for number, ref in enumerate(table.shards):
        shard = await read_shard(store, number, ref)
        for line in shard.lines.values():
            yield tables.decode_row(line)


def _decode(number: int, ref: ShardRef, body: bytes) -> Shard:
    rows = tables.decode_shard(number, ref, body)
    return Shard(ref, rows.lines, rows.active)
