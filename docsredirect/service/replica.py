"""The replica: the published table in this process's memory, followed by polling. Writes nothing to the store.

It takes a new table shard by shard, each verified and then swapped in at once. Whatever fails a check is refused,
counted and reported, and the last good shard stays. Only a table whose shards are all held counts as applied, and
only then may the next poll ask "has it changed?".
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterator

import structlog

from docsredirect.domain import tables
from docsredirect.domain.clock import Clock
from docsredirect.domain.errors import Damaged, NotModified, StoreError, StoreUnavailable
from docsredirect.domain.resolve import UNKNOWN, Lookup
from docsredirect.domain.tables import SHARDS, TABLE_KEY, Row, Shard, ShardRef, Table
from docsredirect.service.concurrency import for_each
from docsredirect.service.last_good import LastGood
from docsredirect.store import Store

_AT_ONCE = 16
"""Shards fetched at a time. More would hold more memory than it saves time."""

log = structlog.get_logger(__name__)


class Replica:
    """The table in memory. `clock` counts seconds from any fixed start. `last_good` is where it is kept on disk."""

    def __init__(self, store: Store, *, clock: Clock, last_good: LastGood | None = None) -> None:
        self._store = store
        self._last_good = last_good
        self._started_stale = False
        self._unkept: tuple[Table, bytes] | None = None
        self._bodies: dict[str, bytes] = {}
        """What was fetched and is not on local disk yet, compressed as it came."""
        self._clock = clock
        self._started = clock()
        self.on_change: list[Callable[[Collection[str]], None]] = []
        """Each is called with the names whose rows were replaced, after each shard that was."""
        self.on_applied: list[Callable[[], None]] = []
        """Each is called when a new table is applied."""
        self._shards: list[Shard | None] = [None] * SHARDS
        self._etag: str | None = None
        self.table: Table | None = None
        """The last table that was taken: applied where `complete`, else still missing shards."""
        self._applied: Table | None = None
        self.last_success: float | None = None
        """When, by the clock, a poll last ended with all that is published being held."""
        self.refusals = 0
        """How many tables and shards failed a check."""
        self.refused_sequence: int | None = None
        """The sequence of the table that was refused last, whole or in part, where it could be read."""
        self.refused_reason: str | None = None
        """Why it was. Both are None again once a poll has succeeded."""
        self.polls: Counter[str] = Counter()
        """How many polls found a changed table, found it unchanged, failed, or were refused what they found."""
        self._refused: set[str] = set()
        self._polling = asyncio.Lock()
        self._queued: asyncio.Task[bool] | None = None
        """A poll that has not begun yet."""
        self.problem: str | None = "not polled yet"
        """What kept the last poll from being a success, or None."""

    @property
    def complete(self) -> bool:
        """Tell whether every shard of the table is held."""
        return self._etag is not None

    @property
    def applied(self) -> Table | None:
        """The last table of which every shard was held."""
        return self._applied

    @property
    def serves_all(self) -> bool:
        """Tell whether every name is answered from memory."""
        return None not in self._shards

    @property
    def rows(self) -> int:
        """How many rows are held."""
        return sum(map(len, self.shards()))

    @property
    def ready(self) -> bool:
        """Tell whether names can be answered: from any table, stale too, or by a store that said there is none."""
        return self.last_success is not None or self.rows > 0

    def row(self, name: str) -> Row | Lookup | None:
        """Return the row of `name`, None where there is none, or `UNKNOWN` where its shard is not held."""
        digest = tables.digest_of(name)
        shard = self._shards[digest >> 56]
        if shard is None:
            return UNKNOWN
        line = shard.get(name, digest)
        return None if line is None else tables.decode_row(line)

    def shards(self) -> list[Shard]:
        """Return the shards that are held now."""
        return [shard for shard in self._shards if shard is not None]

    def shard(self, number: int) -> Shard | None:
        """Return a shard, or None where it is not held."""
        return self._shards[number]

    def age(self) -> float | None:
        """Return the seconds since the last successful poll, or None where there was none."""
        return None if self.last_success is None else self._clock() - self.last_success

    def is_stale(self, after: float) -> bool:
        """Tell whether no poll has succeeded for `after` seconds, of this process's life at the most. A table from
        disk is stale until one has: nobody knows how old it is."""
        if self.last_success is None and self._started_stale:
            return True
        return self._clock() - (self._started if self.last_success is None else self.last_success) > after

    async def poll(self) -> bool:
        """Ask once for a newer table and take it. Returns whether all that is published is now held; never raises
        for what the store does.
        """
        async with self._polling:
            self._queued = None  # who asks from now on wants a later poll
            return await self._poll_once()

    async def refresh(self) -> bool:
        """Return what a poll says that begins after this was asked. All who ask before it begins share one."""
        if self._queued is None:
            self._queued = asyncio.create_task(self.poll(), name="poll")
        return await asyncio.shield(self._queued)

    async def _poll_once(self) -> bool:
        try:
            changed = await self._poll()
        except StoreError as error:
            self.polls["refused" if isinstance(error, Damaged) else "failed"] += 1
            if str(error) != self.problem:
                log.warning("poll failed", reason=str(error))
            self.problem = str(error)
            return False
        self.polls["changed" if changed else "unchanged"] += 1
        if self.problem is not None and self.last_success is not None:
            log.info("poll works again")
        self.problem = None
        self.last_success = self._clock()
        self._refused.clear()
        self.refused_sequence = self.refused_reason = None
        if changed:
            for tell in self.on_applied:
                tell()
        await self._keep()
        return True

    async def load_last_good(self) -> None:
        """Begin with the table on local disk, if there is one."""
        loaded = None if self._last_good is None else await self._last_good.load()
        if loaded is None:
            return
        self.table, self._shards = loaded
        self._started_stale = True
        if self.shards():
            self._applied = self.table
        log.info("started with the last good table", sequence=self.table.sequence, rows=self.rows)

    async def follow(self, pauses: Iterator[float]) -> None:
        """Begin with what is on local disk, then poll for ever, pausing for the seconds that `pauses` gives.

        A fault of our own fails one poll: an edge that stopped following would serve an old table for ever.
        """
        try:
            await self.load_last_good()
        except Exception:
            log.exception("the last good table could not be loaded")
        for pause in pauses:
            try:
                await self.poll()
            except Exception as error:
                log.exception("poll broke off")
                self.polls["failed"] += 1
                self.problem = f"poll broke off: {type(error).__name__}"
            await asyncio.sleep(pause)

    async def _poll(self) -> bool:
        """Take what is published. Returns whether there was something new."""
        try:
            stored = await self._store.get(TABLE_KEY, unless=self._etag)
        except NotModified:
            return False
        if stored is None:
            if self._applied is not None or self.rows:
                raise StoreUnavailable(f"{TABLE_KEY} is gone; the table that is held stays.")
            return False
        table: Table | None = None
        try:
            table = tables.decode_table(stored.body)
            self._check_order(table)
        except Damaged as error:
            self._refuse(f"{TABLE_KEY} {stored.etag}", error, table)
            raise
        if table != self.table:
            log.info("table found", epoch=table.epoch, sequence=table.sequence, rows=table.rows)
        self._etag = None
        self.table = table
        await self._fetch(table)
        self._etag = stored.etag
        self._applied = table
        self._unkept = (table, stored.body)
        return True

    def _check_order(self, table: Table) -> None:
        held = self._applied
        if held is None or held.epoch in table.follows:
            return
        if table.epoch != held.epoch:
            raise Damaged(f"{TABLE_KEY} is of epoch {table.epoch}, which does not follow {held.epoch}.")
        if table.sequence < held.sequence:
            raise Damaged(f"{TABLE_KEY} went back from sequence {held.sequence} to {table.sequence}.")
        if table.sequence == held.sequence and table.shards != held.shards:
            raise Damaged(f"{TABLE_KEY} says something else of sequence {table.sequence} than before.")
        # Tombstones are rows, so within an epoch no shard ever loses one.
        if any(new.rows < old.rows for new, old in zip(table.shards, held.shards, strict=True)):
            raise Damaged(f"{TABLE_KEY} of sequence {table.sequence} has lost rows.")

    async def _fetch(self, table: Table) -> None:
        problems: list[str] = []

        async def fetch_shard(number: int) -> None:
            try:
                self._take(number, await self._fetch_shard(number, table.shards[number]))
            except Damaged as error:
                self._refuse(str(table.shards[number].key), error, table)
                problems.append(str(error))
            except StoreError as error:
                problems.append(str(error))

        held = [None if shard is None else shard.ref for shard in self._shards]
        missing = [number for number in range(SHARDS) if held[number] != table.shards[number]]
        await for_each(missing, fetch_shard, _AT_ONCE)
        # Polls may fail for days over one shard: what no table names any more is not held for the disk either.
        named = {ref.key for ref in table.shards}
        self._bodies = {key: body for key, body in self._bodies.items() if key in named}
        if problems:
            raise StoreUnavailable(f"{len(problems)} of {len(missing)} new shards are not held: {problems[0]}")

    async def _keep(self) -> None:
        """Keep what was taken. After the poll has succeeded: nobody who asks waits for this disk."""
        unkept, bodies = self._unkept, self._bodies
        self._unkept, self._bodies = None, {}
        if self._last_good is None or unkept is None:
            return
        table, body = unkept
        try:
            for ref in self._last_good.missing(table):
                key = str(ref.key)
                await self._last_good.keep_shard(key, bodies.pop(key, b"") or await _shard_body(self._store, ref))
        except StoreError as error:
            log.warning("the table is not kept", reason=str(error))
        else:
            await self._last_good.keep_table(table, body)

    async def _fetch_shard(self, number: int, ref: ShardRef) -> Shard:
        body = await _shard_body(self._store, ref)
        shard = await asyncio.to_thread(tables.decode_shard, number, ref, body)
        if self._last_good is not None and self._last_good.keeper and ref.key is not None:
            self._bodies[ref.key] = body
        return shard

    def _take(self, number: int, shard: Shard) -> None:
        present = self._shards[number]
        self._shards[number] = shard
        if changed := shard.changed_names(present):
            for tell in self.on_change:
                tell(changed)

    def _refuse(self, what: str, error: Damaged, table: Table | None) -> None:
        """Count and report what failed a check, once, however often it is asked for again."""
        self.refused_sequence = None if table is None else table.sequence
        self.refused_reason = str(error)
        if what not in self._refused:
            self._refused.add(what)
            self.refusals += 1
            log.error("refused", reason=str(error))


async def read_shard(store: Store, number: int, ref: ShardRef) -> Shard:
    """Return a shard from the store, verified. Raises `Damaged`, also where it is missing, and `StoreUnavailable`."""
    return await asyncio.to_thread(tables.decode_shard, number, ref, await _shard_body(store, ref))


async def _shard_body(store: Store, ref: ShardRef) -> bytes:
    if ref.key is None:
        return b""
    stored = await store.get(ref.key)
    if stored is None:
        raise Damaged(f"{ref.key} is missing.")
    return stored.body


async def published_rows(store: Store) -> list[Row] | None:
    """Return all rows that are published, sorted by name, or None where nothing is. Raises `Damaged` and
    `StoreUnavailable`."""
    stored = await store.get(TABLE_KEY)
    if stored is None:
        return None
    return await read_rows(store, tables.decode_table(stored.body))


async def read_rows(store: Store, table: Table) -> list[Row]:
    """Return all rows of a table, sorted by name. Raises `Damaged` and `StoreUnavailable`."""
    rows: list[Row] = []
    for number, ref in enumerate(table.shards):
        rows += map(tables.decode_row, (await read_shard(store, number, ref)).lines())
    return sorted(rows, key=lambda row: row.name)
