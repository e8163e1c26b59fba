"""What the published table says of purging: edges let the CDN keep answers for long only while changes are purged."""

import asyncio
from typing import Final

import structlog

from docsredirect.domain.clock import Clock
from docsredirect.domain.errors import StoreError
from docsredirect.service.publisher import Publisher
from docsredirect.service.replica import Replica

RESTORE_SECONDS: Final = 600.0
"""How long another process may be the one that cannot purge, until this one, which can, says that purging works."""

AGAIN_SECONDS: Final = 5.0

log = structlog.get_logger(__name__)


class PurgeFlag:
    """Tells in the table whether purging works. Who cannot purge says so at once; who can, when that is new, and else
    only after a while, because another process may be the one that cannot."""

    def __init__(self, replica: Replica, publisher: Publisher, clock: Clock) -> None:
        self._replica = replica
        self._publisher = publisher
        self._clock = clock
        self._said: bool | None = None
        self._differs_since: float | None = None

    async def tell(self, *, working: bool) -> None:
        """Make the table say so, where it says otherwise. Raises `StoreUnavailable` and `Conflict`."""
        table = self._replica.applied
        if table is None:
            return
        if table.purging != working:
            now = self._clock()
            self._differs_since = now if self._differs_since is None else self._differs_since
            if working and self._said and now - self._differs_since < RESTORE_SECONDS:
                return
            await self._publisher.tell_purging(working)
            await self._replica.refresh()
            log.info("told whether the CDN is purged", purging=working)
        self._said, self._differs_since = working, None


async def keep_telling_that_nothing_is_purged(flag: PurgeFlag, replica: Replica) -> None:
    """Take back, for as long as this runs, what a process with a CDN to purge may have said."""
    applied = asyncio.Event()
    replica.on_applied.append(applied.set)
    while True:
        applied.clear()
        try:
            await flag.tell(working=False)
        except StoreError as error:
            log.warning("not told that nothing is purged", reason=str(error))
            await asyncio.sleep(AGAIN_SECONDS)
            continue
        await applied.wait()
