"""How edges elsewhere are: asked over HTTP at their ops addresses, all at once. What they say is not trusted."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

import aiohttp
import msgspec
from msgspec import Meta

from docsredirect.domain import names

SECONDS = 2.0
"""How long one may take to answer."""

MAX_BYTES = 512 * 1024
"""The longest answer that is read: over twice what an edge of the most processes says."""

STATUS = "/-/status"

_Count = Annotated[int, Meta(ge=0, le=2**53 - 1)]
_Text = Annotated[str, Meta(max_length=2_000)]


class Process(msgspec.Struct, frozen=True):
    """What tells a process of an edge from all others."""

    pid: int
    started: str


class EdgeStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What an edge says of itself: of its processes, the one that is furthest behind."""

    version: _Text
    epoch: _Text | None
    sequence: _Count | None
    rows: _Count | None
    table_age_seconds: float | None
    stale: bool
    refused_sequence: _Count | None = None
    reason: _Text | None = None
    processes: list[Process] = []
    asked: dict[str, _Count] = {}


class Edge(msgspec.Struct, frozen=True):
    """An edge elsewhere: what it says, or why nothing is known of it."""

    url: str
    status: EdgeStatus | None
    problem: str | None = None


async def ask(urls: Sequence[str]) -> list[Edge]:
    """Return how the edges at these ops addresses are, within `SECONDS`. Never raises for what they do."""
    if not urls:
        return []
    async with aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=SECONDS), cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
    ) as session:
        return await asyncio.gather(*(_ask(session, url) for url in urls))


async def _ask(session: aiohttp.ClientSession, url: str) -> Edge:
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    try:
        async with session.get(f"{url}{STATUS}", allow_redirects=False, headers=headers) as response:
            if response.status != 200:
                return Edge(url, None, f"It answered {response.status} where its status was expected.")
            body = await _read(response)
    except TimeoutError:
        return Edge(url, None, f"It did not answer within {SECONDS:g} seconds.")
    except (aiohttp.ClientError, OSError, ValueError):  # ValueError: what is no host name, in some resolvers
        return Edge(url, None, "It cannot be reached.")
    if body is None:
        return Edge(url, None, f"Its answer is longer than {MAX_BYTES} bytes.")
    try:
        status = msgspec.json.decode(body, type=EdgeStatus)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Edge(url, None, "Its answer is not the status of an edge. Is this its ops address?")
    asked = {name: times for name, times in status.asked.items() if names.normalise(name) == name}
    return Edge(url, msgspec.structs.replace(status, asked=asked))


async def _read(response: aiohttp.ClientResponse) -> bytes | None:
    """Return the body, or None where it is too long."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_BYTES:
            return None
    return bytes(body)
