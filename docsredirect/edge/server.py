"""An edge's life: from settings to a listening socket, and from a signal to an orderly end."""

import asyncio
import os
import random
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress

from aiohttp.web_runner import ServerRunner, SockSite

from docsredirect.domain.settings import Address, Settings
from docsredirect.edge.app import Edge
from docsredirect.edge.protocol import make_server
from docsredirect.service.lookups import Lookups
from docsredirect.service.replica import Replica
from docsredirect.store import Store

BACKLOG = 1_024
JITTER = 0.2
"""Polls are spread by this share, so that processes started together do not stay together."""


@asynccontextmanager
async def running(settings: Settings, store: Store, listener: socket.socket) -> AsyncIterator[Edge]:
    """Serve `store` on `listener` while the context lasts. At its end requests in flight are finished first, for at
    most `settings.shutdown_seconds`."""
    replica = Replica(store, clock=time.monotonic)
    lookups = Lookups(replica, store, clock=time.monotonic)
    edge = Edge(settings, replica, lookups)
    runner = ServerRunner(
        make_server(edge.handle, keep_alive_seconds=settings.keep_alive_seconds),
        shutdown_timeout=settings.shutdown_seconds,
    )
    following = asyncio.create_task(replica.follow(_pauses(settings.poll_seconds)), name="follow table")
    try:
        await runner.setup()
        await SockSite(runner, listener, backlog=BACKLOG).start()
        yield edge
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(settings.shutdown_seconds):
                await runner.cleanup()
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await lookups.close()


def listen(address: Address) -> socket.socket:
    """Return a listening socket. Raises `OSError`, with words for a person, where the address cannot be had."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        listener = socket.create_server(
            (address.host, address.port),
            family=family,
            backlog=BACKLOG,
            dualstack_ipv6=address.host == "::" and socket.has_dualstack_ipv6(),
        )
    except OSError as error:
        is_name = isinstance(error, socket.gaierror)
        reason = str(error.strerror) if is_name or not error.errno else os.strerror(error.errno)
        raise OSError(error.errno, f"Cannot listen on {address}: {reason}") from error
    listener.setblocking(False)
    return listener


def _pauses(seconds: float) -> Iterator[float]:
    while True:
        yield seconds * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311
