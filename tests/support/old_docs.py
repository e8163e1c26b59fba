"""A small web server whose pages are data, that notes what it is asked and fails on demand: the server of old pages,
or an edge that answers just what a test wants."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Literal, NamedTuple

from aiohttp import web

READY = "/-/health/ready"
"""What Varnish asks an edge every moment. It is answered, and not noted."""


class Page(NamedTuple):
    """What is answered at a raw path and query."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = {}


class Asked(NamedTuple):
    """A request as it came: the target of its request line, and its headers in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class Pages:
    """Answers at `port` what `pages` says for the raw target of a request; for any other target `missing`.

    `failing`: "503" answers that instead, "hang" never answers, "reset" closes. `delay`, in seconds, comes before
    each answer. `well` is what a probe of an edge's health finds. `asked` has every request but those.
    """

    def __init__(self, pages: Mapping[str, Page] | None = None, missing: Page | None = None) -> None:
        self.pages = dict(pages or {})
        self.missing = missing or Page(b"nothing here\n", 404)
        self.failing: Literal["503", "hang", "reset"] | None = None
        self.delay = 0.0
        self.well = True
        self.asked: list[Asked] = []
        self.port = 0
        self._ended = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Pages"]:
        """Serve while the context lasts."""
        listener = socket.create_server(("127.0.0.1", self.port))
        self.port = listener.getsockname()[1]
        server = web.Server(self._answer, access_log=None)
        accepting = await asyncio.get_running_loop().create_server(server, sock=listener)
        self._ended.clear()
        try:
            yield self
        finally:
            accepting.close()
            self._ended.set()
            await server.shutdown(1.0)

    def targets(self) -> list[str]:
        """Return what was asked for, in order."""
        return [asked.target for asked in self.asked]

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        if request.raw_path == READY:
            return web.Response(status=200 if self.well else 503)
        headers = {key.lower(): value for key, value in request.headers.items()}
        self.asked.append(Asked(request.method, request.raw_path, headers, await request.read()))
        await asyncio.sleep(self.delay)
        if self.failing == "hang":
            await self._ended.wait()
        if self.failing in ("reset", "hang") and request.transport is not None:
            request.transport.abort()
        page = Page(b"failing\n", 503) if self.failing else self.pages.get(request.raw_path, self.missing)
        return web.Response(status=page.status, body=page.body, headers=dict(page.headers))
