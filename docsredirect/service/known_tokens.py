"""Tokens as they are read from the store, each kept for a moment. Decides nothing about who is let in.

A read is shared by all who wait for it, and only so many are under way: a scan of made-up ids cannot fill the store's
connections. What was forgotten while it was being read is not kept.
"""

import asyncio
from typing import NamedTuple

from cachetools import TLRUCache

from docsredirect.domain import tokens
from docsredirect.domain.clock import Clock
from docsredirect.domain.errors import StoreUnavailable
from docsredirect.domain.tokens import StoredToken
from docsredirect.store import Store

KEEP_SECONDS = 3.0
"""How long a token, or its absence, is believed from when its read began. A token that was revoked in another process
is refused within 5 seconds."""

ENTRIES = 10_000
"""Tokens and absent ids that are kept: about 10 MB."""

READS = 16
"""Store reads under way at once."""

WAITING = 1_000
"""Ids that may wait for a read. More are told at once that the store cannot be asked."""

READ_SECONDS = 2.8
"""How long a read may take with its waiting, so that whoever asks knows within 3 seconds that it failed."""


class Known(NamedTuple):
    """A token and the ETag of that state of it."""

    token: StoredToken
    etag: str


class _Entry(NamedTuple):
    known: Known | None
    read_at: float


class KnownTokens:
    """The tokens of `store`. `monotonic` counts seconds from any fixed start."""

    def __init__(self, store: Store, *, monotonic: Clock) -> None:
        self._store = store
        self._monotonic = monotonic
        self._entries: TLRUCache[str, _Entry, float] = TLRUCache(
            ENTRIES, lambda _id, entry, _now: entry.read_at + KEEP_SECONDS, monotonic
        )
        self._flights: dict[str, asyncio.Task[_Entry]] = {}
        self._tasks: set[asyncio.Task[_Entry]] = set()
        self._at_once = asyncio.Semaphore(READS)

    async def find(self, id_: str) -> Known | None:
        """Return the token as it was within the last `KEEP_SECONDS`, or None where there was none.

        Raises `StoreUnavailable` where the store fails, or too many ids wait for it, and `Damaged`.
        """
        entry = self._entries.get(id_)
        if entry is not None:
            return entry.known
        flight = self._flights.get(id_)
        if flight is None:
            if len(self._tasks) >= WAITING:
                raise StoreUnavailable("Too many tokens are being looked up. Try again in some seconds.")
            flight = self._flights[id_] = asyncio.create_task(self._read(id_), name=f"read token {id_}")
            self._tasks.add(flight)
            flight.add_done_callback(lambda done: self._land(id_, done))
        return (await asyncio.shield(flight)).known

    async def read(self, id_: str) -> Known | None:
        """Return the token as it is now, or None where there is none. Raises as `find` does."""
        return (await self._read(id_)).known

    def forget(self, id_: str) -> None:
        """Believe nothing of a token any more, also nothing that is being read: somebody has written it."""
        self._entries.pop(id_, None)
        self._flights.pop(id_, None)

    async def close(self) -> None:
        """Stop what is still being read."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _read(self, id_: str) -> _Entry:
        try:
            async with asyncio.timeout(READ_SECONDS), self._at_once:
                read_at = self._monotonic()
                stored = await self._store.get(tokens.key_of(id_))
        except TimeoutError as error:
            message = f"{tokens.key_of(id_)} could not be read within {READ_SECONDS:g} seconds."
            raise StoreUnavailable(message) from error
        known = None if stored is None else Known(tokens.decode(stored.body, id_), stored.etag)
        return _Entry(known, read_at)

    def _land(self, id_: str, flight: asyncio.Task[_Entry]) -> None:
        self._tasks.discard(flight)
        read = not flight.cancelled() and flight.exception() is None
        if self._flights.get(id_) is flight:
            del self._flights[id_]
            if read:
                self._entries[id_] = flight.result()
