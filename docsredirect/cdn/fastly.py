"""Fastly: purging by surrogate key, softly unless told otherwise.

Source: Fastly's API reference, "Purging": ``POST /service/{id}/purge/{key}`` for one key, ``POST /service/{id}/purge``
with a list for up to 256.
"""

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from docsredirect.cdn.calls import Calls, batches

_API: Final = "https://api.fastly.com"
_KEYS_AT_ONCE: Final = 256
_SIZE: Final = 16 * 1024


class Fastly:
    """Purges the Fastly service of the id `service`."""

    def __init__(self, calls: Calls, service: str, token: str, api: str | None) -> None:
        self._calls = calls
        self._url = f"{api or _API}/service/{service}/purge"
        self._headers = {"Fastly-Key": token, "Accept": "application/json"}

    async def purge(self, keys: Sequence[str], *, hard: bool = False) -> None:
        """Purge as `Purger.purge` does."""
        headers = self._headers if hard else {**self._headers, "Fastly-Soft-Purge": "1"}
        if len(keys) == 1:
            await self._calls.call("POST", f"{self._url}/{quote(keys[0], safe='')}", headers)
            return
        for batch in batches(keys, count=_KEYS_AT_ONCE, size=_SIZE):
            await self._calls.call("POST", self._url, headers, json={"surrogate_keys": batch})
