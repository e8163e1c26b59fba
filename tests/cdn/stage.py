"""What the tests of the CDN play on: real edges over a store in memory, with a real Varnish in front of them."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from docsredirect.domain.records import Record, parse_record
from docsredirect.service.publications import Publications
from docsredirect.service.publisher import Publisher
from docsredirect.service.registry import Registry
from tests.cdn.spellings import Asked
from tests.support.edges import AUTHOR, HOSTS, publish, rows_of, running_edge
from tests.support.http import Connection, Response, exchange
from tests.support.stores import FakeStore
from tests.support.varnish import Varnish, running_varnish

HOST = "pythonhosted.org"


def corpus() -> list[Record]:
    """Return the real redirects of the test data."""
    return [parse_record(raw, HOSTS).record for raw in rows_of("redirects.jsonl")]


async def store_of(records: Iterable[Record]) -> FakeStore:
    """Return a store in which `records` are published."""
    store = FakeStore()
    await publish(store, records)
    return store


class Stage(NamedTuple):
    """An edge, Varnish in front of it, and the store behind it."""

    varnish: Varnish
    edge: int
    store: FakeStore

    async def publish(self, changed: Record) -> None:
        """Publish a record that answers for its root by its path, and wait until the edge has it."""
        await publish(self.store, [changed])
        gone = changed.state == "gone"
        await self._until(changed.name, (410, None) if gone else (changed.status, changed.target))

    async def remove(self, name: str) -> None:
        """Remove a project's redirect, and wait until the edge has forgotten it."""
        publisher = Publisher(self.store, new_epoch=lambda: "unused")
        publications = Publications(publisher, pause=lambda attempt: 0.01)
        publishing = asyncio.create_task(publications.run())
        registry = Registry(
            self.store, publisher, publications, clock=time.time, new_operation=lambda: f"remove {name}"
        )
        await registry.delete(name, AUTHOR)
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)
        await self._until(name, (404, None))

    async def _until(self, name: str, answer: tuple[int, str | None]) -> None:
        async with asyncio.timeout(5):
            while where(await ask(self.edge, f"/{name}/")) != answer:
                await asyncio.sleep(0.01)


@asynccontextmanager
async def on_stage(
    records: Iterable[Record], settings: Mapping[str, str] | None = None, **options: Any
) -> AsyncIterator[Stage]:
    """Run an edge that has published `records`, with Varnish in front; `options` are those of `running_varnish`."""
    store = await store_of(records)
    async with running_edge(store, settings) as edge, running_varnish([edge], **options) as varnish:
        yield Stage(varnish, edge, store)


async def ask(port: int, target: str, *, host: str = HOST, method: str = "GET", headers: str = "") -> Response:
    """Ask for `target` over a new connection. `headers` are whole lines."""
    head = f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n"
    response = await exchange(port, head.encode("latin-1"))
    assert response is not None, f"{target}: no answer"
    return response


class Reader:
    """Asks over one connection, and over another where the server has closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection: Connection | None = None

    async def get(self, asked: Asked) -> Response:
        """Ask as a client does."""
        for _ in range(2):
            if self._connection is None:
                self._connection = await Connection.open(self._port)
            self._connection.send(f"GET {asked.target} HTTP/1.1\r\nHost: {asked.host}\r\n\r\n".encode("latin-1"))
            response = await self._connection.receive()
            if response is not None:
                return response
            await self.close()
        raise AssertionError(f"{asked}: no answer")

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None


def where(response: Response) -> tuple[int, str | None]:
    """Return what an answer is about: its status and its Location."""
    return response.status, response.header("location")
