"""Letting people in to the pages of one project: the name in any spelling, the scope, and reading it. Shows nothing."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from docsredirect.admin.pages.visits import VIEWS, Handler, Visit, see_other, segment
from docsredirect.admin.pages.wording import visible
from docsredirect.admin.services import in_time
from docsredirect.domain import names
from docsredirect.domain.errors import NoSuchProject
from docsredirect.domain.preconditions import etag_of
from docsredirect.domain.projects import Project
from docsredirect.domain.records import RESERVED_NAMES

PATH = "/projects/{project}"

OfProject = Callable[[Visit, str], Awaitable[web.StreamResponse]]
"""What answers a page of one project, by its normalised name."""


def of_project(handler: OfProject, below: str = "") -> Handler:
    """Return the handler of a page `below` a project's own: for those whose session reaches that project, under its
    normalised name."""

    async def enter(visit: Visit) -> web.StreamResponse:
        spelled = visit.request.match_info["project"]
        name = names.normalise(spelled)
        if name is None or name in RESERVED_NAMES:
            return VIEWS.page(visit, "project_unknown.html", status=404, spelled=visible(spelled[: names.MAX_NAME]))
        if not visit.who.may_write(name):
            return VIEWS.page(visit, "project_closed.html", status=403, name=name)
        if spelled != name and not visit.sent:
            return see_other(f"{path_of(name)}{below}")
        return await handler(visit, name)

    return enter


def path_of(name: str) -> str:
    """Return the path of a project's page."""
    return f"/projects/{segment(name)}"


async def read(visit: Visit, name: str) -> Project | None:
    """Return a project or its tombstone; None where there never was one. Raises `StoreUnavailable` and `Damaged`."""
    try:
        async with in_time("read"):
            return await visit.services.registry.read_any(name)
    except NoSuchProject:
        return None


def etag(project: Project | None) -> str:
    """Return what a form says that it has seen: empty where there was nothing."""
    return "" if project is None else etag_of(project)
