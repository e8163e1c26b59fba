"""One request for a legacy URL and its answer: bounded in time, size and number, and asked once more where the network
fails. Follows nothing.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple

import aiohttp

from docsredirect import __version__
from docsredirect.asking.bases import Bases
from docsredirect.domain.legacy_urls import LegacyUrl
from docsredirect.domain.outcomes import Problem

AGENT = f"docsredirect/{__version__} (checking links)"

MAX_BODY = 1024 * 1024
"""How much of a page is read, in bytes: enough to tell two apart."""

_MAX_OTHER_BODY = 64 * 1024
"""How much of any other body is read, so that its connection can be used again."""

_MAX_HEADER = 16 * 1024
"""The longest header line that is read, in bytes: twice the longest `Location` that the edge sends."""

_CONNECT_SECONDS = 5.0
_PAUSE_SECONDS = 0.25
"""Before a request that the network has failed is sent once more."""


class Limits(NamedTuple):
    """What asking one side may take: seconds a request, connections at a time, and requests a second (None: any)."""

    seconds: float = 10.0
    at_once: int = 8
    rate: float | None = None


class Reply(NamedTuple):
    """One answer: its status, its headers in any case, and of a page the digest of its first `MAX_BODY` bytes."""

    status: int
    headers: Mapping[str, str]
    digest: str | None


class Asker:
    """Asks one side. Made by `asking`."""

    def __init__(self, session: aiohttp.ClientSession, bases: Bases, limits: Limits) -> None:
        self.bases = bases
        self.trouble: str | None = None
        """What the network last said where there was no answer."""
        self.unreachable: str | None = None
        """The same, of the last time that the side could not be reached at all."""
        self._session = session
        self._pause = 0.0 if limits.rate is None else 1 / limits.rate
        self._next_turn = 0.0

    async def ask(self, url: LegacyUrl) -> Reply | Problem:
        """Ask for `url` and return the answer, or why there is none."""
        reply = await self._ask_once(url)
        if isinstance(reply, Problem):
            await asyncio.sleep(_PAUSE_SECONDS)
            reply = await self._ask_once(url)
        return reply

    async def _ask_once(self, url: LegacyUrl) -> Reply | Problem:
        await self._turn()
        try:
            async with self._session.get(
                self.bases.request_url(url), headers=self.bases.headers(url), allow_redirects=False
            ) as response:
                return await _received(response)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            self.trouble = _cause(error)
            problem = _problem(error)
            if problem is Problem.UNREACHABLE:
                self.unreachable = self.trouble
            return problem

    async def _turn(self) -> None:
        """Wait until the next request may be sent."""
        if not self._pause:
            return
        now = asyncio.get_running_loop().time()
        turn = max(self._next_turn, now)
        self._next_turn = turn + self._pause
        await asyncio.sleep(turn - now)


@asynccontextmanager
async def asking(bases: Bases, limits: Limits) -> AsyncIterator[Asker]:
    """Give what asks one side. Certificates are checked against the base's host, with the system's authorities or
    those of ``SSL_CERT_FILE``."""
    timeout = aiohttp.ClientTimeout(total=limits.seconds, sock_connect=min(_CONNECT_SECONDS, limits.seconds))
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=limits.at_once),
        headers={"User-Agent": AGENT, "Accept-Encoding": "identity"},
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        timeout=timeout,
        max_line_size=_MAX_HEADER,
        max_field_size=_MAX_HEADER,
    ) as session:
        yield Asker(session, bases, limits)


async def _received(response: aiohttp.ClientResponse) -> Reply:
    is_page = response.status == 200
    digest = hashlib.sha256()
    left = MAX_BODY if is_page else _MAX_OTHER_BODY
    while left and (piece := await response.content.read(left)):
        left -= len(piece)
        digest.update(piece)
    return Reply(response.status, response.headers, digest.hexdigest() if is_page else None)


def _cause(error: BaseException) -> str:
    """Return why there is no answer, as a few words that a sentence may end with."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"the certificate is not accepted ({_reason(error.certificate_error)})"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"the name {error.host} is not known ({_reason(error.os_error)})"
    if isinstance(error, aiohttp.ClientConnectorError):
        refused = isinstance(error.os_error, ConnectionRefusedError)
        return f"{error.host}:{error.port} refuses connections" if refused else _reason(error.os_error)
    return _reason(error)


def _reason(error: BaseException) -> str:
    told = getattr(error, "verify_message", None) or getattr(error, "strerror", None) or str(error)
    return str(told).removesuffix(".") or type(error).__name__


def _problem(error: BaseException) -> Problem:
    if isinstance(error, TimeoutError):
        return Problem.TIMEOUT
    return Problem.UNREACHABLE if isinstance(error, aiohttp.ClientConnectorError) else Problem.BROKEN
