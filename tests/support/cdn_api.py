"""A CDN's API, and edges' ops listeners, as real servers on loopback. They keep what they are asked."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from urllib.parse import unquote

from aiohttp import web


class Asked(NamedTuple):
    """A request that the API got."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any

    @property
    def keys(self) -> list[str]:
        """The surrogate keys that it purges, however they are said."""
        if isinstance(self.body, dict):
            return list(self.body.get("surrogate_keys") or self.body.get("tags") or [])
        for header in ("xkey-softpurge", "xkey-purge"):
            if header in self.headers:
                return self.headers[header].split(" ")
        return [unquote(self.path.rpartition("/purge/")[2])]


class CdnApi:
    """The API of any of the CDNs. `status` (0 breaks off) and `body` say how it answers from now on, and `heals_after`
    how many requests later it is well again."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[Asked] = []
        self.status = 200
        self.body = b'{"success": true, "status": "ok"}'
        self.heals_after: int | None = None

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Keep a request, and answer."""
        text = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.asked.append(Asked(request.method, request.raw_path, headers, json.loads(text) if text else None))
        healed = self.heals_after is not None and len(self.asked) > self.heals_after
        if self.status == 0 and not healed and request.transport is not None:
            request.transport.abort()
        return web.Response(status=200 if healed else self.status or 200, body=self.body)

    def purged(self) -> list[list[str]]:
        """Return the keys of each purge so far, but of those that only try it."""
        return [keys for keys in (asked.keys for asked in self.asked) if keys != ["docsredirect/probe"]]

    async def until(self, purges: int, seconds: float = 10.0) -> list[list[str]]:
        """Wait for so many purges, and return them."""
        async with asyncio.timeout(seconds):
            while len(self.purged()) < purges:
                await asyncio.sleep(0.005)
        return self.purged()


class OpsListener:
    """What an edge says of itself: nothing that can be read until `holds` is set to an epoch and a sequence."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.holds: tuple[str, int] | None = None

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer the status."""
        if self.holds is None:
            return web.Response(status=503)
        epoch, sequence = self.holds
        status = {"version": "0", "epoch": epoch, "sequence": sequence, "rows": 1, "table_age_seconds": 0.1}
        return web.json_response({**status, "stale": False, "processes": []})


@asynccontextmanager
async def cdn_api() -> AsyncIterator[CdnApi]:
    """Run a CDN's API."""
    api = CdnApi("")
    async with _serving(api.handle) as api.url:
        yield api


@asynccontextmanager
async def ops_listener() -> AsyncIterator[OpsListener]:
    """Run an edge's ops listener."""
    ops = OpsListener("")
    async with _serving(ops.handle) as ops.url:
        yield ops


@asynccontextmanager
async def _serving(handle: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    server = web.Server(handle, handler_cancellation=True)
    listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()
        await server.shutdown(0.1)
