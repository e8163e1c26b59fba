"""An edge's life: from settings and a listening socket to an orderly end."""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from docsredirect.domain.settings import Settings
from docsredirect.edge.app import Edge
from docsredirect.edge.listening import BACKLOG, listen
from docsredirect.edge.responses import refused
from docsredirect.service.denied import Denied
from docsredirect.service.last_good import LastGood, folder_name
from docsredirect.service.lookups import Lookups
from docsredirect.service.replica import Replica
from docsredirect.service.writers import pauses
from docsredirect.store import DirectoryStore, Store
from docsredirect.wire.connections import HttpServer

__all__ = ["listen", "running"]

FIRST_LOOK_SECONDS = 5.0
"""How long the first look at the store may take before connections are taken without it."""

_GLANCE_SECONDS = 0.005


@asynccontextmanager
async def running(
    settings: Settings, store: Store, listener: socket.socket, *, keeper: bool = True, patient: bool = False
) -> AsyncIterator[Edge]:
    """Serve `store` on `listener` while the context lasts. At its end requests in flight are finished first, for at
    most `settings.shutdown_seconds`.

    A `keeper` writes the state folder. Who is `patient` takes no connection before every name can be answered;
    anyone else also once the store has failed, because then health has to tell.
    """
    last_good = _last_good(settings, store, keeper=keeper)
    replica = Replica(store, clock=time.monotonic, last_good=last_good)
    denied = Denied(settings.deny_file)
    lookups = Lookups(replica, store, clock=time.monotonic, denied=denied)
    edge = Edge(settings, replica, lookups)
    server = HttpServer(
        edge.handle, refuse=refused, noted=edge.answers.count, keep_alive_seconds=settings.keep_alive_seconds
    )
    await denied.begin()
    unpolled = replica.problem
    following = asyncio.create_task(replica.follow(pauses(settings.poll_seconds)), name="follow table")
    watching = asyncio.create_task(denied.follow(), name="watch deny file")
    accepting: asyncio.Server | None = None
    try:
        await _until_answers(replica, unpolled, patient=patient)
        accepting = await asyncio.get_running_loop().create_server(server, sock=listener, backlog=BACKLOG)
        yield edge
    finally:
        if accepting is not None:
            accepting.close()
        following.cancel()
        await server.drain(settings.shutdown_seconds)
        watching.cancel()
        await asyncio.gather(following, watching, return_exceptions=True)
        await lookups.close()
        if last_good is not None:
            await last_good.close()


def _last_good(settings: Settings, store: Store, *, keeper: bool) -> LastGood | None:
    if settings.state_dir is None:
        return None
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL", "")
    return LastGood(DirectoryStore(Path(settings.state_dir) / folder_name(store.url, endpoint)), keeper=keeper)


async def _until_answers(replica: Replica, unpolled: str | None, *, patient: bool) -> None:
    """Wait until names can be answered from a table, or until it is known that they cannot. `unpolled` is what the
    replica says before its first poll has ended."""
    begin = time.monotonic()
    while replica.last_success is None:
        looked = replica.problem != unpolled or time.monotonic() - begin > FIRST_LOOK_SECONDS
        if (replica.serves_all and looked) if patient else (replica.serves_all or looked):
            return
        await asyncio.sleep(_GLANCE_SECONDS)
