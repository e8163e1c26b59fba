"""The routes of one project: reading, writing, removing, its history, and going back."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from docsredirect.admin import reading
from docsredirect.admin.bodies import (
    MAX_REVISION,
    DryRunBody,
    HistoryBody,
    ListedMeta,
    ListedProject,
    ProjectsBody,
    Warned,
    history_entry,
    project_body,
)
from docsredirect.admin.services import NO_STORE, Call, in_time, json_response, next_link, patience
from docsredirect.domain import names
from docsredirect.domain.errors import Fault, InvalidRecord, MalformedText, NoSuchProject, shorten
from docsredirect.domain.preconditions import Precondition, etag_of
from docsredirect.domain.preview import changes, samples
from docsredirect.domain.projects import Project
from docsredirect.domain.records import Checked, Record, parse_record, to_fields
from docsredirect.domain.tables import Row
from docsredirect.service.commits import Outcome
from docsredirect.service.registry import Written

MAX_LIMIT, DEFAULT_LIMIT = 1_000, 100
MAX_HISTORY_LIMIT = 100
"""Entries have two records each, of up to 128 KiB."""


async def list_projects(call: Call) -> web.Response:
    """Answer a page of the published table."""
    after = call.query.text("cursor") or ""
    if after and names.normalise(after) != after:
        raise MalformedText(f"cursor is {shorten(after)}. Follow the link with rel=next instead of making one.")
    state: Any = call.query.choice("state", ("active", "gone", "removed"))
    limit = call.query.number("limit", 1, MAX_LIMIT, DEFAULT_LIMIT)
    await call.services.refresh()
    page = await call.services.listing.page(q=call.query.text("q") or "", state=state, after=after, limit=limit)
    body = ProjectsBody([_listed(row) for row in page.rows])
    return json_response(body, headers=next_link(call.request, page.next))


def _listed(row: Row) -> ListedProject:
    meta = ListedMeta(row.revision)
    if row.record is None:
        return ListedProject(project=row.name, state="removed", meta=meta)
    return ListedProject(**to_fields(row.record), meta=meta)


async def get_project(call: Call) -> web.Response:
    """Answer a project's record, or that the reader holds it already."""
    async with in_time("read"):
        project = await call.services.registry.read(_name(call))
    etag = etag_of(project)
    if reading.is_held(call.request, etag):
        return web.Response(status=304, headers={**NO_STORE, "ETag": f'"{etag}"'})
    return _answer(project, project_body(project, published=await call.services.is_published(project)))


async def put_project(call: Call) -> web.Response:
    """Create or change a project's record, or say what that would do."""
    checked = _check(await reading.read_json(call.request), call)
    record = checked.record
    author = call.author(reading.read_reason(call.request), reading.read_on_behalf_of(call.request))
    dry_run = call.query.flag("dry_run")
    precondition = reading.read_precondition(call.request, required=not dry_run, creates=True)
    operation = reading.read_operation(call.request, call.who.name, record)
    if dry_run:
        return await _preview(call, checked, precondition)
    written = await call.services.registry.put(
        record, author, precondition, operation=operation, seconds=patience().left
    )
    call.services.note_written("put", written, author, call.request_id)
    status = 201 if written.outcome is Outcome.CREATED and written.project.record is not None else 200
    return _written(call, written, status=status, warnings=checked.warnings)


async def _preview(call: Call, checked: Checked, precondition: Precondition) -> web.Response:
    record = checked.record
    try:
        async with in_time("read"):
            current: Project | None = await call.services.registry.read_any(record.name)
    except NoSuchProject:
        current = None
    precondition.check(current, record.name)
    before = None if current is None else current.record
    warnings = [Warned(each.pointer, each.code, each.detail) for each in checked.warnings]
    body = DryRunBody(changes=changes(before, record), samples=samples(before, record), warnings=warnings)
    return json_response(body)


async def delete_project(call: Call) -> web.Response:
    """Leave a tombstone in a redirect's place."""
    author = call.author(reading.read_reason(call.request), reading.read_on_behalf_of(call.request))
    name = _name(call)
    precondition = reading.read_precondition(call.request, required=True)
    operation = reading.read_operation(call.request, call.who.name, None)
    written = await call.services.registry.delete(
        name, author, precondition, operation=operation, seconds=patience().left
    )
    call.services.note_written("delete", written, author, call.request_id)
    return _written(call, written)


async def get_history(call: Call) -> web.Response:
    """Answer a page of a project's history, newest first."""
    limit = call.query.number("limit", 1, MAX_HISTORY_LIMIT, MAX_HISTORY_LIMIT)
    below = call.query.number("cursor", 1, MAX_REVISION, MAX_REVISION)
    async with in_time("read"):
        past = await call.services.registry.history(_name(call), below=below, limit=limit)
    more = len(past) == limit and past[-1].entry.revision > 1
    cursor = str(past[-1].entry.revision) if more else None
    body = HistoryBody([history_entry(each) for each in past])
    return json_response(body, headers=next_link(call.request, cursor))


async def roll_back(call: Call) -> web.Response:
    """Make a project again what it was at a revision."""
    fields = reading.Fields(await reading.read_json(call.request), ("revision",))
    revision = fields.need("revision", reading.whole_number("revision", 1, MAX_REVISION))
    fields.check()
    assert revision is not None
    author = call.author(reading.read_reason(call.request), reading.read_on_behalf_of(call.request))
    precondition = reading.read_precondition(call.request, required=False)
    operation = reading.read_operation(call.request, call.who.name, revision)
    hosts = call.services.hosts

    def recheck(record: Record) -> Record:
        return parse_record(to_fields(record), hosts).record

    written = await call.services.registry.roll_back(
        _name(call), revision, author, precondition, recheck=recheck, operation=operation, seconds=patience().left
    )
    call.services.note_written("rollback", written, author, call.request_id)
    return _written(call, written)


def _name(call: Call) -> str:
    if call.name is None:
        raise NoSuchProject(f"{shorten(call.request.match_info['project'])} is not a project name (PEP 508).")
    return call.name


def _check(body: Any, call: Call) -> Checked:
    """Return the checked record of a body. Raises `InvalidRecord`, also where it is another project's than the path."""
    faults: list[Fault] = []
    checked: Checked | None = None
    if isinstance(body, Mapping):
        body = {field: value for field, value in body.items() if field != "meta"}
        project = body.get("project")
        if isinstance(project, str) and (names.normalise(project) or project) != call.name:
            detail = (
                f"{shorten(project)} is not the project of the path, {shorten(call.request.match_info['project'])}."
            )
            faults.append(Fault("/project", "project-mismatch", detail))
    try:
        checked = parse_record(body, call.services.hosts)
    except InvalidRecord as error:
        faults += error.faults
    if faults or checked is None:
        raise InvalidRecord(faults)
    return checked


def _written(call: Call, written: Written, *, status: int = 200, warnings: list[Fault] | None = None) -> web.Response:
    project = written.project
    visible = call.services.visible(project)
    body = project_body(project, published=written.published, visible=visible, warnings=warnings)
    return _answer(project, body, status)


def _answer(project: Project, body: Mapping[str, Any], status: int = 200) -> web.Response:
    return json_response(body, status=status, headers={"ETag": f'"{etag_of(project)}"'})
