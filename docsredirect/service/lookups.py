"""Lookups: from a name to its route, as fast as memory and as sure as the table. Decides nothing about paths.

With the name's shard held, the answer is in memory and synchronous, and an unknown name costs no store request.
Without it, names are read through one by one: single-flight, bounded, negative answers kept, stale ones served when
the store fails (RFC 8767).
"""

import asyncio
from collections.abc import Collection, Container
from typing import NamedTuple

import structlog
from cachetools import LRUCache

from docsredirect.domain import projects
from docsredirect.domain.clock import Clock
from docsredirect.domain.errors import Damaged, StoreError, Unknown
from docsredirect.domain.records import Record
from docsredirect.domain.resolve import DENIED, UNKNOWN, Lookup
from docsredirect.domain.routes import Route
from docsredirect.service.replica import Replica
from docsredirect.store import Store

HOT_BYTES = 64 * 1024 * 1024
"""What the compiled hot entries may take, in bytes as `_cost` counts them."""

READ_THROUGH_BYTES = 16 * 1024 * 1024
"""What names that were read through may take, in bytes as `_cost` counts them: about 8,000 plain ones."""

FLIGHTS = 64
"""Store reads under way at once. A scan of random names cannot make more."""

WAITING = 1_000
"""Names that may wait for a read. More are told at once that it cannot be known now."""

FRESH_SECONDS = 5.0
"""How long an answer that was read through stands, found or not."""

FAILED_SECONDS = 1.0
"""How long a name that could not be read is not asked for again while nothing stale stands in."""

RETRY_SECONDS = 30.0
"""How long a failed refresh is not tried again while a stale answer stands in (RFC 8767, section 5)."""

KEEP_SECONDS = 7 * 86_400.0
"""How long a stale answer may stand in for a store that fails."""

log = structlog.get_logger(__name__)


class _Entry(NamedTuple):
    route: Route | Lookup | None
    cost: int
    fresh_until: float
    keep_until: float


class Lookups:
    """The routes of all projects, from the table of `replica` or, for what that does not hold, from `store`.

    `clock` counts seconds from any fixed start. What a publication changes is dropped as `replica` takes it.
    A name that is in `denied` is denied, whatever is known of it.
    """

    def __init__(
        self,
        replica: Replica,
        store: Store,
        *,
        clock: Clock,
        denied: Container[str] = frozenset(),
        hot_bytes: int = HOT_BYTES,
    ) -> None:
        self._replica = replica
        self._store = store
        self._clock = clock
        self._denied = denied
        self._hot: LRUCache[str, tuple[Route, int]] = LRUCache(hot_bytes, getsizeof=lambda entry: entry[1])
        self._read: LRUCache[str, _Entry] = LRUCache(READ_THROUGH_BYTES, getsizeof=lambda entry: entry.cost)
        self._flights: dict[str, asyncio.Task[Route | None]] = {}
        self._at_once = asyncio.Semaphore(FLIGHTS)
        self.hits = self.misses = 0
        """How many names were found among the hot entries, and how many were not."""
        self.read = self.unread = 0
        """How many names were read from the store, and how many could not be."""
        replica.on_change.append(self._forget)

    def find(self, name: str) -> Route | Lookup | None:
        """Return the route of a normalised name, None where it is known to have none, `UNKNOWN` or `DENIED`."""
        if name in self._denied:
            return DENIED
        hot = self._hot.get(name)
        if hot is not None:
            self.hits += 1
            return hot[0]
        self.misses += 1
        row = self._replica.row(name)
        if isinstance(row, Lookup):
            entry = self._read.get(name)
            return entry.route if entry is not None and self._clock() < entry.fresh_until else UNKNOWN
        return None if row is None or row.record is None else self._compile(name, row.record)

    async def read_through(self, name: str) -> Route | None:
        """Return the route of a name that `find` does not know, from the store: one request for all who wait.

        Raises `Unknown` where the store fails, or too many other names are being read, and nothing stale stands in.
        """
        flight = self._flights.get(name)
        if flight is not None:
            return await asyncio.shield(flight)
        entry = self._read.get(name)
        failed = entry is not None and entry.route is UNKNOWN and self._clock() < entry.fresh_until
        if failed or len(self._flights) >= WAITING:
            return self._stale(entry)
        flight = asyncio.create_task(self._fetch(name), name=f"read {name}")
        self._flights[name] = flight
        flight.add_done_callback(lambda _: self._flights.pop(name, None))
        return await asyncio.shield(flight)

    async def close(self) -> None:
        """Stop what is still being read."""
        flights = list(self._flights.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    def _compile(self, name: str, record: Record) -> Route:
        route, cost = Route(record), _cost(record)
        if cost <= self._hot.maxsize:
            self._hot[name] = (route, cost)
        return route

    def _forget(self, names: Collection[str]) -> None:
        for name in names:
            self._hot.pop(name, None)
            self._read.pop(name, None)

    async def _fetch(self, name: str) -> Route | None:
        try:
            async with self._at_once:
                stored = await self._store.get(projects.key_of(name))
            project = None if stored is None else projects.decode(stored.body, name)
        except StoreError as error:
            self.unread += 1
            entry, now = self._read.get(name), self._clock()
            if entry is None or entry.route is UNKNOWN:
                entry = _Entry(UNKNOWN, _cost(None), now + FAILED_SECONDS, now)
            else:
                entry = entry._replace(fresh_until=now + RETRY_SECONDS)
            self._remember(name, entry)
            report = log.error if isinstance(error, Damaged) else log.warning
            report("read-through failed", project=name, reason=str(error))
            return self._stale(entry)
        self.read += 1
        record = None if project is None else project.record
        route, now = None if record is None else Route(record), self._clock()
        self._remember(name, _Entry(route, _cost(record), now + FRESH_SECONDS, now + KEEP_SECONDS))
        return route

    def _remember(self, name: str, entry: _Entry) -> None:
        if entry.cost <= self._read.maxsize:
            self._read[name] = entry

    def _stale(self, entry: _Entry | None) -> Route | None:
        """Return what stands in for an answer that cannot be had. Raises `Unknown` where nothing does."""
        if entry is None or isinstance(entry.route, Lookup) or self._clock() >= entry.keep_until:
            raise Unknown("The store cannot be asked now.")
        return entry.route


def _cost(record: Record | None) -> int:
    """Return about how many bytes a compiled route and its cache entry take: a rule, and each folder on its way."""
    if record is None:
        return 500
    folders = sum(source.count("/") for source in record.rules)
    return 2_000 + 900 * len(record.rules) + 400 * folders
