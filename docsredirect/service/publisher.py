"""Publishing: from changed projects to a new ``table.json`` that edges will take. Changes no project.

The steps are in an order that no crash and no rival can make wrong: new shards first, under names that nothing
refers to yet; then a copy of the table that is about to be replaced; then the swap, which only succeeds against the
table that the shards were merged into. Rows carry revisions and the higher one stays, so a lost race is merged
again and an old row can never come back.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

import structlog

from docsredirect.domain import projects, tables
from docsredirect.domain.errors import Conflict, Damaged, StoreUnavailable
from docsredirect.domain.tables import EMPTY_SHARD, SHARDS, TABLE_KEY, Row, ShardRef, Table
from docsredirect.service.concurrency import for_each
from docsredirect.service.replica import read_shard
from docsredirect.store import Store, StoredObject

_AT_ONCE = 32
"""Store requests under way at a time: at 60 ms each, 500 objects a second."""

_ATTEMPTS = 100
"""Lost races before giving up. Each one lost means that another publisher has won."""

MAX_SECONDS = 600.0
"""How long one attempt may take. Unused shards are removed after 24 hours, so this is far on the safe side."""

log = structlog.get_logger(__name__)

Rows = dict[str, Row]


class Published(NamedTuple):
    """A table that is published, and the names whose change it does not hold, because it has a higher revision than
    their objects: those were put back to an earlier state."""

    table: Table
    outdone: frozenset[str]


class _Held(NamedTuple):
    table: Table
    body: bytes
    etag: str


class _Plan(NamedTuple):
    """A table to be: the shards that are to be put, as the present table names them and with the rows they will have,
    and all others as they are."""

    epoch: str
    sequence: int
    follows: tuple[str, ...]
    refs: tuple[ShardRef, ...]
    puts: dict[int, tuple[ShardRef, Rows]]
    higher: dict[str, int]
    """The names of which another record stands than was to be published, with its revision."""


class Publisher:
    """Publishes what changed. `new_epoch` gives 16 random hexadecimal digits for a table that begins anew; `pause`
    the seconds to wait before an attempt, so that rivals do not meet again and again."""

    def __init__(
        self, store: Store, new_epoch: Callable[[], str], pause: Callable[[int], float] = lambda attempt: 0.0
    ) -> None:
        self._store = store
        self._new_epoch = new_epoch
        self._pause = pause
        self.on_publish: Callable[[Table], None] = lambda table: None
        """Called with every table that it has put in the place of another."""

    async def publish(self, changed: Iterable[Row], *, check: Iterable[int] = ()) -> Table:
        """Publish as `publish_rows` does, and return the table."""
        return (await self.publish_rows(changed, check=check)).table

    async def tell_purging(self, purging: bool) -> Table:
        """Publish whether the CDN is purged on change, and nothing else. Raises as `publish_rows` does."""
        return (await self.publish_rows([], purging=purging)).table

    async def publish_rows(
        self, changed: Iterable[Row], *, check: Iterable[int] = (), purging: bool | None = None
    ) -> Published:
        """Publish `changed` and return the table that holds it: the one in place where that already does. The shards
        `check` are read too, and rebuilt where that fails. `purging`: what the table says of it; None: what the one
        before said.

        Raises `StoreUnavailable`, `Damaged` for a ``table.json`` that cannot be read, and `Conflict` when every
        attempt lost its race.
        """
        rows = {row.name: row for row in changed}
        for attempt in range(_ATTEMPTS):
            await asyncio.sleep(self._pause(attempt))
            held = await self._read_table()
            plan = await (self._build(rows) if held is None else self._merge(held.table, rows, check))
            try:
                table = await self._carry_out(plan, held, purging)
            except Conflict:
                continue
            return Published(table, await self._outdone(plan.higher))
        raise Conflict(f"{TABLE_KEY} changed {_ATTEMPTS} times while it was being replaced.")

    async def _read_table(self) -> _Held | None:
        stored = await self._store.get(TABLE_KEY)
        if stored is None:
            return None
        try:
            return _Held(tables.decode_table(stored.body), stored.body, stored.etag)
        except Damaged as error:
            raise Damaged(f"{error} Remove it, and the next import builds it anew from {projects.PREFIX}.") from error

    async def _carry_out(self, plan: _Plan, held: _Held | None, purging: bool | None = None) -> Table:
        """Put the shards of `plan`, then swap the table; not where nothing would be another. Raises `Conflict`."""
        refs = list(plan.refs)

        async def put_shard(number: int) -> None:
            refs[number] = await self._put_shard(number, *plan.puts[number])

        # A publisher that is this slow may find its shards removed as unused before a table names them.
        async with _time_limit():
            await for_each(sorted(plan.puts), put_shard, _AT_ONCE)
            table = Table(
                epoch=plan.epoch,
                sequence=plan.sequence,
                follows=plan.follows,
                shards=tuple(refs),
                purging=(held is not None and held.table.purging) if purging is None else purging,
            )
            if held is not None and _says_the_same(held.table, table):
                return held.table
            body = tables.encode_table(table)
            if held is None:
                await self._store.create(TABLE_KEY, body)
                # Kept at once: should table.json be lost before the next swap, the epoch to follow is still seen.
                await self._keep(table, body)
            else:
                await self._keep(held.table, held.body)
                await self._store.replace(TABLE_KEY, body, held.etag)
        log.info("published", epoch=table.epoch, sequence=table.sequence, rows=table.rows)
        self.on_publish(table)
        return table

    async def _keep(self, table: Table, body: bytes) -> None:
        if not body:
            return
        with suppress(Conflict):  # a publisher that lost its race has kept it already
            await self._store.create(tables.kept_key(table.epoch, table.sequence), body)

    async def _outdone(self, higher: Mapping[str, int]) -> frozenset[str]:
        """Return the names whose published revision, which is `higher` than the one that was to be published, is above
        their object's own too. Where it is not, somebody has changed the project once more, which is as it should be.
        """
        outdone = set()
        for name, revision in higher.items():
            stored = await self._store.get(projects.key_of(name))
            try:
                if stored is None or projects.decode(stored.body, name).revision < revision:
                    outdone.add(name)
            except Damaged:
                outdone.add(name)
        return frozenset(outdone)

    async def begin_epoch(self, follows: Iterable[str]) -> Table:
        """Publish a new epoch, built from the objects, in place of whatever is published, damaged or not: edges that
        hold a table of an epoch in `follows`, or of one that is seen in ``tables/``, will take it.

        Raises `StoreUnavailable`, and `Conflict` where somebody else publishes meanwhile.
        """
        stored = await self._store.get(TABLE_KEY)
        held = None if stored is None else _read(stored)
        follows = {*follows, *(() if held is None else (held.table.epoch, *held.table.follows))}
        plan = await self._build({}, follows)
        if stored is not None and held is None:
            # What cannot be read is not worth keeping, but only this state of it may be replaced.
            held = _Held(Table(epoch="", sequence=0, follows=(), shards=()), b"", stored.etag)
        return await self._carry_out(plan, held)

    async def _merge(self, table: Table, changed: Rows, check: Iterable[int]) -> _Plan:
        by_shard: dict[int, Rows] = defaultdict(dict, {number: {} for number in check})
        for name, row in changed.items():
            by_shard[tables.shard_of(name)][name] = row
        puts: dict[int, tuple[ShardRef, Rows]] = {}
        higher: dict[str, int] = {}

        async def merge_shard(number: int) -> None:
            ref = table.shards[number]
            try:
                present = await self._shard_rows(number, ref)
            except Damaged as error:
                log.error("shard rebuilt from projects", shard=number, reason=str(error))
                present, ref = await self._rebuilt_rows(number), EMPTY_SHARD
            merged = _newer(present, by_shard[number])
            puts[number] = (ref, merged)
            higher.update(
                (name, merged[name].revision)
                for name, row in by_shard[number].items()
                if merged[name].record != row.record
            )

        await for_each(sorted(by_shard), merge_shard, _AT_ONCE)
        return _Plan(table.epoch, table.sequence + 1, table.follows, table.shards, puts, higher)

    async def _build(self, changed: Rows, follows: Iterable[str] = ()) -> _Plan:
        """Begin a new epoch from the objects. Every earlier epoch that is still seen is one that it follows."""
        rows = await self._rows_of_objects(changed)
        by_shard: list[Rows] = [{} for _ in range(SHARDS)]
        for name, row in _newer(rows, changed).items():
            by_shard[tables.shard_of(name)][name] = row
        kept = self._store.list_objects("tables/")
        seen = {epoch async for listed in kept if (epoch := tables.epoch_of(listed.key))}
        puts = {number: (EMPTY_SHARD, rows) for number, rows in enumerate(by_shard)}
        refs = (EMPTY_SHARD,) * SHARDS
        return _Plan(self._new_epoch(), 1, tuple(sorted({*seen, *follows})), refs, puts, {})

    async def _put_shard(self, number: int, present: ShardRef, rows: Rows) -> ShardRef:
        ref, body = tables.encode_shard(number, (rows[name] for name in sorted(rows)))
        if ref.key is not None and ref != present:
            # Also where an object of that name exists: that renews its age, and nobody removes it as unused.
            await self._store.put(ref.key, body)
        return ref

    async def _shard_rows(self, number: int, ref: ShardRef) -> Rows:
        """Return the rows of a shard. Raises `Damaged`, also where it is missing."""
        shard = await read_shard(self._store, number, ref)
        return {row.name: row for row in map(tables.decode_row, shard.lines())}

    async def _rebuilt_rows(self, number: int) -> Rows:
        return await self._rows_of_names(name async for name, _ in self._listed() if tables.shard_of(name) == number)

    async def _kept_row(self, name: str) -> Row | None:
        """Return the last row of `name` that was published, for a project whose object cannot be read."""
        kept = [listed async for listed in self._store.list_objects("tables/") if tables.epoch_of(listed.key)]
        if not kept:
            return None
        newest = max(kept, key=lambda listed: (listed.modified, listed.key))
        number = tables.shard_of(name)
        try:
            stored = await self._store.get(newest.key)
            if stored is None:
                return None
            return (await self._shard_rows(number, tables.decode_table(stored.body).shards[number])).get(name)
        except Damaged:
            return None

    async def _listed(self) -> AsyncIterator[tuple[str, str]]:
        """Go through the names that have an object, with the object's ETag."""
        async for listed in self._store.list_objects(projects.PREFIX):
            name = projects.name_of(listed.key)
            if name is None:
                log.error("not a project's object", key=listed.key)
            else:
                yield name, listed.etag

    async def _rows_of_objects(self, known: Mapping[str, Row]) -> Rows:
        """Return the rows of all objects; those of `known` that are still what they were are not read again."""
        rows: Rows = {}

        async def unread() -> AsyncIterator[str]:
            async for name, etag in self._listed():
                row = known.get(name)
                if row is not None and row.etag == etag:
                    rows[name] = row
                else:
                    yield name

        return rows | await self._rows_of_names(unread())

    async def _rows_of_names(self, names: AsyncIterator[str]) -> Rows:
        rows: Rows = {}

        async def read(name: str) -> None:
            try:
                stored = await self._store.get(projects.key_of(name))
                if stored is not None:
                    rows[name] = row_of(projects.decode(stored.body, name), stored.etag)
            except Damaged as error:
                row = await self._kept_row(name)
                log.error("damaged project", project=name, reason=str(error), last_good_row=row is not None)
                if row is not None:
                    rows[name] = row

        await for_each(names, read, _AT_ONCE)
        return rows


