"""The CDN in front, as far as it can be told what to forget. Knows keys, and nothing of projects, tables or stores."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from docsredirect.cdn.calls import SECONDS, Calls
from docsredirect.cdn.cloudflare import Cloudflare
from docsredirect.cdn.fastly import Fastly
from docsredirect.cdn.protocol import Purger
from docsredirect.cdn.varnish import Varnish
from docsredirect.domain.settings import CLOUDFLARE, FASTLY, Purge

__all__ = ["Purger", "open_purger"]


@asynccontextmanager
async def open_purger(purge: Purge, token: str, api: str | None = None) -> AsyncIterator[Purger]:
    """Open what purges the CDN that `purge` names; `api` is its API's address where that is not the usual one.

    Touches nothing yet."""
    async with aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=SECONDS), cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
    ) as session:
        calls = Calls(session)
        if purge.kind == FASTLY:
            yield Fastly(calls, purge.places[0], token, api)
        elif purge.kind == CLOUDFLARE:
            yield Cloudflare(calls, purge.places[0], token, api)
        else:
            yield Varnish(calls, purge.places, token)
