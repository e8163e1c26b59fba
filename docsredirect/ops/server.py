"""The ops listener: a few routes for GET and HEAD, for monitoring and for people with a shell. Repeats no request.

aiohttp's low-level server is used, as on the edge, because an application answers what is no HTTP with a page that
repeats it, and logs a traceback.
"""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path

import msgspec
import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from docsredirect import __version__
from docsredirect.ops import status
from docsredirect.telemetry import board, files
from docsredirect.telemetry.versions import versions
from docsredirect.wire.connections import HttpServer

METHODS = ("GET", "HEAD")
KEEP_ALIVE_SECONDS = 75.0
SHUTDOWN_SECONDS = 1.0
"""How long a request in flight may still take at the end. A scrape takes a few hundredths."""

_JSON = "application/json"
_PROBLEM = "application/problem+json"

log = structlog.get_logger(__name__)

_Answer = tuple[int, str, bytes]
"""A status, a content type and a body."""


class Ops:
    """Answers from the run folder at `folder`, for a service in `mode` whose store is at `store`."""

    def __init__(self, folder: Path, *, mode: str, store: str, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._mode = mode
        self._store = store
        self._clock = clock
        self._summing = asyncio.Lock()
        self.routes: Mapping[str, Callable[[], Awaitable[_Answer]]] = {
            "/-/metrics": self._metrics,
            "/-/status": self._status,
            "/-/version": self._version,
            "/-/health/live": self._live,
            "/-/health/ready": self._ready,
        }

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request: 404, then 405, then what the route says."""
        route = self.routes.get(request.path)
        if route is None:
            return problem(404, f"There is nothing here. Ask for one of {', '.join(self.routes)}.")
        if request.method not in METHODS:
            response = problem(405, "Only GET and HEAD are answered here.")
            response.headers["Allow"] = ", ".join(METHODS)
            return response
        return _response(*await route())

    async def _metrics(self) -> _Answer:
        async with self._summing:  # whoever asks often gets no more than one thread
            body = await asyncio.to_thread(files.exposition, self._folder)
        return 200, CONTENT_TYPE_PLAIN_0_0_4, body

    async def _status(self) -> _Answer:
        now = self._clock()
        found = status.summary(__version__, self._mode, self._store, board.read(self._folder), now)
        return _json(200, found)

    async def _version(self) -> _Answer:
        return _json(200, versions())

    async def _live(self) -> _Answer:
        return _json(200, {"live": True})

    async def _ready(self) -> _Answer:
        ready = status.is_ready(self._mode, board.read(self._folder), self._clock())
        return _json(200 if ready else 503, {"ready": ready})


def problem(code: int, detail: str) -> web.Response:
    """Return an error (RFC 9457)."""
    title = HTTPStatus(code).phrase
    body = {"type": "about:blank", "title": title, "status": code, "detail": detail}
    return _response(code, _PROBLEM, msgspec.json.encode(body) + b"\n")


def refused(code: int) -> web.Response:
    """Return the answer to what is no request that can be read, or to what failed."""
    return problem(code, "This failed; see the log." if code == 500 else "This is no HTTP request that is read here.")


@asynccontextmanager
async def running(ops: Ops, listener: socket.socket) -> AsyncIterator[None]:
    """Answer on `listener` while the context lasts."""
    server = HttpServer(ops.handle, refuse=refused, keep_alive_seconds=KEEP_ALIVE_SECONDS)
    accepting = await asyncio.get_running_loop().create_server(server, sock=listener)
    try:
        yield
    finally:
        accepting.close()
        await server.drain(SHUTDOWN_SECONDS)


def _json(code: int, value: object) -> _Answer:
    return code, _JSON, msgspec.json.encode(value) + b"\n"


def _response(code: int, content_type: str, body: bytes) -> web.Response:
    headers = {
        "Content-Type": content_type,
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Server": f"docsredirect/{__version__}",
    }
    return web.Response(status=code, body=body, headers=headers)