def row_of(project: projects.Project, etag: str) -> Row:
    """Return the row of a stored project."""
    return Row(project.name, project.revision, etag, project.record)


def _newer(present: Mapping[str, Row], changed: Mapping[str, Row]) -> Rows:
    """Return both, of each name the higher revision. Of equal ones the present, except where only the object's ETag
    is another: then the store was moved, and the hint is renewed."""
    return dict(present) | {
        name: row
        for name, row in changed.items()
        if name not in present or row.revision > present[name].revision or _is_moved(present[name], row)
    }


def _is_moved(present: Row, row: Row) -> bool:
    return row.revision == present.revision and row.etag != present.etag and row.record == present.record


def _says_the_same(held: Table, table: Table) -> bool:
    return (held.epoch, held.shards, held.purging) == (table.epoch, table.shards, table.purging)


def _read(stored: StoredObject) -> _Held | None:
    """Return the table in `stored`, or None where it cannot be read."""
    try:
        return _Held(tables.decode_table(stored.body), stored.body, stored.etag)
    except Damaged:
        return None


@asynccontextmanager
async def _time_limit() -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(MAX_SECONDS):
            yield
    except TimeoutError as error:
        raise StoreUnavailable(f"Publishing took longer than {MAX_SECONDS:g} seconds.") from error
