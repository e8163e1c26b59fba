"""The front page: for maintainers the projects that they may change, for administrators all of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode

from aiohttp import web

from docsredirect.admin.bodies import moment
from docsredirect.admin.pages.visits import VIEWS, Visit, see_other, segment
from docsredirect.admin.services import in_time
from docsredirect.domain import names
from docsredirect.domain.errors import Damaged, InvalidRecord, MalformedText, NoSuchProject, shorten
from docsredirect.domain.projects import Project
from docsredirect.domain.tables import Row
from docsredirect.domain.tokens import parse_project
from docsredirect.service.concurrency import for_each

PROJECTS = "/projects/"
ALL_PAGE, OWN_PAGE = 50, 40
"""Rows on a page: it stays under 60 KiB, whatever stands in them."""

MAX_TARGET_SHOWN, MAX_BY_SHOWN, MAX_Q = 80, 40, 200
"""In characters."""

SEARCHABLE = 5
"""Who may change more projects than this has a box to search them."""

_READS = 16
_STATES = ("active", "gone", "removed")


class Listed(NamedTuple):
    """A project as a list shows it. `state` is also ``unset`` where there never was a redirect, and ``damaged``."""

    name: str
    spelled: str
    state: str
    target: str | None = None
    changed: datetime | None = None
    by: str | None = None


async def show_projects(visit: Visit) -> web.StreamResponse:
    """List projects, or open the one that is named."""
    if not visit.who.is_admin:
        return await _show_own(visit)
    spelled = visit.parameter("open")
    if not spelled:
        return await _show_all(visit)
    try:
        return see_other(f"{PROJECTS}{segment(parse_project(spelled))}")
    except InvalidRecord as error:
        return await _show_all(visit, opened=spelled[:MAX_Q], problem=error.faults[0].detail)


async def _show_all(visit: Visit, *, opened: str = "", problem: str | None = None) -> web.Response:
    q, after = visit.parameter("q")[:MAX_Q], visit.parameter("after")
    state: Any = visit.parameter("state") or None
    if state not in (None, *_STATES):
        raise MalformedText(f"The state is {shorten(state)}. It is one of {', '.join(_STATES)}.")
    if after and names.normalise(after) != after:
        raise MalformedText(f"The list cannot go on after {shorten(after)}. Follow its links.")
    await visit.services.refresh()
    page = await visit.services.listing.page(q=q, state=state, after=after, limit=ALL_PAGE)
    return _page(
        visit,
        [_from_row(row) for row in page.rows],
        q=q,
        state=state or "",
        after=after,
        next=page.next,
        named=names.normalise(q),
        opened=opened,
        problem=problem,
    )


async def _show_own(visit: Visit) -> web.Response:
    q, after = visit.parameter("q")[:MAX_Q], visit.parameter("after")
    scope = [name for name in visit.who.scope if _matches(name, q)]
    shown = [name for name in scope if name > after][:OWN_PAGE]
    found: dict[str, Listed] = {}

    async def read(name: str) -> None:
        try:
            found[name] = _from_project(await visit.services.registry.read_any(name))
        except NoSuchProject:
            found[name] = Listed(name, name, "unset")
        except Damaged:
            found[name] = Listed(name, name, "damaged")

    async with in_time("read"):
        await for_each(shown, read, _READS)
    last = shown[-1] if shown and shown[-1] != scope[-1] else None
    return _page(visit, [found[name] for name in shown], q=q, state="", after=after, next=last)


def _page(visit: Visit, listed: Sequence[Listed], *, next: str | None, **values: Any) -> web.Response:  # noqa: A002
    kept = {name: values[name] for name in ("q", "state") if values[name]}
    following = None if next is None else "/?" + urlencode({**kept, "after": next})
    first = "/?" + urlencode(kept) if values["after"] else None
    searchable = visit.who.is_admin or len(visit.who.scope) > SEARCHABLE
    defaults: dict[str, Any] = {"named": None, "opened": "", "problem": None}
    return VIEWS.page(
        visit,
        "home.html",
        projects=listed,
        following=following,
        first=first,
        searchable=searchable,
        **{**defaults, **values},
    )


def _matches(name: str, q: str) -> bool:
    """Tell whether a name holds `q`, in any spelling."""
    spelled = names.normalise(f"x{q}x")
    return q.lower() in name or (spelled is not None and spelled[1:-1] in name)


def _from_row(row: Row) -> Listed:
    if row.record is None:
        return Listed(row.name, row.name, "removed")
    return Listed(row.name, row.record.project, row.record.state, cut(row.record.target, MAX_TARGET_SHOWN))


def _from_project(project: Project) -> Listed:
    newest, record = project.history[0], project.record
    return Listed(
        project.name,
        project.name if record is None else record.project,
        "removed" if record is None else record.state,
        None if record is None else cut(record.target, MAX_TARGET_SHOWN),
        moment(newest.time),
        cut(newest.author.by, MAX_BY_SHOWN),
    )


def cut(text: str, limit: int) -> str:
    """Return text of at most `limit` characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
