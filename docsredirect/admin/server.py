"""The admin side's life: from settings and a listening socket to an orderly end. What has to be done in the background
is done here: publishing, following the table, reconciling."""

import asyncio
import secrets
import socket
import string
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import structlog
from aiohttp import web

from docsredirect.admin import problems
from docsredirect.admin.app import REQUEST_ID, SERVER, make_app
from docsredirect.admin.services import NO_STORE, Services
from docsredirect.admin.sessions import Sessions
from docsredirect.domain.errors import StoreError, WritesRefused
from docsredirect.domain.settings import Settings
from docsredirect.service.denied import Denied
from docsredirect.service.listing import Listing
from docsredirect.service.lookups import Lookups
from docsredirect.service.publications import Publications
from docsredirect.service.publisher import Publisher
from docsredirect.service.reconciler import Reconciler
from docsredirect.service.registry import Registry
from docsredirect.service.replica import Replica
from docsredirect.service.tokens import Tokens
from docsredirect.service.writers import make_publisher, new_operation, pause_before, pauses
from docsredirect.service.wrong_tokens import WrongTokens
from docsredirect.store import Store
from docsredirect.telemetry.metrics import Metrics
from docsredirect.wire.connections import HttpServer

KEEP_ALIVE_SECONDS = 75.0
SECRET_LENGTH = 43

_ABORT_SECONDS = 0.1

DRAIN_SECONDS = 2.0
"""How long an end waits for publications."""

_BASE62 = string.digits + string.ascii_letters

log = structlog.get_logger(__name__)


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
            await runner.http.drain(max(0.0, settings.shutdown_seconds - DRAIN_SECONDS))
            await runner.cleanup()


class _Runner(web.AppRunner):
    """Runs an application on connections of ours."""

    http: HttpServer

    async def _make_server(self) -> HttpServer:
        made = await super()._make_server()
        self.http = HttpServer(
            made.request_handler,
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
    tokens = Tokens(store, clock=time.time, monotonic=time.monotonic, new_text=_new_text, bootstrap=admin_token)
    await denied.begin()
    background = [
        asyncio.create_task(work, name=name)
        for name, work in (
            ("publish", publications.run()),
            ("follow table", replica.follow(pauses(settings.poll_seconds))),
            ("watch deny file", denied.follow()),
            ("reconcile", _reconcile(store, publisher, metrics, settings.reconcile_seconds)),
            ("tell what waits", _tell_unpublished(publications, metrics)),
        )
    ]
    try:
        yield Services(
            settings=settings,
            hosts=settings.host_rules,
            registry=registry,
            replica=replica,
            lookups=lookups,
            listing=Listing(replica),
            tokens=tokens,
            wrong_tokens=WrongTokens(time.monotonic),
            sessions=Sessions(
                settings.secret or _new_text(SECRET_LENGTH),
                tokens,
                _new_text,
                https=(settings.admin_url or "").lower().startswith("https://"),
            ),
            metrics=metrics,
            clock=time.time,
            new_id=new_operation,
        )
    finally:
        await registry.close()
        await publications.drain(DRAIN_SECONDS)
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await tokens.close()
        await lookups.close()


async def _reconcile(store: Store, publisher: Publisher, metrics: Metrics, seconds: float) -> None:
    """Try the store, then publish what was committed and not published, now and again, for ever."""
    await _try_writes(store)
    reconciler = Reconciler(store, publisher)
    while True:
        try:
            done = await reconciler.reconcile()
        except StoreError as error:
            log.warning("reconciling failed", reason=str(error))
            metrics.reconciled(ok=False, rows=0)
        except Exception:  # a fault of our own must not end all reconciling
            log.exception("reconciling broke off")
            metrics.reconciled(ok=False, rows=0)
        else:
            if any(done):
                log.info("reconciled", **done._asdict())
            metrics.reconciled(ok=True, rows=done.published)
        await asyncio.sleep(next(pauses(seconds)))


async def _try_writes(store: Store) -> None:
    """Say at start-up, and not at the first write, where the store is not to be written to."""
    try:
        await store.check_writes()
    except WritesRefused as error:
        log.error("the store is not written to", reason=str(error))
    except StoreError as error:
        log.warning("the store could not be tried", reason=str(error))


async def _tell_unpublished(publications: Publications, metrics: Metrics) -> None:
    while True:
        metrics.unpublished(publications.waiting)
        await asyncio.sleep(1.0)


def _new_text(length: int) -> str:
    return "".join(secrets.choice(_BASE62) for _ in range(length))
