"""What the handlers work with, and one request as they see it. No rule and no route."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from ipaddress import ip_address
from typing import Any, NamedTuple

import msgspec
import structlog
from aiohttp import web

from docsredirect.admin.reading import Query
from docsredirect.admin.recent import Recent
from docsredirect.admin.sessions import Sessions
from docsredirect.domain.clock import Clock
from docsredirect.domain.errors import (
    ScopeMissing,
    StoreError,
    StoreUnavailable,
    TokenMissing,
    TokenRefused,
    TooManyWrongTokens,
    Unknown,
)
from docsredirect.domain.hosts import HostRules
from docsredirect.domain.projects import Author, Project
from docsredirect.domain.settings import Settings
from docsredirect.domain.tables import Row
from docsredirect.domain.tokens import Identity
from docsredirect.domain.visibility import Visible, visible
from docsredirect.service.commits import Outcome
from docsredirect.service.convergence import timing_of
from docsredirect.service.listing import Listing
from docsredirect.service.lookups import Lookups
from docsredirect.service.registry import Registry, Written
from docsredirect.service.replica import Replica
from docsredirect.service.tokens import Tokens
from docsredirect.service.wrong_tokens import WrongTokens
from docsredirect.telemetry.metrics import Metrics

JSON = "application/json"
STORE_SECONDS = 2.8
"""How long an answer may wait for the store: that it fails is told within 3 s."""

_LEAST_SECONDS = 0.1

NO_STORE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

log = structlog.get_logger(__name__)


_OUTCOMES = {"delete": "removed", "rollback": "rolled-back"}
"""What a write of one project comes to that is neither a creation nor a change of its record."""


class Notes:
    """What is known of a request while it is answered, for its log line."""

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        self.identity: Identity | None = None


NOTES = web.RequestKey("notes", Notes)


class Services(NamedTuple):
    """Everything that lives as long as the process."""

    settings: Settings
    hosts: HostRules
    registry: Registry
    replica: Replica
    lookups: Lookups
    listing: Listing
    tokens: Tokens
    wrong_tokens: WrongTokens
    sessions: Sessions
    metrics: Metrics
    recent: Recent
    clock: Clock
    """Seconds since the epoch."""
    new_id: Callable[[], str]
    """Gives an id for a request that brings none."""

    async def refresh(self) -> None:
        """Make sure that the table in memory is what is published now. Raises `Unknown`."""
        try:
            async with in_time("read"):
                fresh = await self.replica.refresh()
        except StoreUnavailable as error:
            raise Unknown("The published table could not be read in time.") from error
        if not fresh:
            raise Unknown(f"The published table cannot be read now: {self.replica.problem}")

    def audit(self, action: str, *, by: str, request_id: str, **fields: Any) -> None:
        """Log a change of what is stored, and remember it for a while."""
        log.info("audit", action=action, by=by, request_id=request_id, **fields)
        self.recent.note(action, by, self.clock(), fields)

    def note_written(self, action: str, written: Written, author: Author, request_id: str) -> None:
        """Count and log a write of one project; not one that an earlier request had done already."""
        if written.is_repeated:
            return
        unchanged = written.outcome is Outcome.UNCHANGED
        outcome = written.outcome.value if unchanged else _OUTCOMES.get(action, written.outcome.value)
        self.metrics.change(outcome)
        self.audit(
            action,
            by=author.by,
            request_id=request_id,
            project=written.project.name,
            outcome=outcome,
            revision=written.project.revision,
            published=written.published,
            reason=author.reason,
            on_behalf_of=author.on_behalf_of,
        )

    def note_refusal(self, request: web.Request, refusal: TokenRefused) -> None:
        """Count a token that was refused. Raises `TooManyWrongTokens` where an address has shown too many wrong ones;
        none at all is not wrong."""
        self.metrics.token_refused(refusal.code.removeprefix("token-"))
        if isinstance(refusal, TokenMissing):
            return
        try:
            self.wrong_tokens.refuse(remote_address(request, self))
        except TooManyWrongTokens:
            self.metrics.token_refused("limited")
            raise

    def holds(self, project: Project) -> bool:
        """Tell whether the table in memory has a project's revision, or a later one."""
        row = self.replica.row(project.name)
        return isinstance(row, Row) and row.revision >= project.revision

    def visible(self, project: Project) -> Visible:
        """Return when readers see the last change of a project, from its publication on."""
        before, table = project.history[0].before, self.replica.applied
        earlier = 404 if before is None else 410 if before.state == "gone" else before.status
        purged = self.settings.purge is not None and table is not None and table.purging
        within = timing_of(self.settings.poll_seconds, self.settings.stale_after).blind if purged else None
        return visible(earlier, self.settings.lifetimes, purged_within=within)

    async def is_published(self, project: Project) -> bool:
        """Tell whether a project's revision is published, as far as that can be known now."""
        if not self.holds(project):
            with suppress(Unknown):
                await self.refresh()
        return self.holds(project)


