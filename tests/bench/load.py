"""Readers: many connections that ask edges for known and unknown names, and check every answer."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import islice

from docsredirect.domain.resolve import resolve
from docsredirect.domain.routes import Route
from tests.bench import prepared
from tests.bench.report import percentile
from tests.support.http import Connection, Response

_KNOWN = 2_000
_UNKNOWN_SHARE = 0.25
_ANSWERED_WITHIN = 30.0
_REQUESTS_PER_CONNECTION = 100
"""After these a reader connects anew, so that an edge that was restarted gets its share again."""


@dataclass
class Tally:
    """What readers saw. An answer is wrong that is neither the right one nor a 5xx; those are counted apart."""

    requests: int = 0
    wrong: list[str] = field(default_factory=list)
    failed_known: int = 0
    """5xx for names in the table."""
    failed_unknown: int = 0
    retried: int = 0
    """Connections that were refused, or broke before an answer; the request then went to the next edge."""
    unanswered: int = 0
    seconds: list[float] = field(default_factory=list)

    @property
    def slowest(self) -> float:
        """The longest that a reader waited, in seconds, with all its retries."""
        return max(self.seconds, default=0.0)

    @property
    def p99(self) -> float:
        """The 99th percentile of the same."""
        return percentile(self.seconds, 99) if self.seconds else 0.0


@asynccontextmanager
async def readers(
    ports: Sequence[int], count: int, tally: Tally, *, connections: int, pause: float
) -> AsyncIterator[None]:
    """Let so many readers ask the edges at `ports` while the context lasts, each pausing for `pause` seconds between
    two requests: for projects of a table of `count`, and in a quarter of them for a name that is not in it."""
    known = [(f"/{record.name}/api/", _location(Route(record))) for record in islice(prepared.records(count), _KNOWN)]
    stop = asyncio.Event()
    tasks = [
        asyncio.create_task(_Reader(ports, known, tally, random.Random(seed), pause).read(stop))
        for seed in range(connections)
    ]
    try:
        yield
    finally:
        stop.set()
        await asyncio.gather(*tasks)


def _location(route: Route) -> str:
    location = resolve(lambda name: route, "/x/api/").location
    assert location is not None
    return location


class _Reader:
    def __init__(
        self, ports: Sequence[int], known: list[tuple[str, str]], tally: Tally, chosen: random.Random, pause: float
    ) -> None:
        self._ports = ports
        self._known = known
        self._tally = tally
        self._chosen = chosen
        self._pause = pause
        self._connection: Connection | None = None
        self._left = 0

    async def read(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            path, location = self._choose()
            begun = time.perf_counter()
            response = await self._ask(path)
            self._tally.seconds.append(time.perf_counter() - begun)
            self._tally.requests += 1
            self._judge(path, location, response)
            await asyncio.sleep(self._pause)
        if self._connection is not None:
            await self._connection.close()

    def _choose(self) -> tuple[str, str | None]:
        """Return what to ask for and where it leads; None for a name that is not in the table."""
        if self._chosen.random() < _UNKNOWN_SHARE:
            return f"/x{self._chosen.getrandbits(64):x}/api/", None
        return self._chosen.choice(self._known)

    def _judge(self, path: str, location: str | None, response: Response | None) -> None:
        if response is None:
            self._tally.unanswered += 1
        elif response.status >= 500:
            if location is None:
                self._tally.failed_unknown += 1
            else:
                self._tally.failed_known += 1
        elif (response.status, response.header("location")) != (404 if location is None else 301, location):
            self._tally.wrong.append(f"{path}: {response.status} {response.header('location')}")

    async def _ask(self, path: str) -> Response | None:
        """Ask until an edge answers, the next one where a connection breaks, as a CDN with two origins does."""
        until = time.perf_counter() + _ANSWERED_WITHIN
        while time.perf_counter() < until:
            try:
                connection = await self._connected()
                connection.send(f"GET {path} HTTP/1.1\r\nHost: pythonhosted.org\r\n\r\n".encode())
                response = await connection.receive()
            except (OSError, TimeoutError):
                response = None
            if response is not None and response.header("connection") != "close":
                return response
            await self._disconnect()
            if response is not None:
                return response
            self._tally.retried += 1
            await asyncio.sleep(0.01)
        return None

    async def _connected(self) -> Connection:
        if self._left == 0:
            await self._disconnect()
        if self._connection is None:
            self._connection = await Connection.open(self._chosen.choice(self._ports))
            self._left = _REQUESTS_PER_CONNECTION
        self._left -= 1
        return self._connection

    async def _disconnect(self) -> None:
        if self._connection is not None:
            await self._connection.close()
        self._connection = None
