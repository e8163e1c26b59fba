"""What the admin side does after a publication, whoever made it: purging the CDN, and mirroring into the old service's
file. Puts together what the settings ask for."""

import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, NamedTuple

from docsredirect.admin import edges
from docsredirect.cdn import open_purger
from docsredirect.domain.settings import Settings
from docsredirect.service.convergence import AskEdges, Convergence, Held, timing_of
from docsredirect.service.mirror import Mirror, Mirrored
from docsredirect.service.publisher import Publisher
from docsredirect.service.purge_flag import PurgeFlag, keep_telling_that_nothing_is_purged
from docsredirect.service.purging import Purging
from docsredirect.service.replica import Replica
from docsredirect.store import Store, open_store
from docsredirect.telemetry.metrics import Metrics

TAKE_OVER_SECONDS = 10.0
"""How long after the time for its second purge another process's change is left to that process."""


class Afterwards(NamedTuple):
    """Work to run for ever, by its name; and what is purged, None where there is no CDN to purge."""

    work: list[tuple[str, Coroutine[Any, Any, None]]]
    purging: Purging | None


@asynccontextmanager
async def open_afterwards(
    settings: Settings, store: Store, replica: Replica, publisher: Publisher, metrics: Metrics
) -> AsyncIterator[Afterwards]:
    """Make ready what is to be done after publications. Nothing is done before the work is run; at the end, when it has
    ended, the mirror is brought up to date."""
    async with AsyncExitStack() as stack:
        work: list[tuple[str, Coroutine[Any, Any, None]]] = []
        purging = None
        if settings.purge is None:
            flag = PurgeFlag(replica, publisher, time.monotonic)
            work.append(("tell of no purging", keep_telling_that_nothing_is_purged(flag, replica)))
        else:
            purger = await stack.enter_async_context(
                open_purger(settings.purge, settings.purge_token or "", settings.purge_api)
            )
            timing = timing_of(settings.poll_seconds, settings.stale_after)
            purging = Purging(
                store,
                replica,
                publisher,
                purger,
                Convergence(replica, time.monotonic, timing, _asker(settings)),
                clock=time.monotonic,
                take_over_seconds=timing.blind + TAKE_OVER_SECONDS,
                on_purge=metrics.purged,
            )
            work.append(("purge", purging.run()))
        if settings.mirror is not None:
            folder, _, key = settings.mirror.rpartition("/")
            old = await stack.enter_async_context(open_store(folder or "."))
            mirror = Mirror(old, key, replica, on_end=lambda mirrored: _count(mirrored, metrics))
            work.append(("mirror", mirror.run()))
            stack.push_async_callback(mirror.finish)
        yield Afterwards(work, purging)


def _asker(settings: Settings) -> AskEdges | None:
    if not settings.edges:
        return None

    async def ask() -> list[Held | None]:
        asked = await edges.ask(settings.edges)
        return [None if each.status is None else Held(each.status.epoch, each.status.sequence) for each in asked]

    return ask


def _count(mirrored: Mirrored | None, metrics: Metrics) -> None:
    metrics.mirrored(mirrored is not None, None if mirrored is None else len(mirrored.lost))
