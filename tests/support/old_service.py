"""A stand-in for the service that ran before, written from how it behaves; with its CDN's front, if that is wanted.

It reads a ``redirects.txt`` again and again, looks names up by their exact spelling, decoded, and answers
302 without cache headers to ``base_uri`` or ``base_uri`` + ``/`` + the decoded rest. It drops queries, refuses HEAD,
and sends ``/name`` on to ``/name/`` first.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from aiohttp import web
from yarl import URL

POLL_SECONDS = 600.0

_DAY = "public, max-age=86400"
_PACKAGES = "packages.python.org"
_WWW = "www.pythonhosted.org"
_PLAIN = "pythonhosted.org"

# How the three extra hops of the oldest host come about is not recorded; these are three.
_MOVED = {("http", _PACKAGES): ("http", _WWW), ("https", _PACKAGES): ("http", _WWW), ("http", _WWW): ("http", _PLAIN)}


class OldService:
    """Answers from the file `table`. `front` puts the CDN before it, with the old pages in the folder `old_docs`."""

    def __init__(
        self, table: Path, *, poll_seconds: float = POLL_SECONDS, front: bool = False, old_docs: Path | None = None
    ) -> None:
        self.requests = 0
        self._table = table
        self._poll_seconds = poll_seconds
        self._front = front
        self._old_docs = old_docs
        self._rows: dict[str, dict[str, Any]] | None = None

    def read(self) -> None:
        """Take the file as it is now. One bad line, or none to read, leaves everything as it was."""
        try:
            rows = map(json.loads, self._table.read_text(encoding="utf-8").splitlines())
            self._rows = {row["project_name"]: {k: row[k] for k in ("include_path", "base_uri")} for row in rows}
        except (OSError, ValueError, KeyError, TypeError):
            pass

    async def poll(self) -> None:
        """Read the file for ever."""
        while True:
            self.read()
            await asyncio.sleep(self._poll_seconds)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request, through the front where there is one."""
        self.requests += 1
        path = request.raw_path.partition("?")[0].partition("#")[0]
        if not self._front:
            return self._answer(request.method, path)
        scheme = request.headers.get("X-Forwarded-Proto", request.scheme)
        host = request.host.partition(":")[0].lower()
        moved = _MOVED.get((scheme, host))
        if moved is not None:
            return _redirect(301, f"{moved[0]}://{moved[1]}{path}")
        if scheme == "http":
            return _redirect(301, f"https://{host}{path}")
        return self._behind_front(self._answer(request.method, path), unquote(path))

    def _answer(self, method: str, raw_path: str) -> web.Response:
        """Return what the service itself answers for a raw path: it takes the path apart first, and decodes then."""
        if method != "GET":
            return web.Response(status=405, text="405: Method Not Allowed", headers={"Allow": "GET"})
        name, slash, rest = raw_path[1:].partition("/")
        if not slash and name:
            return _redirect(302, f"/{unquote(name)}/")
        row = (self._rows or {}).get(unquote(name))
        if row is None:
            return web.Response(status=404, text="404: Not Found")
        return _redirect(302, f"{row['base_uri']}/{unquote(rest)}" if row["include_path"] else row["base_uri"])

    def _behind_front(self, response: web.Response, path: str) -> web.Response:
        """Return what the CDN gives out: old pages where the service knows nothing, and its 404 for a day."""
        if response.status != 404:
            return response
        page = self._old_page(path)
        if page is not None:
            return web.Response(body=page, content_type="text/html")
        return web.Response(status=404, text="404: Not Found", headers={"Cache-Control": _DAY})

    def _old_page(self, path: str) -> bytes | None:
        if self._old_docs is None:
            return None
        file = (self._old_docs / path.lstrip("/")).resolve()
        if path.endswith("/"):
            file = file / "index.html"
        return file.read_bytes() if file.is_relative_to(self._old_docs.resolve()) and file.is_file() else None


@asynccontextmanager
async def running_old_service(service: OldService, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Run the stand-in and give its port. Its front learns what the reader speaks from X-Forwarded-Proto, else from
    whether there is TLS."""
    service.read()
    polling = asyncio.create_task(service.poll())
    server = web.Server(service.handle, access_log=None)
    listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0, ssl=tls)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
        polling.cancel()
        await server.shutdown(1.0)
        await asyncio.gather(polling, return_exceptions=True)


def _redirect(status: int, location: str) -> web.Response:
    """Return a redirect without cache headers. Its place is written as the web framework does: quoted anew."""
    return web.Response(status=status, text=f"{status}: Found", headers={"Location": str(URL(location))})
