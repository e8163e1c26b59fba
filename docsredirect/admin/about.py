"""The open routes: what this service is, whether it can answer, and what its problems mean."""

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from docsredirect.admin.bodies import LiveBody, ReadyBody
from docsredirect.admin.errors import NoSuchRoute
from docsredirect.admin.problems import BY_CODE, PROBLEMS
from docsredirect.admin.services import NO_STORE, Call, json_response
from docsredirect.domain.errors import shorten
from docsredirect.telemetry.versions import versions


def code(text: str) -> Markup:
    """Return text with what stands between backticks as code."""
    parts = [escape(part) for part in text.split("`")]
    marked = [Markup("<code>{}</code>").format(part) if number % 2 else part for number, part in enumerate(parts)]
    return Markup("").join(marked)


_PAGES = Environment(loader=PackageLoader("docsredirect.admin"), autoescape=True, undefined=StrictUndefined,
                     trim_blocks=True, lstrip_blocks=True)  # fmt: skip
_PAGES.filters["code"] = code
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_PAGE_HEADERS = {**NO_STORE, "Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer"}


async def live(call: Call) -> web.Response:
    """Say that the process runs."""
    return json_response(LiveBody(live=True))


async def ready(call: Call) -> web.Response:
    """Say whether the table is held, which lists and previews need."""
    replica = call.services.replica
    body = ReadyBody(
        ready=replica.ready,
        sequence=None if replica.table is None else replica.table.sequence,
        rows=replica.rows,
        problem=replica.problem,
    )
    return json_response(body, status=200 if replica.ready else 503)


async def version(call: Call) -> web.Response:
    """Say what is installed."""
    return json_response(versions())


async def list_problems(call: Call) -> web.Response:
    """Show every problem that the API tells of."""
    return _page("problems.html", problems=PROBLEMS)


async def show_problem(call: Call) -> web.Response:
    """Show what a problem means and what to do."""
    code = call.request.match_info["code"]
    if code not in BY_CODE:
        raise NoSuchRoute(f"There is no problem of the type {shorten(code)}.")
    return _page("problem.html", problem=BY_CODE[code])


def _page(template: str, **values: object) -> web.Response:
    text = _PAGES.get_template(template).render(values)
    return web.Response(text=text, content_type="text/html", headers=_PAGE_HEADERS)
