"""A store that counts what is asked of it."""

from collections import Counter
from collections.abc import AsyncIterator

from docsredirect.domain.errors import NotModified
from docsredirect.store import Listed, Store, StoredObject


class CountingStore:
    """`store`, with `requests` by operation and kind of key: the folder, or the key where it is in none."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.requests: Counter[tuple[str, str]] = Counter()
        self.not_modified = 0

    @property
    def url(self) -> str:
        """Where the store is."""
        return self._store.url

    async def get(self, key: str, *, unless: str | None = None) -> StoredObject | None:
        """Get, counted as conditional where it is."""
        self._count("get" if unless is None else "get unless", key)
        try:
            return await self._store.get(key, unless=unless)
        except NotModified:
            self.not_modified += 1
            raise

    async def create(self, key: str, body: bytes) -> str:
        """Create, counted."""
        self._count("create", key)
        return await self._store.create(key, body)

    async def replace(self, key: str, body: bytes, etag: str) -> str:
        """Replace, counted."""
        self._count("replace", key)
        return await self._store.replace(key, body, etag)

    async def put(self, key: str, body: bytes) -> str:
        """Put, counted."""
        self._count("put", key)
        return await self._store.put(key, body)

    async def delete(self, key: str) -> None:
        """Delete, counted."""
        self._count("delete", key)
        await self._store.delete(key)

    async def list_objects(self, prefix: str) -> AsyncIterator[Listed]:
        """List, counted once, however many pages it has."""
        self._count("list", prefix)
        async for listed in self._store.list_objects(prefix):
            yield listed

    async def now(self) -> float:
        """Tell the time, counted."""
        self._count("now", "")
        return await self._store.now()

    async def check_writes(self) -> None:
        """Try the store, not counted: it is done once."""
        await self._store.check_writes()

    async def close(self) -> None:
        """Close the store."""
        await self._store.close()

    def _count(self, operation: str, key: str) -> None:
        self.requests[operation, key.partition("/")[0]] += 1
