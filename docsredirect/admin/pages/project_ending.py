"""Withdrawing a project's documentation and removing its redirect: each confirmed by typing the name."""

from typing import Literal

import msgspec
from aiohttp import web

from docsredirect.admin.pages import project_view, saving
from docsredirect.admin.pages.own_projects import OfProject, etag, path_of, read
from docsredirect.admin.pages.visits import VIEWS, Visit, see_other
from docsredirect.admin.reading import MAX_REASON
from docsredirect.domain import names
from docsredirect.domain.errors import PreconditionFailed

Ending = Literal["withdraw", "remove"]


def show(ending: Ending) -> OfProject:
    """Return what shows the page of an ending."""

    async def show_ending(visit: Visit, name: str) -> web.StreamResponse:
        return await _page(visit, name, ending)

    return show_ending


def confirm(ending: Ending) -> OfProject:
    """Return what does it, once the name was typed."""

    async def end(visit: Visit, name: str) -> web.StreamResponse:
        form = visit.form
        reason, seen = form.text("reason"), form.text("etag")
        faults = {}
        if names.normalise(form.text("typed")) != name:
            faults["typed"] = f"Type {name} to confirm. Nothing was changed."
        if len(reason) > MAX_REASON or not reason.isprintable():
            faults["reason"] = f"The reason is one line of at most {MAX_REASON} printable characters."
        if faults:
            return await _page(visit, name, ending, status=422, faults=faults)
        try:
            if ending == "remove":
                return await saving.remove(visit, name, seen, reason)
            return await _withdraw(visit, name, seen, reason)
        except PreconditionFailed:
            problem = "Somebody has changed the project since this page was made. Look at it, then decide again."
            return await _page(visit, name, ending, status=412, problem=problem)

    return end


async def _withdraw(visit: Visit, name: str, seen: str, reason: str) -> web.StreamResponse:
    project = await read(visit, name)
    if project is None or project.record is None:
        return see_other(path_of(name))
    if project.record.state == "gone":  # a form that was sent twice
        return see_other(f"{path_of(name)}/saved")
    return await saving.put(visit, msgspec.structs.replace(project.record, state="gone"), seen, reason)


async def _page(
    visit: Visit,
    name: str,
    ending: Ending,
    *,
    status: int = 200,
    faults: dict[str, str] | None = None,
    problem: str = "",
) -> web.StreamResponse:
    project = await read(visit, name)
    if project is None or project.record is None:
        return see_other(path_of(name))
    return VIEWS.page(
        visit,
        "project_ending.html",
        status=status,
        **project_view.words(name, project.record.project),
        record=project.record,
        ending=ending,
        etag=etag(project),
        typed=visit.form.text("typed"),
        reason=visit.form.text("reason"),
        faults=faults or {},
        problem=problem,
    )
