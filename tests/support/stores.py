"""Stores for tests of the rules: in memory, counting what is asked, and failing on demand."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

from docsredirect.domain.errors import Conflict, NotModified, StoreUnavailable
from docsredirect.store import Listed, StoredObject


class FakeStore:
    """A store in memory that behaves like a real one and passes the same contract suite.

    `failing` makes every request (or only the `failing_operations`) fail that is for a key beginning with it;
    `gate`, while not set, holds every request back; `requests` counts them by operation and key.
    """

    def __init__(self) -> None:
        self.objects: dict[str, StoredObject] = {}
        self.requests: Counter[tuple[str, str]] = Counter()
        self.failing: str | None = None
        self.failing_operations: tuple[str, ...] = ("get", "create", "replace", "put", "delete", "list")
        self.gate = asyncio.Event()
        self.gate.set()
        self.clock = 1_700_000_000.0
        self._versions = 0
        self._modified: dict[str, float] = {}

    @property
    def url(self) -> str:
        """Where the store is."""
        return "fake:"

    def count(self, operation: str, prefix: str = "") -> int:
        """Return how often `operation` was asked for keys that begin with `prefix`."""
        return sum(n for (done, key), n in self.requests.items() if done == operation and key.startswith(prefix))

    async def get(self, key: str, *, unless: str | None = None) -> StoredObject | None:
        """Return the object, or None where there is none."""
        await self._begin("get", key)
        stored = self.objects.get(key)
        if stored is not None and stored.etag == unless:
            raise NotModified(key)
        return stored

    async def create(self, key: str, body: bytes) -> str:
        """Put a new object."""
        await self._begin("create", key)
        if key in self.objects:
            raise Conflict(key)
        return self._put(key, body)

    async def replace(self, key: str, body: bytes, etag: str) -> str:
        """Replace the object whose ETag is `etag`."""
        await self._begin("replace", key)
        if key not in self.objects or self.objects[key].etag != etag:
            raise Conflict(key)
        return self._put(key, body)

    async def put(self, key: str, body: bytes) -> str:
        """Put an object whatever is there."""
        await self._begin("put", key)
        return self._put(key, body)

    async def delete(self, key: str) -> None:
        """Remove an object, if there is one."""
        await self._begin("delete", key)
        self.objects.pop(key, None)

    async def list_objects(self, prefix: str) -> AsyncIterator[Listed]:
        """Go through the objects whose keys begin with `prefix`."""
        await self._begin("list", prefix)
        for key in sorted(self.objects):
            if key.startswith(prefix):
                yield Listed(key, self.objects[key].etag, self._modified.get(key, 0.0))

    async def now(self) -> float:
        """Return the store's own time."""
        return self.clock

    async def check_writes(self) -> None:
        """Conditions are kept."""

    async def close(self) -> None:
        """Nothing is held open."""

    async def _begin(self, operation: str, key: str) -> None:
        self.requests[operation, key] += 1
        await self.gate.wait()
        await asyncio.sleep(0)
        if self.failing is not None and operation in self.failing_operations and key.startswith(self.failing):
            raise StoreUnavailable(f"{key}: made to fail")

    def _put(self, key: str, body: bytes) -> str:
        self._versions += 1
        self._modified[key] = self.clock
        self.objects[key] = StoredObject(body, f'"{self._versions}"')
        return self.objects[key].etag
