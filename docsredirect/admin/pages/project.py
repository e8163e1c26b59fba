"""The page of a project: its form, shown again for every button but Save; the live preview; and the conflict."""

import re
from typing import Literal, NamedTuple

from aiohttp import web

from docsredirect.admin import problems
from docsredirect.admin.pages import project_view, record_form, saving, wording
from docsredirect.admin.pages.own_projects import etag, path_of, read
from docsredirect.admin.pages.record_form import Checkup, Draft
from docsredirect.admin.pages.visits import VIEWS, Visit, see_other
from docsredirect.domain.advice import advise
from docsredirect.domain.errors import PreconditionFailed, StoreError
from docsredirect.domain.preview import changes
from docsredirect.domain.projects import Project
from docsredirect.domain.records import Record

_MORE_ROWS = 3
_MAX_BLANK_ROWS = 20
_PLACE = re.compile(r"[0-9]{1,4}", re.ASCII)


class _Shown(NamedTuple):
    """How the page is shown: its status, with a preview or without, where to begin to read, and what went wrong."""

    status: int = 200
    previewed: bool = False
    focus: Literal["", "faults", "preview", "rules", "notice"] = ""
    notice: str = ""


_PLAIN = _Shown()


async def show(visit: Visit, name: str) -> web.StreamResponse:
    """Show a project with the form of its record, or with an empty one."""
    project = await read(visit, name)
    record = None if project is None else project.record
    if record is None:
        draft = record_form.empty(project_view.spelling_of(name, project), etag(project))
    else:
        draft = record_form.draft_of(record, etag(project))
    return await _page(visit, name, project, Checkup(draft, record, []))


async def send(visit: Visit, name: str) -> web.StreamResponse:
    """Do what the form's button says."""
    project = await read(visit, name)
    drop = visit.form.text("drop")
    draft = record_form.draft_in(visit.form, without_row=int(drop) if _PLACE.fullmatch(drop) else None)
    action = visit.form.text("do")
    if drop or action == "more-rows":
        blank = draft.blank_rows + (0 if drop else _MORE_ROWS)
        draft = draft._replace(blank_rows=min(blank, _MAX_BLANK_ROWS))
        return await _page(visit, name, project, Checkup(draft, None, []), _Shown(focus="rules"))
    if action == "activate":
        draft = draft._replace(state="active")
    checkup = record_form.check(draft, name, visit.services.hosts)
    if visit.form.has("remedy"):
        checkup = _remedied(visit, name, checkup)
    if checkup.record is None:
        return await _page(visit, name, project, checkup, _Shown(422, focus="faults"))
    if action == "save":
        return await _save(visit, name, project, checkup, checkup.record)
    return await _page(visit, name, project, checkup, _Shown(previewed=True, focus="preview"))


async def preview(visit: Visit, name: str) -> web.StreamResponse:
    """Answer the parts of the page that change while the form is filled in, for the script."""
    project = await read(visit, name)
    checkup = record_form.check(record_form.draft_in(visit.form), name, visit.services.hosts)
    return VIEWS.page(
        visit,
        "project_live.html",
        **project_view.form_values(visit, name, project, checkup),
        preview=project_view.preview(visit, project, checkup),
        policies=wording.POLICIES,
    )


def _remedied(visit: Visit, name: str, checkup: Checkup) -> Checkup:
    """Return a form with the remedy applied that was asked for, if it is still offered."""
    offered = [] if checkup.record is None else advise(checkup.record)
    remedy = next((each.remedy for each in offered if each.code == visit.form.text("remedy")), None)
    if remedy is None:
        return checkup
    return record_form.check(checkup.draft.with_record(remedy), name, visit.services.hosts)


async def _save(
    visit: Visit, name: str, project: Project | None, checkup: Checkup, record: Record
) -> web.StreamResponse:
    draft = checkup.draft
    try:
        return await saving.put(visit, record, draft.etag, draft.reason)
    except PreconditionFailed as error:
        if error.current is not None and error.current.record == record:  # a form that was sent twice
            return see_other(f"{path_of(name)}/saved")
        return _conflict(visit, name, error.current, draft, record)
    except StoreError as error:
        shown = _Shown(
            error.status, previewed=True, focus="notice", notice=problems.detail_of(error, reveal=visit.who.is_admin)
        )
        response = await _page(visit, name, project, checkup, shown)
        response.headers["Retry-After"] = str(visit.services.settings.retry_after)
        return response


def _conflict(visit: Visit, name: str, theirs: Project | None, draft: Draft, mine: Record) -> web.Response:
    """Show what stands now beside what would be saved."""
    record = None if theirs is None else theirs.record
    differences = changes(record, mine)
    shown = [wording.difference(change) for change in differences[: project_view.SHOWN]]
    return VIEWS.page(
        visit,
        "project_conflict.html",
        status=412,
        **project_view.words(name, mine.project),
        theirs=theirs,
        change=None if theirs is None else project_view.last_change(theirs),
        removed=record is None,
        differences=shown,
        more=len(differences) - len(shown),
        draft=draft,
        etag=etag(theirs),
    )


async def _page(
    visit: Visit, name: str, project: Project | None, checkup: Checkup, shown: _Shown = _PLAIN
) -> web.Response:
    return VIEWS.page(
        visit,
        "project.html",
        status=shown.status,
        **project_view.whole_page(visit, name, project, checkup),
        published=project is not None and await visit.services.is_published(project),
        preview=project_view.preview(visit, project, checkup) if shown.previewed else None,
        focus=shown.focus,
        notice=shown.notice,
    )
