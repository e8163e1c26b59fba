"""The last good table on local disk: what an edge starts with, whatever the store does. Never raises for the disk.

One process writes (the keeper), all may read. Shards first, named by content; then the table that names them; then
what it no longer names is removed. A folder that cannot be read or written is a warning: the edge serves without it.
"""

import asyncio
import hashlib

import structlog

from docsredirect.domain import tables
from docsredirect.domain.errors import Damaged, StoreError
from docsredirect.domain.tables import SHARDS, TABLE_KEY, Shard, Table
from docsredirect.store import Store


def folder_name(url: str, endpoint: str) -> str:
    """Return the name of the folder for the store at `url` behind `endpoint`: each keeps its own table."""
    return hashlib.sha256(f"{endpoint} {url}".encode()).hexdigest()[:16]


log = structlog.get_logger(__name__)


class LastGood:
    """The table that is kept in the store `local`, a folder on this machine. Only a `keeper` writes."""

    def __init__(self, local: Store, *, keeper: bool) -> None:
        self._local = local
        self._keeper = keeper
        self._reported: str | None = None

    async def load(self) -> tuple[Table, list[Shard | None]] | None:
        """Return the table that was kept and those of its shards that can be read, or None where there is none."""
        try:
            stored = await self._local.get(TABLE_KEY)
            if stored is None:
                return None
            table = tables.decode_table(stored.body)
        except StoreError as error:
            self._report(error)
            return None
        shards = await asyncio.gather(*(self._load_shard(number, table) for number in range(SHARDS)))
        return table, list(shards)

    async def keep_shard(self, key: str, body: bytes) -> None:
        """Keep a verified shard."""
        if self._keeper:
            try:
                await self._local.put(key, body)
            except StoreError as error:
                self._report(error)

    async def keep_table(self, table: Table, body: bytes) -> None:
        """Keep a table whose shards are kept, and remove the shards that it does not name."""
        if not self._keeper:
            return
        named = {shard.key for shard in table.shards}
        try:
            await self._local.put(TABLE_KEY, body)
            async for listed in self._local.list_objects("shards/"):
                if listed.key not in named:
                    await self._local.delete(listed.key)
        except StoreError as error:
            self._report(error)

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
        if str(error) != self._reported:
            level("state folder cannot be used", reason=str(error))
        self._reported = str(error)
