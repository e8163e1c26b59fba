"""The control: the process of `serve` that answers ops and, unless it is told not to, the admin side. No command."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from docsredirect.cli.bootstrap import existing_admin_token
from docsredirect.cli.terminal import WrongUse
from docsredirect.domain.settings import Settings
from docsredirect.ops import server as ops_server
from docsredirect.ops.status import mode_of
from docsredirect.store import open_store
from docsredirect.telemetry.metrics import Metrics
from docsredirect.telemetry.sampler import Place, Sampler, sampling
from docsredirect.telemetry.stores import MeteredStore

log = structlog.get_logger(__name__)


@asynccontextmanager
async def serving(
    settings: Settings, listeners: dict[str, socket.socket], place: Place, *, edge: bool
) -> AsyncIterator[None]:
    """Answer on `listeners`, ops and maybe admin, while the context lasts. `edge` tells whether there are workers."""
    admin = listeners.get("admin")
    mode = mode_of(edge=edge, admin=admin is not None)
    async with (
        sampling(place, stale_after=settings.stale_after) as (sampler, metrics),
        ops_server.running(ops_server.Ops(place.folder, mode=mode, store=settings.store), listeners["ops"]),
    ):
        if admin is None:
            sampler.watch(None)
            yield
        else:
            async with _admin(settings, admin, sampler, metrics):
                yield


@asynccontextmanager
async def _admin(
    settings: Settings, listener: socket.socket, sampler: Sampler, metrics: Metrics
) -> AsyncIterator[None]:
    from docsredirect.admin import server as admin_server  # noqa: PLC0415 - with --edge-only it is not needed

    async with open_store(settings.store) as store:
        metered, token = MeteredStore(store, metrics), _token(settings)
        async with admin_server.running(settings, metered, listener, metrics=metrics, admin_token=token) as admin:
            sampler.watch(admin.replica)
            yield


def _token(settings: Settings) -> str | None:
    """Return the bootstrap token, or None where it cannot be had now: tokens that were issued are good without it."""
    try:
        token = existing_admin_token(settings)
    except WrongUse as error:
        log.warning("no bootstrap token", reason=error.message)
        return None
    except OSError as error:
        log.warning("no bootstrap token", reason=error.strerror)
        return None
    if token is None:
        log.warning("no bootstrap token", reason="the store's folder holds none; start again to have one made")
    return token
