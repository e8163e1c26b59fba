"""HTTP on aiohttp's server, with answers of our own where it would give its own.

aiohttp's error page repeats bytes of the request, may be kept by a cache, and logs a traceback for anything that a
port scanner sends. A client that is slow, silent or gone holds nothing for long, and a server that ends owes nobody an
answer.
"""

import asyncio
import select
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong
from aiohttp.web_protocol import RequestHandler

MAX_LINE = 32 * 1024
"""The longest request target that is read at all, in bytes. What is longer than it may be, but no longer than this,
is still looked at: other checks come before 414. Unlike `MAX_FIELD`, so that one can be told from the other."""

MAX_FIELD = 16 * 1024
"""The longest header field in bytes. CDNs send up to 8 KiB of cookies."""

LINGER_SECONDS = 2.0
"""How long the rest of a refused body is read, so that the client sees the answer instead of a reset."""

WRITE_SECONDS = 10.0
"""How long a client may leave an answer unread."""

GRACE_SECONDS = 1.0
"""How long an idle connection stays once the server is told to end: a request that is already on its way still comes,
and is answered. Longer than a round trip to the other side of the world."""

_ABORT_SECONDS = 0.1
"""How long what has not been finished in time may take to be broken off."""

log = structlog.get_logger(__name__)


class Connection(RequestHandler):
    """One connection. What the parser refuses gets 400, or 414 for the request line; an exception of ours 500."""

    __slots__ = ("_answered", "_half_received", "_server", "_write_deadline")

    _write_deadline: asyncio.TimerHandle | None

    def __init__(self, server: "HttpServer", **options: Any) -> None:
        super().__init__(server, **options)
        self._server = server
        self._write_deadline = None
        self._half_received = False
        self._answered = 0
        self._logging_enabled = True  # so that the time is taken, for `log_access`

    def log_access(self, request: web.BaseRequest, response: web.StreamResponse, time: float | None) -> None:
        """Tell the server of an answer that was sent."""
        self._server.noted(request, response.status, 0.0 if time is None else self._loop.time() - time)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send an answer. While the server ends, the last one that is owed says that the connection closes."""
        if self._server.draining and not self._messages:
            resp.force_close()
        finished = await super().finish_response(request, resp, start_time)
        self._answered += 1
        return finished

    def pause_writing(self) -> None:
        """Begin to count: a client that does not read holds an answer in memory."""
        super().pause_writing()
        self._write_deadline = self._loop.call_later(WRITE_SECONDS, self._give_up_writing)

    def resume_writing(self) -> None:
        """The client has read on."""
        super().resume_writing()
        self._stop_counting()

    def connection_lost(self, exc: BaseException | None) -> None:
        """The connection is gone."""
        self._stop_counting()
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio's own says bool | None
        """The client has sent all that it will: it still gets the answer to what it has asked, if that came whole."""
        if self._current_request is not None and not self._current_request.content.is_eof():
            return False  # nobody is to wait for the rest of a body that will not come
        waiting = self._request_count - self._answered
        self._close = self._close or waiting == 1
        return waiting > 0

    def close_if_idle(self) -> None:
        """Close unless a request is being answered, has come in part, or has come and was not looked at yet."""
        idle = self._waiter is not None and not self._waiter.done()
        if idle and not self._half_received and not self._has_unread():
            self.force_close()

    def _has_unread(self) -> bool:
        if self.transport is None or self.transport.is_closing():
            return False
        poll = select.poll()
        poll.register(self.transport.get_extra_info("socket").fileno(), select.POLLIN)
        return bool(poll.poll(0))

    def _give_up_writing(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def _stop_counting(self) -> None:
        if self._write_deadline is not None:
            self._write_deadline.cancel()
            self._write_deadline = None

    def data_received(self, data: bytes) -> None:
        """Take bytes from the network."""
        requests = self._request_count
        try:
            super().data_received(data)
            self._half_received = self._request_count == requests
        except Exception:  # a parser's bug must not reach the event loop's log with a client's bytes in it
            log.exception("parser failed")
            self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Return the answer to what the parser or the handler refused with `exc`. The connection closes after it."""
        if isinstance(exc, ConnectionError):  # the client has gone, which is no fault, and nobody is to be answered
            raise exc
        if not isinstance(exc, HttpProcessingError):
            log.error("request failed", exc_info=exc)
            status = 500
        else:
            too_long = isinstance(exc, LineTooLong) and exc.args[1] == MAX_LINE
            status = 414 if too_long else 400
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has already begun")
        response = self._server.refuse(status)
        response.force_close()
        return response


class HttpServer(web.Server):
    """aiohttp's low-level server, making `Connection`s.

    `refuse` makes the answer of a status: 400, 414 or 500. `noted` is told of every answer that was sent: its request,
    status and seconds. An idle connection, or half a request, stays `keep_alive_seconds`.
    """

    def __init__(
        self,
        handler: Any,
        *,
        refuse: Callable[[int], web.StreamResponse],
        keep_alive_seconds: float,
        noted: Callable[[web.BaseRequest, int, float], None] = lambda request, status, seconds: None,
        request_factory: Any = None,
    ) -> None:
        super().__init__(
            handler,
            request_factory=request_factory,
            loop=asyncio.get_running_loop(),
            access_log=None,
            keepalive_timeout=keep_alive_seconds,
            max_line_size=MAX_LINE,
            max_field_size=MAX_FIELD,
            lingering_time=LINGER_SECONDS,
            auto_decompress=False,
        )
        self.refuse = refuse
        self.noted = noted
        self.draining = False
        self._open: set[Connection] = set()
        self._none_open = asyncio.Event()
        self._none_open.set()

    def __call__(self) -> RequestHandler:
        """Return the protocol of a new connection."""
        return Connection(self, loop=self._loop, **self._kwargs)

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        """Count a connection."""
        super().connection_made(handler, transport)
        assert isinstance(handler, Connection)
        self._open.add(handler)
        self._none_open.clear()

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        """Count one less."""
        super().connection_lost(handler, exc)
        assert isinstance(handler, Connection)
        self._open.discard(handler)
        if not self._open:
            self._none_open.set()

    async def drain(self, seconds: float) -> None:
        """Answer what has been asked and what is still being asked, then close each connection; break off what is not
        done within `seconds`. New connections must have been stopped before."""
        self.draining = True
        await asyncio.sleep(0)  # what was accepted already becomes a connection
        sweeping = self._loop.call_later(GRACE_SECONDS, self._close_idle)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._none_open.wait()
        sweeping.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(2 * _ABORT_SECONDS):
                await self.shutdown(_ABORT_SECONDS)

    def _close_idle(self) -> None:
        for connection in list(self._open):
            connection.close_if_idle()
