"""Cloudflare: purging by cache tag. It always removes: what a zone forgets does not stand in for a failing origin.

Source: Cloudflare's API reference, "Purge Cached Content": ``POST /zones/{id}/purge_cache`` with up to 30 tags on every
plan.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from docsredirect.cdn.calls import Calls, batches
from docsredirect.domain.errors import PurgeFailed

_API: Final = "https://api.cloudflare.com/client/v4"
_TAGS_AT_ONCE: Final = 30
_SIZE: Final = 16 * 1024


class _Said(msgspec.Struct):
    success: bool


class Cloudflare:
    """Purges the Cloudflare zone of the id `zone`."""

    def __init__(self, calls: Calls, zone: str, token: str, api: str | None) -> None:
        self._calls = calls
        self._url = f"{api or _API}/zones/{zone}/purge_cache"
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}

    async def purge(self, keys: Sequence[str], *, hard: bool = False) -> None:
        """Purge as `Purger.purge` does; always `hard`."""
        del hard
        for batch in batches(keys, count=_TAGS_AT_ONCE, size=_SIZE):
            body = await self._calls.call("POST", self._url, self._headers, json={"tags": batch})
            try:
                said = msgspec.json.decode(body, type=_Said)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise PurgeFailed(f"The CDN's answer to a purge cannot be read: {error}.", again=False) from error
            if not said.success:
                raise PurgeFailed("The CDN says that a purge was not successful.", again=False)
