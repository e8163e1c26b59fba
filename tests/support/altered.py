"""A server whose answers are altered on the way: a real one behind it, and one planted fault."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from tests.support.http import Response, exchange

Alter = Callable[[str, Response], Response | None]
"""The raw request target and the real answer to what is sent instead; None is no answer at all."""


@asynccontextmanager
async def altering(upstream: int, alter: Alter) -> AsyncIterator[int]:
    """Pass requests on to the port `upstream`, request line and host as they are, alter the answers, and give the
    port."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        head = f"{request.method} {request.raw_path} HTTP/1.1\r\nHost: {request.headers['Host']}\r\n"
        proto = request.headers.get("X-Forwarded-Proto", "http")
        real = await exchange(upstream, f"{head}X-Forwarded-Proto: {proto}\r\n\r\n".encode("latin-1"))
        assert real is not None
        answer = alter(request.raw_path, real)
        if answer is None:
            await asyncio.sleep(60)
            raise AssertionError("who asks a black hole gives up before that")
        headers = [(name, value) for name, value in answer.headers if name != "content-length"]
        return web.Response(status=answer.status, body=answer.body, headers=headers)

    server = web.Server(handle, access_log=None)
    listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
        await server.shutdown(0.1)


def status(code: int, body: bytes = b"") -> Alter:
    """Answer everything with this status."""
    return lambda target, real: Response(code, [], body)


def located(change: Callable[[str], str], code: int | None = None) -> Alter:
    """Change where redirects lead, and with `code` their status."""

    def alter(target: str, real: Response) -> Response:
        location = real.header("location")
        assert location is not None, f"{target} is no redirect"
        return Response(code or real.status, [("location", change(location))], b"")

    return alter
