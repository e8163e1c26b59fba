"""What people see of projects, changes and answers: lines of text. Asks nobody and writes nothing but output.

Whatever a server says is shown with its control characters escaped: a terminal must not obey a rule's text.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import click
import msgspec
from msgspec import UNSET
from rich.console import Console
from rich.table import Table
from rich.text import Text

from docsredirect.admin.bodies import DryRunBody, HistoryEntry, ProjectBody, ProjectMeta, RecordState, RemovedBody
from docsredirect.cli.terminal import printable
from docsredirect.domain.hosts import OWN_HOSTS
from docsredirect.domain.preview import FieldChange, Sample, SampleAnswer, changes
from docsredirect.domain.records import Record
from docsredirect.domain.visibility import duration

SHOWN_SAMPLES = 20
"""How many sample URLs that answer differently a person is shown."""

_GONE = "gone (410)"
_NAME_WIDTH = 10
_RULES = "/rules/"


def say(lines: Iterable[str], *, err: bool = False) -> None:
    """Print lines, as data or, with `err`, as words beside it."""
    for line in lines:
        click.echo(printable(line), err=err)


def moment(time: datetime) -> str:
    """Return a time as people read it."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def project(body: ProjectBody) -> Iterator[str]:
    """Return a project as it is."""
    yield body.project
    yield _field("legacy URL", f"https://{OWN_HOSTS[0]}/{body.project}/")
    for name in ("target", "path", "status", "state"):
        yield _field(name, str(getattr(body, name)))
    rules = {} if body.rules is UNSET else body.rules
    for number, (source, to) in enumerate(rules.items()):
        yield _field("" if number else "rules", f"{_page(source)} → {_GONE if to is None else to}")
    yield from _meta(body.meta)


def visible(meta: ProjectMeta) -> Iterator[str]:
    """Return when readers see a change that was written."""
    if meta.visible is not UNSET:
        caches, browsers = duration(meta.visible.caches_seconds), duration(meta.visible.browsers_seconds)
        yield f"Readers see it within {caches}; whoever followed the same link before, up to {browsers} later."


def removed(body: RemovedBody) -> Iterator[str]:
    """Return a project whose redirect was removed."""
    yield f"{body.project} has no redirect any more."
    yield from _meta(body.meta)


def current(raw: Any) -> Iterator[str]:
    """Return what a project is, of the `current` of a 412."""
    if raw is None:
        yield "It has no redirect."
        return
    try:
        yield from (
            project(msgspec.convert(raw, ProjectBody))
            if "target" in raw
            else removed(msgspec.convert(raw, RemovedBody))
        )
    except (msgspec.ValidationError, TypeError):
        yield "What it is now was not said."


def _meta(meta: ProjectMeta) -> Iterator[str]:
    yield _field("revision", f"{meta.revision}, {moment(meta.updated)}")
    yield _field("by", _author(meta.by, None if meta.on_behalf_of is UNSET else meta.on_behalf_of))
    yield _field("reason", meta.reason or "none given")
    yield _field("published", "yes" if meta.published else "not yet")


def _author(by: str, on_behalf_of: str | None) -> str:
    return by if on_behalf_of is None else f"{by} on behalf of {on_behalf_of}"


def _field(name: str, value: str) -> str:
    return f"  {name:<{_NAME_WIDTH}}  {value}"


def _page(source: str) -> str:
    return source or '"" (the root page)'


def difference(found: Sequence[FieldChange]) -> Iterator[str]:
    """Return every value that differs, before and after."""
    for each in found:
        if each.pointer.startswith(_RULES):
            source = each.pointer.removeprefix(_RULES).replace("~1", "/").replace("~0", "~")
            yield f"  rule {_page(source)}: {_value(each.before)} → {_value(each.after)}"
        else:
            yield f"  {each.pointer.removeprefix('/')}: {_bare(each.before)} → {_bare(each.after)}"


def _value(value: object) -> str:
    return _GONE if value is None else _bare(value)


def _bare(value: object) -> str:
    return "none" if value is UNSET else str(value)


def preview(body: DryRunBody) -> Iterator[str]:
    """Return what a write would do: the values that differ, the sample URLs that answer otherwise, and warnings."""
    yield from difference(body.changes)
    yield from _samples(body.samples)
    for warning in body.warnings:
        yield f"Warning: {warning.detail}"


def _samples(samples: Sequence[Sample]) -> Iterator[str]:
    differ = [sample for sample in samples if sample.before != sample.after]
    for sample in differ[:SHOWN_SAMPLES]:
        yield f"  {sample.url}"
        yield f"    now   {_answer(sample.before)}"
        yield f"    then  {_answer(sample.after)}"
    if len(differ) > SHOWN_SAMPLES:
        yield f"  … and {len(differ) - SHOWN_SAMPLES} more sample URLs that answer otherwise."
    if same := len(samples) - len(differ):
        yield f"  {same} sample URL{' answers' if same == 1 else 's answer'} as before."


def _answer(answer: SampleAnswer) -> str:
    return str(answer.status) if answer.location is None else f"{answer.status} {answer.location}"


def entry(past: HistoryEntry) -> Iterator[str]:
    """Return a revision of a history: when, by whom, why, and what it changed."""
    yield f"revision {past.revision}, {moment(past.time)}, by {_author(past.by, past.on_behalf_of)}"
    if past.reason:
        yield f"  reason: {past.reason}"
    if past.after is None:
        yield "  removed"
    yield from difference(between(past.before, past.after) if past.after is not None else [])


def between(before: RecordState | None, after: RecordState | None) -> list[FieldChange]:
    """Return every value that differs between two states of a history."""
    return changes(_record(before), _record(after))


def _record(state: RecordState | None) -> Record | None:
    return None if state is None else msgspec.convert(msgspec.to_builtins(state), Record)


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows: as a table on a terminal, else with tabs between the columns and without headings."""
    console = Console()
    if not console.is_terminal:
        _plain(rows)
        return
    cells = [[Text(printable(cell)) for cell in row] for row in rows]
    if not cells:
        return
    drawn = Table(*headings, box=None, pad_edge=False, header_style="bold")
    for column in drawn.columns:
        column.overflow = "fold"
    for row in cells:
        drawn.add_row(*row)
    console.print(drawn)


def _plain(rows: Iterable[Sequence[str]]) -> None:
    for row in rows:
        click.echo("\t".join(map(printable, row)))
