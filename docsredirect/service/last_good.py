"""The last good table on local disk: what an edge starts with, whatever the store does. Never raises for the disk.

One process writes (the keeper), all may read. Shards first, named by content; then the table that names them; then
what it no longer names is removed. A folder that cannot be read or written is a warning: the edge serves without it.
"""

import asyncio
import hashlib
from collections.abc import Iterable, Set

import structlog

from docsredirect.domain import tables
from docsredirect.domain.errors import Damaged, StoreError
from docsredirect.domain.tables import SHARDS, TABLE_KEY, Shard, ShardRef, Table
from docsredirect.store import Store


def folder_name(url: str, endpoint: str) -> str:
    """Return the name of the folder for the store at `url` behind `endpoint`: each keeps its own table."""
    return hashlib.sha256(f"{endpoint} {url}".encode()).hexdigest()[:16]


UNUSED_SECONDS = 600.0
"""How long a shard that the table does not name stays on disk."""

log = structlog.get_logger(__name__)


class LastGood:
    """The table that is kept in the store `local`, a folder on this machine. Only a `keeper` writes.

    What is there is remembered, not listed: a listing reads every file, and a change must cost what it changes.
    """

    def __init__(self, local: Store, *, keeper: bool) -> None:
        self._local = local
        self.keeper = keeper
        self._reported: str | None = None
        self._kept: set[str] = set()
        self._unused: dict[str, float] = {}
        """Shards that the kept table does not name, and when, by the loop's clock, that was first seen."""

    async def load(self) -> tuple[Table, list[Shard | None]] | None:
        """Return the table that was kept and those of its shards that can be read, or None where there is none."""
        try:
            if self.keeper:
                self._note_unused([listed.key async for listed in self._local.list_objects("shards/")])
            stored = await self._local.get(TABLE_KEY)
            if stored is None:
                return None
            table = tables.decode_table(stored.body)
        except StoreError as error:
            self._report(error)
            return None
        shards = await asyncio.gather(*(self._load_shard(number, table) for number in range(SHARDS)))
        self._kept = {shard.ref.key for shard in shards if shard is not None and shard.ref.key is not None}
        return table, list(shards)

    async def keep_shard(self, key: str, body: bytes) -> None:
        """Keep a verified shard."""
        if self.keeper:
            try:
                await self._local.put(key, body)
                self._kept.add(key)
            except StoreError as error:
                self._report(error)

    def missing(self, table: Table) -> list[ShardRef]:
        """Return the shards of `table` that a keeper has not kept."""
        if not self.keeper:
            return []
        return [shard for shard in table.shards if shard.key is not None and shard.key not in self._kept]

    async def keep_table(self, table: Table, body: bytes) -> None:
        """Keep a table once all of its shards are kept, and remove what has not been named for a while."""
        if not self.keeper or self.missing(table):
            return  # without all of its shards, the table before is a better one to start with
        named = {shard.key for shard in table.shards}
        try:
            await self._local.put(TABLE_KEY, body)
            self._note_unused(key for key in self._kept if key not in named)
            self._kept &= named
            await self._remove_unused(named)
        except StoreError as error:
            self._report(error)

    def _note_unused(self, keys: Iterable[str]) -> None:
        now = asyncio.get_running_loop().time()
        for key in keys:
            self._unused.setdefault(key, now)

    async def _remove_unused(self, named: Set[str | None]) -> None:
        # Not at once: another keeper, which this one replaces or is replaced by, may be about to name it.
        now = asyncio.get_running_loop().time()
        for key, since in list(self._unused.items()):
            if key in named:
                del self._unused[key]
            elif now - since > UNUSED_SECONDS:
                await self._local.delete(key)
                del self._unused[key]

    async def close(self) -> None:
        """Let go of the folder."""
        await self._local.close()

    async def _load_shard(self, number: int, table: Table) -> Shard | None:
        ref = table.shards[number]
        try:
            stored = None if ref.key is None else await self._local.get(ref.key)
            if ref.key is not None and stored is None:
                return None
            return await asyncio.to_thread(tables.decode_shard, number, ref, b"" if stored is None else stored.body)
        except StoreError as error:
            self._report(error)
            return None

    def _report(self, error: StoreError) -> None:
        level = log.error if isinstance(error, Damaged) else log.warning
        # A folder that cannot be used fails in many words; damage is told piece by piece.
        what = str(error) if isinstance(error, Damaged) else error.code
        if what != self._reported:
            level("state folder cannot be used", reason=str(error))
        self._reported = what
