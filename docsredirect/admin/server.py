"""The admin side's life: from settings and a listening socket to an orderly end. What has to be done in the background
is done here: publishing, following the table, reconciling, and what follows a publication."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple

from aiohttp import hdrs, web

from docsredirect.admin import problems
from docsredirect.admin.afterwards import open_afterwards
from docsredirect.admin.app import REQUEST_ID, SERVER, make_app
from docsredirect.admin.recent import Recent
from docsredirect.admin.services import NO_STORE, Services
from docsredirect.admin.sessions import Sessions
from docsredirect.domain.settings import Settings
from docsredirect.service.denied import Denied
from docsredirect.service.listing import Listing
from docsredirect.service.lookups import Lookups
from docsredirect.service.publications import Publications
from docsredirect.service.purging import Purging
from docsredirect.service.reconciler import keep_reconciling
from docsredirect.service.registry import Registry
from docsredirect.service.replica import Replica
from docsredirect.service.tokens import Tokens
from docsredirect.service.writers import make_publisher, new_operation, new_text, pause_before, pauses
from docsredirect.service.wrong_tokens import WrongTokens
from docsredirect.store import Store
from docsredirect.telemetry.metrics import Metrics
from docsredirect.wire.connections import HttpServer

KEEP_ALIVE_SECONDS = 75.0
SECRET_LENGTH = 43

_ABORT_SECONDS = 0.1
_AFTER_ANOTHER_SECONDS = 5.0

WRONG_TOKENS = 30
"""How many wrong tokens an address may show in a minute. A checker of APIs shows one on each route, about fifteen."""

CLOSE_SECONDS = 2.0
"""Of the time to end, what is kept for what requests have left behind: commits, publications, marks of use."""


class AdminProcess(NamedTuple):
    """What of the admin side is of interest to whoever runs it."""

    replica: Replica
    services: Services


@asynccontextmanager
async def running(
    settings: Settings, store: Store, listener: socket.socket, *, metrics: Metrics, admin_token: str | None
) -> AsyncIterator[AdminProcess]:
    """Serve the admin side of `store` on `listener` while the context lasts. `admin_token` is the bootstrap token.

    At its end requests in flight are finished first, and what they have committed is published, within
    `settings.shutdown_seconds`. What is not by then, reconciling publishes at the next start.
    """
    async with _services(settings, store, metrics, admin_token) as services:
        runner = _Runner(make_app(services), shutdown_timeout=_ABORT_SECONDS)
        await runner.setup()
        site = web.SockSite(runner, listener)
        try:
            await site.start()
            yield AdminProcess(services.replica, services)
        finally:
            await site.stop()
            await runner.http.drain(max(0.0, settings.shutdown_seconds - CLOSE_SECONDS))
            await runner.cleanup()


class _Runner(web.AppRunner):
    """Runs an application on connections of ours."""

    http: HttpServer

    async def _make_server(self) -> HttpServer:
        made = await super()._make_server()

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            # aiohttp would answer before any middleware, with a page of its own.
            if request.headers.get(hdrs.EXPECT, "100-continue").lower() != "100-continue":
                return _refused(417)
            return await made.request_handler(request)

        self.http = HttpServer(
            handle,
            refuse=_refused,
            keep_alive_seconds=KEEP_ALIVE_SECONDS,
            request_factory=made.request_factory,
        )
        return self.http


def _refused(status: int) -> web.Response:
    request_id = new_operation()
    return web.Response(
        status=status,
        body=problems.refused(status, request_id),
        content_type=problems.CONTENT_TYPE,
        headers={**NO_STORE, REQUEST_ID: request_id, "Server": SERVER},
    )


@asynccontextmanager
async def _services(
    settings: Settings, store: Store, metrics: Metrics, admin_token: str | None
) -> AsyncIterator[Services]:
    publisher = make_publisher(store)
    publications = Publications(publisher, pause_before, on_end=metrics.published)
    registry = Registry(store, publisher, publications, clock=time.time, new_operation=new_operation)
    replica = Replica(store, clock=time.monotonic)
    denied = Denied(settings.deny_file)
    lookups = Lookups(replica, store, clock=time.monotonic, denied=denied)
    tokens = Tokens(store, clock=time.time, monotonic=time.monotonic, new_text=new_text, bootstrap=admin_token)
    await denied.begin()
    async with open_afterwards(settings, store, replica, publisher, metrics) as afterwards:
        work = [
            ("publish", publications.run()),
            ("follow table", replica.follow(pauses(settings.poll_seconds))),
            ("watch deny file", denied.follow()),
            ("reconcile", keep_reconciling(store, publisher, _rounds(settings), metrics.reconciled)),
            ("tell what waits", _tell_what_waits(publications, afterwards.purging, metrics)),
            *afterwards.work,
        ]
        async with _in_background(work):
            try:
                yield Services(
                    settings=settings,
                    hosts=settings.host_rules,
                    registry=registry,
                    replica=replica,
                    lookups=lookups,
                    listing=Listing(replica),
                    tokens=tokens,
                    wrong_tokens=WrongTokens(time.monotonic, WRONG_TOKENS),
                    sessions=Sessions(
                        settings.secret or new_text(SECRET_LENGTH),
                        tokens,
                        new_text,
                        https=(settings.admin_base or "").lower().startswith("https://"),
                    ),
                    metrics=metrics,
                    recent=Recent(),
                    clock=time.time,
                    new_id=new_operation,
                )
            finally:
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(CLOSE_SECONDS, settings.shutdown_seconds)):
                        await registry.close()
                        await publications.drain()
                        await tokens.close()
    await lookups.close()


@asynccontextmanager
async def _in_background(work: list[tuple[str, Coroutine[Any, Any, None]]]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(each, name=name) for name, each in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _rounds(settings: Settings) -> Iterator[float]:
    """Give the pauses between rounds of reconciling. The first is short: the process that this one has taken the place
    of may commit on for as long as it has to end."""
    yield settings.shutdown_seconds + _AFTER_ANOTHER_SECONDS
    yield from pauses(settings.reconcile_seconds)


async def _tell_what_waits(publications: Publications, purging: Purging | None, metrics: Metrics) -> None:
    while True:
        metrics.unpublished(publications.waiting)
        metrics.unpurged(0 if purging is None else purging.waiting)
        await asyncio.sleep(1.0)
