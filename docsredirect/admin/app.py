"""The admin application: from a request to its route, with whoever asks let in on the way; and from whatever is raised
to a problem. One place authenticates, logs, counts and renders errors."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import structlog
from aiohttp import hdrs, web

from docsredirect import __version__
from docsredirect.admin import openapi, problems, tables
from docsredirect.admin.errors import MethodNotAllowed, NoSuchRoute, WrongHost
from docsredirect.admin.pages.entrance import PageEntrance, show_problem, wants_page
from docsredirect.admin.pages.table import PAGES
from docsredirect.admin.pages.visits import ASSETS, asset
from docsredirect.admin.reading import Query
from docsredirect.admin.routes import API, OPENAPI, ROUTES, Access, Route
from docsredirect.admin.services import (
    JSON,
    NO_STORE,
    NOTES,
    Call,
    Notes,
    Services,
    be_patient,
    in_time,
    remote_address,
)
from docsredirect.domain import names, tokens
from docsredirect.domain.errors import (
    DocsRedirectError,
    MalformedText,
    NoSuchProject,
    PreconditionFailed,
    ScopeMissing,
    TokenMissing,
    TokenRefused,
    TooManyWrongTokens,
    shorten,
)
from docsredirect.domain.hosts import host_of, is_loopback
from docsredirect.domain.tokens import Identity

SERVER = f"docsredirect/{__version__}"
REQUEST_ID = "X-Request-Id"

_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_BEARER = re.compile(r"bearer +(\S+) *", re.IGNORECASE)
_HEALTH = "/-/health/"
_UNROUTED = "none"

log = structlog.get_logger(__name__)

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def make_app(services: Services) -> web.Application:
    """Return the application over `services`."""
    answering = _Answering(services)

    @web.middleware
    async def answer(request: web.Request, handler: _Handler) -> web.StreamResponse:
        return await answering.answer(request, handler)

    app = web.Application(middlewares=[answer])
    app.on_response_prepare.append(_sign)
    app[tables.IMPORT_TURN] = asyncio.Semaphore(1)
    entrance = _Entrance(services)
    handlers = {(route.method, route.path): entrance.to(route) for route in ROUTES}
    page_entrance = PageEntrance(services)
    for page in PAGES:
        handler = page_entrance.to(page)
        answered = handlers.get((page.method, page.path))
        handlers[page.method, page.path] = handler if answered is None else _page_or(handler, answered)
    for (method, path), handler in handlers.items():
        app.router.add_route(method, path, handler)
        if method == "GET":
            app.router.add_route("HEAD", path, handler)

    async def show_openapi(request: web.Request) -> web.Response:
        return web.Response(body=openapi.DOCUMENT, content_type=JSON, headers=NO_STORE)

    async def show_asset(request: web.Request) -> web.Response:
        found = asset(request.match_info["name"], request.query.get("v"))
        if found is None:
            raise NoSuchRoute("There is no such file.")
        return found

    app.router.add_get(OPENAPI, show_openapi)
    app.router.add_get(f"{ASSETS}{{name}}", show_asset)
    services.metrics.know_routes(resource.canonical for resource in app.router.resources())
    return app


def _page_or(page: _Handler, answer: _Handler) -> _Handler:
    """Return the handler of a path that browsers get a page at, and everybody else the API's answer."""

    async def choose(request: web.Request) -> web.StreamResponse:
        return await (page(request) if wants_page(request) else answer(request))

    return choose


async def _sign(request: web.Request, response: web.StreamResponse) -> None:
    """Say in every answer, streamed ones too, which request it is to."""
    if (notes := request.get(NOTES)) is not None:  # what has not come to a route has its own
        response.headers[REQUEST_ID] = notes.request_id
    response.headers[hdrs.SERVER] = SERVER