def remote_address(request: web.Request, services: Services) -> str:
    """Return whom a request comes from: of ``X-Forwarded-For`` the last address that is not a trusted proxy's."""
    address = request.remote or ""
    trusted = services.settings.trusted_proxies
    hops = [hop.strip() for value in request.headers.getall("X-Forwarded-For", []) for hop in value.split(",")]
    while hops:
        try:
            parsed = ip_address(address)
        except ValueError:
            break
        if not any(parsed in network for network in trusted):
            break
        address = hops.pop()
    return address


class Call(NamedTuple):
    """One request, after whoever asks was let in."""

    request: web.Request
    services: Services
    identity: Identity | None
    """Who asks; None on an open route."""
    name: str | None
    """The normalised name of the project in the path; None where there is none, or no legal one."""
    query: Query
    request_id: str

    @property
    def who(self) -> Identity:
        """Who asks, on a route that is not open."""
        assert self.identity is not None, "the route lets nobody in without a token"
        return self.identity

    def author(self, reason: str | None, on_behalf_of: str | None) -> Author:
        """Return who makes a change, for the history. Raises `ScopeMissing` where he may not speak for others."""
        if on_behalf_of is not None and not self.who.is_admin:
            raise ScopeMissing("On-Behalf-Of is for administrators: it needs the scope admin.", "admin")
        return Author(by=self.who.name, on_behalf_of=on_behalf_of, reason=reason)

    def audit(self, action: str, **fields: Any) -> None:
        """Log a change: what was done, by whom, and in which request."""
        self.services.audit(action, by=self.who.name, request_id=self.request_id, **fields)


class Patience:
    """How long a request may still wait for the store. However many things it asks, that the store fails is told within
    3 s; what a client takes to send its body does not count."""

    def __init__(self, seconds: float = STORE_SECONDS) -> None:
        self.left = seconds


_PATIENCE: ContextVar[Patience | None] = ContextVar("patience", default=None)


def be_patient() -> None:
    """Begin to count for the request that this task answers."""
    _PATIENCE.set(Patience())


def patience() -> Patience:
    """Return how long the request of this task may still wait; for anything else, as if it had just begun."""
    return _PATIENCE.get() or Patience()


@asynccontextmanager
async def in_time(step: str) -> AsyncIterator[None]:
    """Give what needs the store the time that is left. Raises `StoreUnavailable` after that, in the `step` that it was,
    which is said of any other failure of the store too."""
    remaining, begin = patience(), time.monotonic()
    try:
        async with asyncio.timeout(max(remaining.left, _LEAST_SECONDS)):
            yield
    except TimeoutError as error:
        slow = StoreUnavailable("The store did not answer in time.")
        slow.step = step
        raise slow from error
    except StoreError as error:
        error.step = error.step or step
        raise
    finally:
        remaining.left -= time.monotonic() - begin


def json_response(value: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """Return an answer of JSON."""
    body = msgspec.json.encode(value) + b"\n"
    return web.Response(status=status, body=body, content_type=JSON, headers={**NO_STORE, **(headers or {})})


def next_link(request: web.Request, cursor: str | None) -> dict[str, str]:
    """Return the header that leads to a list's next page (RFC 8288), if there is one."""
    if cursor is None:
        return {}
    url = request.rel_url.update_query(cursor=cursor)
    return {"Link": f'<{url}>; rel="next"'}
