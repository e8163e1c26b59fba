"""Writing a project from its pages: only over what the form was made from; and the page that says what came of it."""

from aiohttp import web

from docsredirect.admin.pages import project_view
from docsredirect.admin.pages.own_projects import path_of, read
from docsredirect.admin.pages.visits import VIEWS, Visit, see_other
from docsredirect.admin.services import patience
from docsredirect.domain.errors import NoSuchProject
from docsredirect.domain.preconditions import Precondition
from docsredirect.domain.records import Record, parse_record, to_fields
from docsredirect.domain.resolve import resolve
from docsredirect.domain.routes import Route
from docsredirect.domain.visibility import duration
from docsredirect.service.commits import Outcome
from docsredirect.service.registry import Written

UNCHANGED = "unchanged"


async def put(visit: Visit, record: Record, etag: str, reason: str) -> web.Response:
    """Write a record over the state of `etag` (empty: there was none). Raises as `Registry.put` does."""
    written = await visit.services.registry.put(record, visit.author(reason), _seen(etag), seconds=patience().left)
    return _done(visit, "put", written, reason)


async def remove(visit: Visit, name: str, etag: str, reason: str) -> web.Response:
    """Leave a tombstone in the place of the state of `etag`. Raises as `Registry.delete` does, but where it has been
    done already."""
    try:
        written = await visit.services.registry.delete(name, visit.author(reason), _seen(etag), seconds=patience().left)
    except NoSuchProject:
        return see_other(f"{path_of(name)}/saved")
    return _done(visit, "delete", written, reason)


async def restore(visit: Visit, name: str, revision: int, etag: str) -> web.Response:
    """Make a project what it was at a revision, over the state of `etag`. Raises as `Registry.roll_back` does, and
    `InvalidRecord` where that record breaks the rules of today."""
    hosts = visit.services.hosts
    reason = f"Restored revision {revision}"

    def recheck(record: Record) -> Record:
        return parse_record(to_fields(record), hosts).record

    registry = visit.services.registry
    written = await registry.roll_back(
        name, revision, visit.author(reason), _seen(etag), recheck=recheck, seconds=patience().left
    )
    return _done(visit, "rollback", written, reason)


async def show_saved(visit: Visit, name: str) -> web.StreamResponse:
    """Say what a project is since its last change, whether that is published, and when readers see it."""
    project = await read(visit, name)
    if project is None:
        return see_other(path_of(name))
    record = project.record
    return VIEWS.page(
        visit,
        "project_saved.html",
        **project_view.words(name, project_view.spelling_of(name, project)),
        record=record,
        root=None if record is None else resolve({name: Route(record)}.get, f"/{name}/"),
        change=project_view.last_change(project),
        published=await visit.services.is_published(project),
        unchanged=UNCHANGED in visit.request.query,
        seen=visit.services.visible(project),
        duration=duration,
    )


def _seen(etag: str) -> Precondition:
    return Precondition(any_of=frozenset({etag})) if etag else Precondition(absent=True)


def _done(visit: Visit, action: str, written: Written, reason: str) -> web.Response:
    visit.services.note_written(action, written, visit.author(reason), visit.request_id)
    unchanged = written.outcome is Outcome.UNCHANGED
    return see_other(f"{path_of(written.project.name)}/saved{f'?{UNCHANGED}' if unchanged else ''}")
