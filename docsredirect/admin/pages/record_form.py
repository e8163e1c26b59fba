"""The form of a project's record: what it holds, as it was typed; the record that it says; and what is wrong with it.

What was typed is kept whatever it is: a form is shown again as it was sent.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from docsredirect.admin import reading
from docsredirect.admin.pages import rule_lines
from docsredirect.admin.pages.rule_lines import Line, Row
from docsredirect.admin.pages.visits import Form
from docsredirect.domain import names
from docsredirect.domain.errors import Fault, InvalidRecord, pointer_to, shorten
from docsredirect.domain.hosts import HostRules
from docsredirect.domain.records import Record, parse_record
from docsredirect.domain.rules import MAX_RULES

MAX_ROWS = 20
"""Rules that are shown as rows. More are lines of a text: 1,000 rows would make a page of 400 KiB, and a page has at
most 60, with its preview."""

MAX_FAULTS = 20
"""How many faults are shown: who has so many has made the same one."""

_GONE = "gone"
_TO = "to"
_STATUS = re.compile(r"[0-9]{3}")
_FIELDS = {"/project": "project", "/target": "target", "/path": "path-keep", "/status": "status", "/state": "state"}


class Draft(NamedTuple):
    """What the form holds: text as it was typed, faults and all."""

    project: str
    target: str
    path: str
    status: str
    state: str
    rows: tuple[Row, ...]
    blank_rows: int
    """How many empty rows stand below the others."""
    lines: str
    links: str
    reason: str
    etag: str
    """Of the project as the form was made from it; empty where there was none."""

    def hidden(self) -> Iterator[tuple[str, str]]:
        """Give the names and values of all fields, for a form that shows none of them. Its ETag is not among them."""
        for name in ("project", "target", "path", "status", "state", "lines", "links", "reason"):
            yield name, getattr(self, name)
        for row in self.rows:
            yield from (("from", row.source), ("answer", _GONE if row.gone else _TO), ("to", row.to))

    def with_record(self, record: Record) -> "Draft":
        """Return the form with what `record` says."""
        return self._replace(
            project=record.project, target=record.target, path=record.path, status=str(record.status),
            state=record.state,
        ).with_rules([rule_lines.row_of(source, to) for source, to in record.rules.items()])  # fmt: skip

    def with_rules(self, rows: list[Row]) -> "Draft":
        """Return the form with these rules: as rows, or as lines where they are too many."""
        if len(rows) > MAX_ROWS:
            return self._replace(rows=(), lines="\n".join(map(rule_lines.line_of, rows)))
        return self._replace(rows=tuple(rows), lines="")


class FieldFault(NamedTuple):
    """Something wrong with the form: the id of the field (empty: none alone), and what would be accepted."""

    field: str
    code: str
    detail: str
    place: int = 0
    """Of a rule: which of the rows, from 0, or which line, from 1."""


class Checkup(NamedTuple):
    """A form that was looked at: as it is shown again, the record that it says (None: it has faults), and those."""

    draft: Draft
    record: Record | None
    faults: list[FieldFault]


def empty(name: str, etag: str) -> Draft:
    """Return the form of a project that has no record."""
    return Draft(name, "", "keep", "301", "active", (), 2, "", "", "", etag)


def draft_of(record: Record, etag: str) -> Draft:
    """Return the form of a record."""
    return empty(record.name, etag).with_record(record)._replace(blank_rows=1)


def draft_in(form: Form, *, without_row: int | None = None) -> Draft:
    """Return what was sent, but for one row: by its place, from 0."""
    sent = zip(form.texts("from"), form.texts("answer"), form.texts("to"), strict=False)
    rows = [Row(source, to, answer == _GONE) for place, (source, answer, to) in enumerate(sent) if place != without_row]
    written = [row for row in rows if row.source.strip() or row.to.strip() or row.gone]
    return Draft(
        project=form.text("project"),
        target=form.text("target"),
        path=form.text("path"),
        status=form.text("status", "301"),
        state=form.text("state", "active"),
        rows=tuple(written),
        blank_rows=max(len(rows) - len(written), 1),
        lines="\n".join(form.texts("lines")),
        links="\n".join(form.texts("links")),
        reason=form.text("reason"),
        etag=form.text("etag"),
    )


class _Written(NamedTuple):
    """A rule with the id of the row, or the number of the line, that it was written in."""

    row: Row
    place: int
    line: int | None


def check(draft: Draft, name: str, hosts: HostRules) -> Checkup:
    """Look at a form of the project `name`. Lines without faults become rows in the form that is returned."""
    lines = rule_lines.read_lines(draft.lines)
    faults = _own_faults(draft, name)
    if len(lines) > MAX_RULES:
        detail = f"These are {len(lines)} lines. At most {MAX_RULES} rules are accepted: use folders, such as `old/*`."
        faults.append(FieldFault("lines", "rules-too-many", detail))
        lines = []
    rules, found = _rules(draft.rows, lines, name, hosts)
    faults += found
    raw: dict[str, Any] = {
        "project": draft.project,
        "target": draft.target,
        "path": draft.path,
        "status": int(draft.status) if _STATUS.fullmatch(draft.status) and draft.status.isascii() else draft.status,
        "state": draft.state,
        "rules": {source: rule_lines.to_in(written.row) for source, written in rules.items()},
    }
    record = None
    try:
        record = parse_record(raw, hosts).record
    except InvalidRecord as error:
        origins = {pointer_to("rules", source): written for source, written in rules.items()}
        faults += [_placed(fault, origins) for fault in error.faults if draft.target or fault.pointer != "/target"]
    if not any(fault.field == "lines" for fault in faults):
        draft = draft.with_rules([written.row for written in rules.values()]) if lines else draft
    shown = sorted(faults, key=_order)
    if len(shown) > MAX_FAULTS:
        more = FieldFault("lines", "more", f"And {len(shown) - MAX_FAULTS} more like these.")
        shown = [*shown[:MAX_FAULTS], more]
    return Checkup(draft, None if faults else record, shown)


def _rules(
    rows: tuple[Row, ...], lines: list[Line], name: str, hosts: HostRules
) -> tuple[dict[str, _Written], list[FieldFault]]:
    """Return the rules by their `from`. A line takes the place of a row that is for the same page."""
    found: dict[str, _Written] = {}
    faults = [
        FieldFault("lines", "line", f"Line {line.number}: {line.problem}", line.number)
        for line in lines
        if line.problem
    ]
    written = [_Written(row, place, None) for place, row in enumerate(rows)]
    written += [_Written(line.row, 0, line.number) for line in lines if line.row is not None]
    for each in written:
        source = rule_lines.source_in(each.row.source, name, hosts)
        if not each.row.source.strip():
            faults.append(_at(each, "from-missing", "Say for which old page: `api.html`, or `/` for the front page."))
            continue
        if not each.row.gone and not each.row.to.strip():
            detail = "Say where it leads: `reference/`, a whole address, or `/` for the target itself."
            faults.append(_at(each, "to-missing", detail))
        earlier = found.get(source)
        if earlier is not None and (earlier.line is None) == (each.line is None):
            detail = f"There are two rules for {shorten(source or rule_lines.ROOT)}. Keep one."
            faults.append(_at(each, "from-duplicate", detail))
        found[source] = each
    return found, faults


def _own_faults(draft: Draft, name: str) -> list[FieldFault]:
    faults = []
    if not draft.target:
        faults.append(FieldFault("target", "target-missing", "Say where the documentation is now: `https://…`."))
    spelled = names.normalise(draft.project)
    if spelled is not None and spelled != name:
        detail = f"{shorten(draft.project)} is another project. Only the spelling of {name} can be changed here."
        faults.append(FieldFault("project", "project-mismatch", detail))
    if len(draft.reason) > reading.MAX_REASON or not draft.reason.isprintable():
        detail = f"The reason is one line of at most {reading.MAX_REASON} printable characters."
        faults.append(FieldFault("reason", "reason", detail))
    return faults


def _at(written: _Written, code: str, detail: str) -> FieldFault:
    if written.line is not None:
        return FieldFault("lines", code, f"Line {written.line}: {detail}", written.line)
    side = "from" if code.startswith("from") else "to"
    return FieldFault(f"{side}-{written.place}", code, detail, written.place)


def _placed(fault: Fault, origins: dict[str, _Written]) -> FieldFault:
    written = origins.get(fault.pointer)
    if written is not None:
        return _at(written, fault.code, fault.detail)
    if fault.pointer == "/rules":
        return FieldFault("lines", fault.code, fault.detail)
    return FieldFault(_FIELDS.get(fault.pointer, ""), fault.code, fault.detail)


_ORDER = ("", "target", "path", "from", "to", "lines", "state", "status", "project", "reason")


def _order(fault: FieldFault) -> tuple[int, int]:
    """Return where a fault stands among others: as its field among the fields, and rules row by row."""
    field = fault.field.partition("-")[0]
    return _ORDER.index("from" if field == "to" else field), fault.place
