"""The open routes: what this service is, whether it can answer, and what its problems mean."""

from aiohttp import web

from docsredirect.admin.bodies import LiveBody, ReadyBody
from docsredirect.admin.errors import NoSuchRoute
from docsredirect.admin.pages.visits import VIEWS
from docsredirect.admin.problems import BY_CODE, PROBLEMS
from docsredirect.admin.services import Call, json_response
from docsredirect.domain.errors import shorten
from docsredirect.telemetry.versions import versions


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
        problem=None if replica.problem is None else "The log, and /-/status on the ops listener, say why.",
    )
    return json_response(body, status=200 if replica.ready else 503)


async def version(call: Call) -> web.Response:
    """Say what is installed."""
    return json_response(versions())


async def list_problems(call: Call) -> web.Response:
    """Show every problem that the API tells of."""
    return VIEWS.plain("problems.html", problems=PROBLEMS)


async def show_problem(call: Call) -> web.Response:
    """Show what a problem means and what to do."""
    code = call.request.match_info["code"]
    if code not in BY_CODE:
        raise NoSuchRoute(f"There is no problem of the type {shorten(code)}.")
    return VIEWS.plain("problem.html", problem=BY_CODE[code])
