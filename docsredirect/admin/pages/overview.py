"""The overview, for administrators: the table, the edges, the last changes, and what is asked for in vain."""

import os
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from aiohttp import web

from docsredirect.admin import edges
from docsredirect.admin.bodies import moment
from docsredirect.admin.edges import Edge
from docsredirect.admin.pages.projects import MAX_BY_SHOWN, cut
from docsredirect.admin.pages.visits import VIEWS, Visit
from docsredirect.admin.recent import RecentChange
from docsredirect.admin.services import Services
from docsredirect.domain.errors import Unknown
from docsredirect.domain.tables import Row, Table
from docsredirect.service.listing import Counts
from docsredirect.telemetry import board, files
from docsredirect.telemetry.board import ProcessState

MAX_ASKED = 50
MAX_PROCESSES = 50
"""Rows that are shown of each: the page stays under 60 KiB."""

MAX_REASON_SHOWN = 150
"""In characters."""

SILENT_SECONDS = 10.0
"""Who has not said for so long how it is, is shown as silent: ten times as often as it should."""

_WORKER = "worker"
_ACTIONS = {
    "put": "set",
    "delete": "removed",
    "rollback": "restored",
    "import": "imported",
    "token-create": "made a token for",
    "token-revoke": "revoked",
    "invite": "made an invitation for",
    "invitation-redeem": "signed in by an invitation for",
}


class ShownEdge(NamedTuple):
    """An edge, or a process of one, as the overview shows it. `tone` is ``good``, ``warn`` or ``bad``."""

    where: str
    tone: str
    state: str
    detail: str
    sequence: int | None
    rows: int | None
    age: float | None


class ShownChange(NamedTuple):
    """A change as the overview shows it: who did what to what, and when."""

    time: object
    by: str
    action: str
    what: str
    project: str | None


async def show_overview(visit: Visit) -> web.StreamResponse:
    """Show how the service is."""
    services = visit.services
    problem = None
    try:
        await services.refresh()
    except Unknown as error:
        problem = str(error)
    replica = services.replica
    local = _local()
    remote = [each for each in await edges.ask(services.settings.edges) if not _is_here(each, local)]
    shown = [_process(each, replica.applied, time.time()) for each in local]
    shown += [_edge(each, replica.applied) for each in remote]
    asked = [each.asked for each in local] + [each.status.asked for each in remote if each.status is not None]
    return VIEWS.page(
        visit,
        "overview.html",
        problem=None if problem is None else cut(problem, 500),
        counts=await _counts(services),
        table=replica.applied,
        age=replica.age(),
        stale=replica.is_stale(services.settings.stale_after),
        unpublished=services.registry.unpublished,
        purges=services.settings.purge is not None,
        edges=shown[:MAX_PROCESSES],
        left_out=max(0, len(shown) - MAX_PROCESSES),
        reporting=len(asked),
        changes=[_change(each) for each in services.recent.changes()],
        asked=_most_asked(asked, services),
    )


async def _counts(services: Services) -> Counts | None:
    try:
        return await services.listing.counts()
    except Unknown:
        return None


def _local() -> list[ProcessState]:
    """Return how the edge's processes on this machine are, where some share a run folder with this process."""
    folder = os.environ.get(files.VARIABLE)
    return [] if folder is None else [each for each in board.read(Path(folder)) if each.role == _WORKER]


def _is_here(edge: Edge, local: Iterable[ProcessState]) -> bool:
    """Tell whether an edge is this machine's own, which may be among the settings too."""
    here = {(each.pid, each.started) for each in local}
    return edge.status is not None and any((each.pid, each.started) in here for each in edge.status.processes)


def _process(state: ProcessState, table: Table | None, now: float) -> ShownEdge:
    where, silent = f"this machine, worker {state.seat}", now - state.reported
    if silent >= SILENT_SECONDS:
        tone, words, detail = "bad", "silent", f"It has not said for {silent:.0f} s how it is."
    elif not state.ready:
        tone, words, detail = "bad", "not ready", state.problem or ""
    else:
        tone, words, detail = _judge(table, state.epoch, state.sequence, stale=state.stale, refused=state.reason)
        detail = detail or state.problem or ""
    return ShownEdge(
        where, tone, words, cut(detail, MAX_REASON_SHOWN), state.sequence, state.rows, state.table_age_seconds
    )


def _edge(edge: Edge, table: Table | None) -> ShownEdge:
    where, status = cut(edge.url, 200), edge.status
    if status is None:
        return ShownEdge(where, "bad", "not known", edge.problem or "", None, None, None)
    if status.sequence is None and status.table_age_seconds is None:
        tone, words, detail = "bad", "not ready", "No process of it has a table yet."
    else:
        tone, words, detail = _judge(table, status.epoch, status.sequence, stale=status.stale, refused=status.reason)
    detail = cut(detail, MAX_REASON_SHOWN)
    return ShownEdge(where, tone, words, detail, status.sequence, status.rows, status.table_age_seconds)


def _judge(
    table: Table | None, epoch: str | None, sequence: int | None, *, stale: bool, refused: str | None
) -> tuple[str, str, str]:
    """Return the tone, the words and the detail of a state: what an edge holds, beside what is published."""
    if refused is not None:
        return "bad", "refuses the table", refused
    if stale:
        return "bad", "stale", "It has not reached the store for a while. Redirects go on being answered."
    if table is not None and epoch is not None and epoch != table.epoch:
        return "bad", "another epoch", f"It holds the epoch {epoch[:32]}."
    behind = 0 if table is None or sequence is None else table.sequence - sequence
    if behind > 0:
        return "warn", f"{behind} behind", "It takes what is published within seconds."
    return "good", "up to date", ""


def _change(change: RecentChange) -> ShownChange:
    fields = change.fields
    project = fields.get("project")
    if project is not None:
        what = f"{project}, revision {fields['revision']}" if "revision" in fields else str(project)
    elif change.action == "import":
        what = f"{fields.get('created', 0)} new, {fields.get('changed', 0)} changed"
    else:
        what = _scope(fields.get("scope")) or f"{fields.get('token', '')}"
    action = _ACTIONS.get(change.action, change.action)
    return ShownChange(moment(change.time), cut(change.by, MAX_BY_SHOWN), action, cut(what, 160), project)


def _scope(scope: object) -> str:
    if isinstance(scope, (list, tuple)):
        return ", ".join(map(str, scope))
    return "administrators" if scope == "admin" else ""


def _most_asked(reports: Iterable[dict[str, int]], services: Services) -> list[tuple[str, int]]:
    """Return the names most asked for, of all edges together, that still have no redirect."""
    total: Counter[str] = Counter()
    for report in reports:
        total.update(report)
    most = total.most_common(2 * MAX_ASKED)
    return [(name, times) for name, times in most if not _has_redirect(name, services)][:MAX_ASKED]


def _has_redirect(name: str, services: Services) -> bool:
    row = services.replica.row(name)
    return isinstance(row, Row) and row.record is not None
