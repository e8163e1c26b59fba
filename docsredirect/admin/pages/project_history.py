"""The history of a project, page by page, and going back to what it was."""

from aiohttp import web

from docsredirect.admin.bodies import MAX_REVISION
from docsredirect.admin.pages import project_view, saving
from docsredirect.admin.pages.own_projects import etag, path_of, read
from docsredirect.admin.pages.visits import VIEWS, Visit, see_other
from docsredirect.admin.services import in_time
from docsredirect.domain.errors import InvalidRecord, NoSuchRevision, PreconditionFailed

_ENTRIES = 20
_DIFFERENCES = 10


async def show(visit: Visit, name: str) -> web.StreamResponse:
    """Show a page of a project's history, newest first."""
    return await _page(visit, name)


async def restore(visit: Visit, name: str) -> web.StreamResponse:
    """Make a project what it was at a revision."""
    revision = _revision(visit.form.text("revision"))
    if revision is None:
        return see_other(f"{path_of(name)}/history")
    try:
        return await saving.restore(visit, name, revision, visit.form.text("etag"))
    except PreconditionFailed:
        problem = "Somebody has changed the project since this page was made. Nothing was restored: look again."
        return await _page(visit, name, status=412, problem=problem)
    except NoSuchRevision as error:
        return await _page(visit, name, status=422, problem=str(error))
    except InvalidRecord as error:
        listed = " ".join(fault.detail for fault in error.faults)
        problem = f"Revision {revision} breaks a rule of today, so it was not restored. {listed}"
        return await _page(visit, name, status=422, problem=problem)


async def _page(visit: Visit, name: str, *, status: int = 200, problem: str = "") -> web.Response:
    project = await read(visit, name)
    below = _revision(visit.request.query.get("before", "")) or MAX_REVISION
    past = []
    if project is not None:
        async with in_time("read"):
            past = await visit.services.registry.history(name, below=below, limit=_ENTRIES)
    return VIEWS.page(
        visit,
        "project_history.html",
        status=status,
        **project_view.words(name, project_view.spelling_of(name, project)),
        etag=etag(project),
        history=[] if project is None else project_view.revisions(past, project, _DIFFERENCES),
        older=past[-1].entry.revision if len(past) == _ENTRIES and past[-1].entry.revision > 1 else None,
        newest=below == MAX_REVISION,
        problem=problem,
    )


def _revision(text: str) -> int | None:
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(MAX_REVISION)) else 0
    return number if 1 <= number <= MAX_REVISION else None