class _Entrance:
    """Lets requests in: to a route, with whoever asks, if the token he shows reaches that far."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def to(self, route: Route) -> _Handler:
        """Return the handler of a route."""
        known = tuple(parameter.name for parameter in route.query)

        async def enter(request: web.Request) -> web.StreamResponse:
            identity = None if route.access is Access.OPEN else await identify(request, self._services)
            spelled = request.match_info.get("project")
            name = None if spelled is None else names.normalise(spelled)
            if identity is not None:
                _check_scope(route, identity, spelled, name)
            notes = request[NOTES]
            query = Query(request, known)
            return await route.handler(Call(request, self._services, identity, name, query, notes.request_id))

        return enter


async def identify(request: web.Request, services: Services) -> Identity:
    """Return who asks, by the token in ``Authorization``. Raises `TokenRefused`, or `TooManyWrongTokens` where many
    wrong ones came from the same address."""
    given = request.headers.getall(hdrs.AUTHORIZATION, [])
    match = _BEARER.fullmatch(given[0]) if len(given) == 1 else None
    try:
        # What is there and is no bearer token is a wrong token, not a missing one.
        shown = match.group(1) if match is not None else (given[0] if given else None)
        async with in_time("read"):
            identity = await services.tokens.identify(shown)
    except TokenRefused as error:
        services.note_refusal(request, error)
        raise
    request[NOTES].identity = identity
    return identity


def _check_scope(route: Route, identity: Identity, spelled: str | None, name: str | None) -> None:
    if route.access is Access.ADMIN and not identity.is_admin:
        raise ScopeMissing("This is for administrators: it needs a token with the scope admin.", "admin")
    if route.access is Access.WRITE and not identity.is_admin:
        if name is None:
            raise NoSuchProject(f"{shorten(spelled or '')} is not a project name (PEP 508).")
        if not identity.may_write(name):
            scope = ", ".join(identity.scope)
            raise ScopeMissing(f"The token may write {scope}. This needs the scope {name}, or admin.", name)


class _Answering:
    """Around every request: its id, the host check, errors as problems, a log line, and the metrics."""

    def __init__(self, services: Services) -> None:
        self._services = services
        base = services.settings.admin_base
        self._host = None if base is None else host_of(urlsplit(base).netloc)

    async def answer(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Answer a request: the middleware."""
        given = request.headers.get(REQUEST_ID, "")
        notes = Notes(given if _GIVEN_ID.fullmatch(given) else self._services.new_id())
        request[NOTES] = notes
        be_patient()
        begin = time.perf_counter()
        response = await self._respond(request, handler, notes)
        self._note(request, response, notes, time.perf_counter() - begin)
        return response

    async def _respond(self, request: web.Request, handler: _Handler, notes: Notes) -> web.StreamResponse:
        try:
            self._check_host(request)
            return await handler(request)
        except DocsRedirectError as error:
            return await self._problem(request, error, notes)
        except web.HTTPException as error:
            return await self._unrouted(request, error, notes)
        except (ConnectionError, asyncio.CancelledError):  # nobody is there to be answered
            raise
        except Exception:
            log.exception("request failed", request_id=notes.request_id, route=_template(request))
            return await self._problem(request, DocsRedirectError("internal"), notes)

    async def _unrouted(self, request: web.Request, error: web.HTTPException, notes: Notes) -> web.StreamResponse:
        """Answer what no route takes. Whether a path exists below the API is for those who are let in."""
        raised: DocsRedirectError
        if isinstance(error, web.HTTPMethodNotAllowed):
            allowed = frozenset(error.allowed_methods)
            raised = MethodNotAllowed(f"Allowed here: {', '.join(sorted(allowed))}.", allowed)
        elif isinstance(error, web.HTTPNotFound):
            raised = NoSuchRoute("There is nothing at this path.")
        else:
            raised = MalformedText(f"The request cannot be answered: {error.reason}.")
        is_api = request.path.startswith(f"{API}/") and request.path != OPENAPI
        if is_api:
            try:
                await identify(request, self._services)
            except DocsRedirectError as refusal:
                raised = refusal
        return await self._problem(request, raised, notes)

    def _check_host(self, request: web.Request) -> None:
        given = request.headers.getall(hdrs.HOST, [])
        host = host_of(given[0]) if len(given) == 1 else None
        if host is None:
            raise MalformedText("The request has no Host, or one that is no host name.")
        if not is_loopback(host) and host != self._host and not request.path.startswith(_HEALTH):
            raise WrongHost(f"{shorten(host)} is not a host of this service.")

    async def _problem(self, request: web.Request, error: DocsRedirectError, notes: Notes) -> web.Response:
        headers = dict(NO_STORE)
        if isinstance(error, TokenRefused):
            invalid = "" if isinstance(error, TokenMissing) else ', error="invalid_token"'
            headers[hdrs.WWW_AUTHENTICATE] = f'Bearer realm="docsredirect"{invalid}'
        elif isinstance(error, ScopeMissing):
            headers[hdrs.WWW_AUTHENTICATE] = f'Bearer error="insufficient_scope", scope="{error.scope}"'
        elif isinstance(error, MethodNotAllowed):
            headers[hdrs.ALLOW] = ", ".join(sorted(error.allowed))
        elif isinstance(error, TooManyWrongTokens):
            headers[hdrs.RETRY_AFTER] = str(error.retry_after)
        elif isinstance(error, NoSuchProject) and error.etag is not None:
            headers[hdrs.ETAG] = f'"{error.etag}"'
        if error.status == 503:
            headers[hdrs.RETRY_AFTER] = str(self._services.settings.retry_after)
            log.warning("not answered", request_id=notes.request_id, code=error.code, reason=str(error))
        current = error.current if isinstance(error, PreconditionFailed) else None
        published = current is not None and await self._services.is_published(current)
        reveal = notes.identity is not None and notes.identity.is_admin
        response: web.Response
        if wants_page(request) and not request.path.startswith(f"{API}/"):
            response = show_problem(error, notes.request_id, headers)
        else:
            body = problems.body_of(error, notes.request_id, published=published, reveal=reveal)
            response = web.Response(status=error.status, body=body, content_type=problems.CONTENT_TYPE, headers=headers)
        if request.can_read_body:  # what was not read of the body would be taken for the next request
            response.force_close()
        return response

    def _note(self, request: web.Request, response: web.StreamResponse, notes: Notes, seconds: float) -> None:
        route = _template(request)
        self._services.metrics.admin_request(route, request.method, response.status, seconds)
        if route.startswith(_HEALTH):
            return
        identity = notes.identity
        log.info(
            "request",
            method=request.method,
            route=route,
            project=_project(request),
            status=response.status,
            seconds=round(seconds, 4),
            by=None if identity is None else identity.name,
            remote=remote_address(request, self._services),
            request_id=notes.request_id,
        )


def _project(request: web.Request) -> str | None:
    """Return the normalised name in a request's path. A whole token, put there by mistake, is legal as a name."""
    spelled = request.match_info.get("project", "")
    return None if tokens.parse(spelled) is not None else names.normalise(spelled)


def _template(request: web.Request) -> str:
    """Return the path of the route that a request has come to, as the table writes it: of a closed set."""
    resource = request.match_info.route.resource
    return _UNROUTED if resource is None else resource.canonical
