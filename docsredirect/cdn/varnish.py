"""Varnish, with the VCL in ``deploy/varnish``: purging by the keys of its module xkey, on each instance.

Source: that VCL: ``PURGE /`` with ``Xkey-Softpurge`` or ``Xkey-Purge``, keys separated by blanks, and a token.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from docsredirect.cdn.calls import Calls, batches

_SIZE: Final = 6_000
"""Characters of keys in one request: Varnish takes headers of up to 8 KiB."""


class Varnish:
    """Purges the instances at `urls`, all at once."""

    def __init__(self, calls: Calls, urls: Sequence[str], token: str) -> None:
        self._calls = calls
        self._urls = urls
        self._token = token

    async def purge(self, keys: Sequence[str], *, hard: bool = False) -> None:
        """Purge as `Purger.purge` does. The instances that can be reached are purged also where another cannot."""
        done = await asyncio.gather(*(self._purge(url, keys, hard=hard) for url in self._urls), return_exceptions=True)
        for failure in done:
            if failure is not None:
                raise failure

    async def _purge(self, url: str, keys: Sequence[str], *, hard: bool) -> None:
        header = "Xkey-Purge" if hard else "Xkey-Softpurge"
        for batch in batches(keys, count=len(keys), size=_SIZE):
            await self._calls.call("PURGE", f"{url}/", {"X-Purge-Token": self._token, header: " ".join(batch)})
