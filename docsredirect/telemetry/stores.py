"""A store that counts and times what is asked of another. Changes nothing about it."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from docsredirect.domain.errors import Conflict, NotModified, StoreError, WritesRefused
from docsredirect.store import Listed, Store, StoredObject
from docsredirect.telemetry.labels import OTHER
from docsredirect.telemetry.metrics import Metrics

_T = TypeVar("_T")
_OUTCOMES: tuple[tuple[type[BaseException], str], ...] = (
    (NotModified, "unmodified"),
    (Conflict, "conflict"),
    (WritesRefused, "refused"),
    (StoreError, "unavailable"),
    (GeneratorExit, "ok"),  # who went through a listing has seen enough
    (Exception, OTHER),
    (BaseException, "cancelled"),
)
"""What each exception counts as: the first that fits."""


class MeteredStore:
    """`store`, with what is asked of it counted in `metrics`."""

    def __init__(self, store: Store, metrics: Metrics, clock: Callable[[], float] = time.perf_counter) -> None:
        self._store = store
        self._metrics = metrics
        self._clock = clock
        self._kept: bool | None = None

    @property
    def url(self) -> str:
        """Where the store is."""
        return self._store.url

    async def get(self, key: str, *, unless: str | None = None) -> StoredObject | None:
        """Return the object, or None where there is none."""
        with self._timed("get") as outcome:
            stored = await self._store.get(key, unless=unless)
            outcome["is"] = "absent" if stored is None else "ok"
        return stored

    async def create(self, key: str, body: bytes) -> str:
        """Put a new object and return its ETag."""
        return await self._write("create", self._store.create(key, body))

    async def replace(self, key: str, body: bytes, etag: str) -> str:
        """Replace the object whose ETag is `etag` and return the new one."""
        return await self._write("replace", self._store.replace(key, body, etag))

    async def put(self, key: str, body: bytes) -> str:
        """Put an object whatever is there, and return its ETag."""
        return await self._write("put", self._store.put(key, body))

    async def delete(self, key: str) -> None:
        """Remove an object, if there is one."""
        await self._write("delete", self._store.delete(key))

    async def list_objects(self, prefix: str) -> AsyncIterator[Listed]:
        """Go through the objects whose keys begin with `prefix`. The time that the reader takes counts too."""
        with self._timed("list"):
            async for listed in self._store.list_objects(prefix):
                yield listed

    async def now(self) -> float:
        """Return the time by the store's own clock."""
        with self._timed("now"):
            return await self._store.now()

    async def check_writes(self) -> None:
        """Find out whether the store keeps the conditions of writes, where it is of a kind that may not. Raises
        `WritesRefused` where it does not, and `StoreUnavailable` where it cannot be known now."""
        await self._write("probe", self._store.check_writes())

    async def close(self) -> None:
        """Let go of connections and files."""
        await self._store.close()

    async def _write(self, operation: str, asked: Awaitable[_T]) -> _T:
        try:
            with self._timed(operation):
                answer = await asked
        except WritesRefused:
            self._probed(kept=False)
            raise
        except Conflict:
            self._probed(kept=True)
            raise
        self._probed(kept=True)
        return answer

    def _probed(self, *, kept: bool) -> None:
        """Tell of what a write has shown: a store that may not keep conditions is probed before the first one."""
        if kept != self._kept:
            self._kept = kept
            self._metrics.store_probed(kept=kept)

    @contextmanager
    def _timed(self, operation: str) -> Iterator[dict[str, str]]:
        outcome, begin = {"is": "ok"}, self._clock()
        try:
            yield outcome
        except BaseException as error:
            outcome["is"] = next(name for kind, name in _OUTCOMES if isinstance(error, kind))
            raise
        finally:
            self._metrics.store_request(operation, outcome["is"], self._clock() - begin)
