"""An edge on a real socket, and a registry to fill its store."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from docsredirect.domain.hosts import HostRules
from docsredirect.domain.projects import Author
from docsredirect.domain.records import Record, parse_record
from docsredirect.domain.settings import load
from docsredirect.edge import server
from docsredirect.service.bulk import ImportOptions
from docsredirect.service.publisher import Publisher
from docsredirect.service.registry import Registry
from docsredirect.store import Store
from tests.support.http import Connection, Response, exchange

DATA = Path(__file__).parent.parent / "data"
HOSTS = HostRules.of()
AUTHOR = Author(by="test")
_NUMBERS = itertools.count(1)


def rows_of(name: str) -> list[Any]:
    """Return the rows of a data file."""
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


def record(project: str = "six", target: str = "https://six.example.org/", path: str = "keep", **fields: Any) -> Record:
    """Return a checked record."""
    return parse_record({"project": project, "target": target, "path": path, **fields}, HOSTS).record


def make_registry(store: Store) -> Registry:
    """Return a registry whose clock stands still and whose epochs and operations only count."""
    publisher = Publisher(store, new_epoch=lambda: f"{next(_NUMBERS):016x}")
    return Registry(store, publisher, clock=lambda: 1_700_000_000.0, new_operation=lambda: f"op-{next(_NUMBERS)}")


async def publish(store: Store, records: Iterable[Record]) -> None:
    """Write records into `store` and publish them."""
    by_name = {each.name: each for each in records}
    await make_registry(store).import_records(by_name, AUTHOR, ImportOptions(force=True))


@asynccontextmanager
async def running_edge(
    store: Store, environ: Mapping[str, str] | None = None, *, wait: bool = True
) -> AsyncIterator[int]:
    """Run an edge over `store` and give its port, with `wait` once a poll has succeeded."""
    variables = {"DOCSREDIRECT_EDGE": "127.0.0.1:0", "DOCSREDIRECT_POLL_SECONDS": "0.05", **(environ or {})}
    settings = load(variables).settings
    listener = server.listen(settings.edge)
    async with server.running(settings, store, listener):
        port = listener.getsockname()[1]
        while wait and b'_poll":null' in (await _ready(port)).body:
            await asyncio.sleep(0.005)
        yield port


async def _ready(port: int) -> Response:
    response = await exchange(port, b"GET /-/health/ready HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert response is not None
    return response


@asynccontextmanager
async def connected(
    store: Store, environ: Mapping[str, str] | None = None, *, wait: bool = True
) -> AsyncIterator[Connection]:
    """Run an edge over `store` and give a connection to it."""
    async with running_edge(store, environ, wait=wait) as port:
        connection = await Connection.open(port)
        try:
            yield connection
        finally:
            await connection.close()
