"""Letting people in to pages: the session, who is signed in, the guard of forms, and errors as pages."""

from collections.abc import Awaitable, Callable, Mapping

import structlog
from aiohttp import web

from docsredirect.admin import problems
from docsredirect.admin.pages.signing_in import SIGN_IN
from docsredirect.admin.pages.visits import FORM, VIEWS, For, Form, Page, Visit, read_form, see_other
from docsredirect.admin.services import NOTES, Services, in_time
from docsredirect.admin.sessions import CSRF_FIELD
from docsredirect.domain.errors import DocsRedirectError, ScopeMissing

log = structlog.get_logger(__name__)

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class PageEntrance:
    """Lets visitors in to pages."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def to(self, page: Page) -> _Handler:
        """Return the handler of a page."""

        async def enter(request: web.Request) -> web.StreamResponse:
            visit = self._visit(request)
            if visit.is_new and request.method == "GET" and request.headers.get("Sec-Fetch-Site") == "cross-site":
                # A link on another site: the browser keeps our cookie back, and a new one would sign its owner out.
                # Loaded once more from here, the page gets it.
                return VIEWS.plain("onward.html", url=request.rel_url.raw_path_qs)
            try:
                response = await self._answer(page, visit)
            except DocsRedirectError as error:
                if error.status == 500:
                    raise
                response = show_error(visit._replace(identity=request[NOTES].identity), error)
            if visit.is_new and not response.prepared and self._services.sessions.cookie not in response.cookies:
                self._services.sessions.write(response, visit.session)
            return response

        return enter

    def _visit(self, request: web.Request) -> Visit:
        sessions = self._services.sessions
        session = sessions.read(request)
        return Visit(
            request=request,
            services=self._services,
            session=session or sessions.begin(None),
            is_new=session is None,
            identity=None,
            form=Form([]),
            request_id=request[NOTES].request_id,
        )

    async def _answer(self, page: Page, visit: Visit) -> web.StreamResponse:
        sessions, request = self._services.sessions, visit.request
        async with in_time("read"):
            identity = await sessions.identity(visit.session)
        request[NOTES].identity = identity
        visit = visit._replace(identity=identity)
        if page.method == "POST":
            form = await read_form(request)
            sessions.check_form(request, None if visit.is_new else visit.session, form.text(CSRF_FIELD))
            visit = visit._replace(form=form)
        if page.whom is not For.ANYBODY and identity is None:
            return see_other(f"{SIGN_IN}?next={request.rel_url.raw_path}" if page.method == "GET" else SIGN_IN)
        if page.whom is For.ADMIN and not visit.who.is_admin:
            raise ScopeMissing("This page is for administrators.", "admin")
        return await page.handler(visit)


def show_error(visit: Visit, error: DocsRedirectError) -> web.Response:
    """Return the page that tells of an error."""
    problem = problems.BY_CODE[error.code]
    detail = problems.detail_of(error, reveal=visit.identity is not None and visit.identity.is_admin)
    response = VIEWS.page(
        visit, "error.html", status=error.status, problem=problem, detail=detail, request_id=visit.request_id
    )
    if error.status == 503:
        log.warning("not answered", request_id=visit.request_id, code=error.code, reason=str(error))
        response.headers["Retry-After"] = str(visit.services.settings.retry_after)
    if visit.request.can_read_body:  # what was not read of the body would be taken for the next request
        response.force_close()
    return response


def show_problem(error: DocsRedirectError, request_id: str, headers: Mapping[str, str]) -> web.Response:
    """Return the page that tells whoever has come to no page what is wrong."""
    problem = problems.BY_CODE[error.code]
    detail = problems.detail_of(error, reveal=False)
    response = VIEWS.plain("error.html", status=error.status, problem=problem, detail=detail, request_id=request_id)
    response.headers.update(headers)
    return response


def wants_page(request: web.Request) -> bool:
    """Tell whether whoever asks for a path that both the API and the pages answer is a browser."""
    if request.method == "POST":
        return request.content_type == FORM and bool(request.headers.get("Content-Type"))
    return "text/html" in request.headers.get("Accept", "")
