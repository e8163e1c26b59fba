"""Reconciling: what is published follows the objects again, and what nobody needs any more is removed.

It repairs "committed but not published", a crash between the two, and a shard that was lost. Of the store's leftovers
it removes shards and kept tables that are over a day old by the store's own clock and that no table names. The listing
comes first, then ``table.json``, then ``tables/``. A shard that a publisher puts again meanwhile is young again: each
is looked at once more right before it goes, and should one go all the same, it is built again at once.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import NamedTuple

import structlog

from docsredirect.domain import projects, tables
from docsredirect.domain.errors import Damaged, StoreError, StoreUnavailable, WritesRefused
from docsredirect.domain.tables import TABLE_KEY, Row, Table
from docsredirect.service.concurrency import for_each
from docsredirect.service.publisher import Publisher, row_of
from docsredirect.service.replica import read_shard
from docsredirect.store import Listed, Store

KEPT_TABLES = 100
"""How many kept tables stay, whatever their age."""

KEPT_SECONDS = 24 * 3_600.0
"""How long a kept table, or a shard that no table names, stays at least: a reader may still be fetching it."""

_AT_ONCE = 32

log = structlog.get_logger(__name__)


class Reconciled(NamedTuple):
    """What reconciling came to: rows that were behind their objects, shards that were lost, objects that cannot be read
    or say less than what is published, and leftovers that were removed."""

    published: int
    rebuilt: int
    damaged: int
    removed: int


class Reconciler:
    """Reconciles `store` through `publisher`."""

    def __init__(self, store: Store, publisher: Publisher) -> None:
        self._store = store
        self._publisher = publisher

    async def reconcile(self) -> Reconciled:
        """Publish what is behind, then remove what is left over. Raises `StoreUnavailable`, and `Damaged` for a
        ``table.json`` that cannot be read."""
        stored = await self._store.get(TABLE_KEY)
        if stored is None:
            if not await self._holds_projects():
                return Reconciled(0, 0, 0, 0)
            table = await self._publisher.publish([])
            return Reconciled(table.rows, 0, 0, 0)
        table = tables.decode_table(stored.body)
        rows, lost = await self._published(table)
        behind, damaged = await self._behind(rows)
        outdone: frozenset[str] = frozenset()
        if behind or lost:
            outdone = (await self._publisher.publish_rows(behind, check=lost)).outdone
        for name in outdone:
            log.error("outdone by what is published", project=name)
        removed = await self._remove_leftovers()
        return Reconciled(len(behind) - len(outdone), len(lost), damaged + len(outdone), removed)

    async def _holds_projects(self) -> bool:
        """Tell whether there is anything to publish: a store that nobody has written to yet is left empty."""
        async for _ in self._store.list_objects(projects.PREFIX):
            return True
        return False

    async def _published(self, table: Table) -> tuple[dict[str, Row], list[int]]:
        """Return the rows that are published, and the numbers of the shards that cannot be read."""
        rows: dict[str, Row] = {}
        lost: list[int] = []

        async def read(number: int) -> None:
            try:
                shard = await read_shard(self._store, number, table.shards[number])
            except Damaged as error:
                log.error("damaged shard", shard=number, reason=str(error))
                lost.append(number)
            else:
                rows.update((row.name, row) for row in map(tables.decode_row, shard.lines()))

        await for_each(range(tables.SHARDS), read, _AT_ONCE)
        return rows, lost

    async def _behind(self, rows: dict[str, Row]) -> tuple[list[Row], int]:
        """Return the rows of the objects that differ from what is published, and how many cannot be read. Only objects
        whose ETag is another are read."""
        behind: list[Row] = []
        damaged = 0
        differing: list[str] = []
        async for listed in self._store.list_objects(projects.PREFIX):
            name = projects.name_of(listed.key)
            if name is not None and (name not in rows or rows[name].etag != listed.etag):
                differing.append(name)

        async def read(name: str) -> None:
            nonlocal damaged
            stored = await self._store.get(projects.key_of(name))
            try:
                if stored is not None:
                    behind.append(row_of(projects.decode(stored.body, name), stored.etag))
            except Damaged as error:
                log.error("damaged project", project=name, reason=str(error))
                damaged += 1

        await for_each(differing, read, _AT_ONCE)
        return [row for row in behind if row != rows.get(row.name)], damaged

    async def _remove_leftovers(self) -> int:
        now = await self._store.now()
        shards = [listed async for listed in self._store.list_objects("shards/") if _is_old(listed, now)]
        stored = await self._store.get(TABLE_KEY)
        if stored is None:
            raise StoreUnavailable(f"{TABLE_KEY} is gone.")
        kept = [listed async for listed in self._store.list_objects("tables/") if tables.epoch_of(listed.key)]
        named = await self._named_by([listed.key for listed in kept])
        kept.sort(key=lambda listed: listed.modified, reverse=True)
        leftovers = [listed.key for listed in kept[KEPT_TABLES:] if _is_old(listed, now)]
        if named is not None:
            named |= _shards_named(tables.decode_table(stored.body))
            leftovers += [listed.key for listed in shards if listed.key not in named]
        # What a process that was killed while it tried the store has left behind.
        leftovers += [listed.key async for listed in self._store.list_objects("probes/") if _is_old(listed, now)]
        removed: set[str] = set()

        async def remove(key: str) -> None:
            async for listed in self._store.list_objects(key):
                if listed.key == key and _is_old(listed, now):
                    await self._store.delete(key)
                    removed.add(key)

        await for_each(leftovers, remove, _AT_ONCE)
        await self._mend(removed)
        return len(removed)

    async def _named_by(self, keys: list[str]) -> set[str] | None:
        """Return the shards that kept tables name, or None where one of them cannot be read: what it names is then
        unknown, and no shard may go."""
        named: set[str] = set()
        for key in keys:
            stored = await self._store.get(key)
            try:
                named |= set() if stored is None else _shards_named(tables.decode_table(stored.body))
            except Damaged as error:
                log.error("damaged kept table, no shard is removed", key=key, reason=str(error))
                return None
        return named

    async def _mend(self, removed: set[str]) -> None:
        """Build again what a table that was published meanwhile names among what was removed."""
        stored = await self._store.get(TABLE_KEY)
        if stored is None or not removed:
            return
        shards = tables.decode_table(stored.body).shards
        if gone := [number for number, shard in enumerate(shards) if shard.key in removed]:
            await self._publisher.publish([], check=gone)


async def keep_reconciling(
    store: Store, publisher: Publisher, pauses: Iterable[float], on_end: Callable[[bool, int], None]
) -> None:
    """Try whether the store may be written to, then reconcile now and after each of `pauses`. `on_end` is told of each
    round whether it went well, and how many rows it has published. Never raises for what the store does."""
    await _try_writes(store)
    reconciler = Reconciler(store, publisher)
    for pause in pauses:
        try:
            done = await reconciler.reconcile()
        except StoreError as error:
            log.warning("reconciling failed", reason=str(error))
            on_end(False, 0)
        except Exception:  # a fault of our own must not end all reconciling
            log.exception("reconciling broke off")
            on_end(False, 0)
        else:
            if any(done):
                log.info("reconciled", **done._asdict())
            on_end(True, done.published)
        await asyncio.sleep(pause)


async def _try_writes(store: Store) -> None:
    """Say at start-up, and not at the first write, where the store is not to be written to."""
    try:
        await store.check_writes()
    except WritesRefused as error:
        log.error("the store is not written to", reason=str(error))
    except StoreError as error:
        log.warning("the store could not be tried", reason=str(error))


def _is_old(listed: Listed, now: float) -> bool:
    return now - listed.modified > KEPT_SECONDS


def _shards_named(table: Table) -> set[str]:
    return {shard.key for shard in table.shards if shard.key is not None}
