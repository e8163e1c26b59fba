"""How far the CDN was purged: read, moved on, and turned into what is still to be purged. Purges nothing itself."""

import structlog

from docsredirect.domain import purges, tables
from docsredirect.domain.errors import Conflict, Damaged
from docsredirect.domain.purges import MARK_KEY, Mark
from docsredirect.domain.tables import SHARDS, Shard, Table
from docsredirect.service.concurrency import for_each
from docsredirect.service.replica import read_shard
from docsredirect.store import Store

_AT_ONCE = 16
_ATTEMPTS = 10
"""Lost races before giving up: the next mark that is written says more anyway."""

log = structlog.get_logger(__name__)


class PurgeMarks:
    """The mark in `store`. Every method raises `StoreUnavailable`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def read(self) -> Mark | None:
        """Return the mark, or None where there is none that can be read."""
        stored = await self._store.get(MARK_KEY)
        return None if stored is None else _decode(stored.body)

    async def advance(self, table: Table) -> None:
        """Say that every change up to `table` has been purged, unless more is said already. Of another epoch nobody
        knows which is the later one here: a mark that goes back only has some changes purged once more."""
        body = purges.encode(purges.mark_of(table))
        for _ in range(_ATTEMPTS):
            stored = await self._store.get(MARK_KEY)
            try:
                if stored is None:
                    await self._store.create(MARK_KEY, body)
                    return
                mark = _decode(stored.body)
                if mark is not None and mark.covers(table):
                    return
                await self._store.replace(MARK_KEY, body, stored.etag)
            except Conflict:
                continue
            return

    async def unpurged(self, table: Table, shards: list[Shard | None]) -> frozenset[str]:
        """Return the names that were changed between the mark and `table`, whose `shards` are given.

        Where there is no mark, none: nothing was purged before, so nothing is kept for longer than without purging.
        Where the marked table is no longer kept, it was published longer ago than any CDN keeps an answer fresh, and
        the oldest one that is kept stands in for it.
        """
        mark = await self.read()
        if mark is None:
            await self.advance(table)
            return frozenset()
        if mark.covers(table):
            return frozenset()
        before = await self._kept(mark.kept_key) or await self._oldest_kept()
        found: set[str] = set()

        async def compare(number: int) -> None:
            present = shards[number]
            if present is not None and (before is None or present.ref != before.shards[number]):
                found.update(await self._changed(number, before, present))

        await for_each(range(SHARDS), compare, _AT_ONCE)
        return frozenset(found)

    async def _changed(self, number: int, before: Table | None, present: Shard) -> list[str]:
        empty = tables.decode_shard(number, tables.EMPTY_SHARD, b"")
        try:
            old = empty if before is None else await read_shard(self._store, number, before.shards[number])
        except Damaged as error:
            log.warning("all of a shard is purged", shard=number, reason=str(error))
            old = empty
        return tables.changed_records(old, present)

    async def _kept(self, key: str) -> Table | None:
        stored = await self._store.get(key)
        try:
            return None if stored is None else tables.decode_table(stored.body)
        except Damaged:
            return None

    async def _oldest_kept(self) -> Table | None:
        kept = [listed async for listed in self._store.list_objects("tables/") if tables.epoch_of(listed.key)]
        return await self._kept(min(kept, key=lambda listed: listed.modified).key) if kept else None


def _decode(body: bytes) -> Mark | None:
    try:
        return purges.decode(body)
    except Damaged as error:
        log.error("the mark of purges is damaged, and begun anew", reason=str(error))
        return None
