"""What purges a CDN, as the rules see it."""

from collections.abc import Sequence
from typing import Protocol


class Purger(Protocol):
    """Makes a CDN forget what it keeps under surrogate keys."""

    async def purge(self, keys: Sequence[str], *, hard: bool = False) -> None:
        """Mark all that is kept under any of `keys` as old: it is fetched anew for the next reader, and still stands in
        where that fails. `hard`: remove it instead. A CDN that knows no difference always removes.

        Safe to repeat. Raises `PurgeFailed`, after some tries; part of the keys may be purged then.
        """
        ...
