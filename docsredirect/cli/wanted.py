"""The record that a person wants, made of the one that there is and what the command line names. Checks no rules of
records: the API does, and lists all faults.
"""

from collections.abc import Iterable, Mapping
from typing import IO, Any, NamedTuple

import click

from docsredirect.domain import json_text
from docsredirect.domain.errors import MalformedText, shorten
from docsredirect.domain.rules import match_key

MAX_RECORD_FILE = 1024 * 1024
"""The largest file of one record in bytes: what the API reads."""

DEFAULT_PATH = "keep"
"""What becomes of a path, where a new project's `path` is not said: nothing is lost on the way."""


class Wanted(NamedTuple):
    """What the command line names of a record. None and empty: nothing."""

    target: str | None = None
    path: str | None = None
    status: int | None = None
    state: str | None = None
    rules: Mapping[str, str | None] = {}
    removed: tuple[str, ...] = ()
    no_rules: bool = False


def rules_of(given: Iterable[str], gone: Iterable[str], removed: Iterable[str]) -> dict[str, str | None]:
    """Return the rules that options name, ``FROM=TO`` split at its first ``=``. Raises `UsageError` where one has no
    ``=``, and where a page is named twice."""
    rules: dict[str, str | None] = {}
    named: set[tuple[str, str]] = set()
    for text in given:
        source, equals, to = text.partition("=")
        if not equals:
            raise click.UsageError(f"--rule {shorten(text)} has no =. Write FROM=TO, such as api.html=reference/.")
        _name_once(source, named)
        rules[source] = to
    for source in gone:
        _name_once(source, named)
        rules[source] = None
    for source in removed:
        _name_once(source, named)
    return rules


def _name_once(source: str, named: set[tuple[str, str]]) -> None:
    key = match_key(source)
    if key in named:
        raise click.UsageError(f"The rule of {shorten(source)} is named twice. Keep one.")
    named.add(key)


def changed(fields: Mapping[str, Any] | None, project: str, wanted: Wanted) -> dict[str, Any]:
    """Return the record that `wanted` makes of `fields`, the present one; None: there is none.

    Raises `ClickException` where a rule is to be removed that there is not, and `UsageError` where a new project has
    no target.
    """
    if fields is None and wanted.target is None:
        raise click.UsageError(f"{project} has no redirect yet. Give its TARGET: docsredirect set {project} https://…")
    record: dict[str, Any] = {"project": project, "path": DEFAULT_PATH} if fields is None else dict(fields)
    named = {"target": wanted.target, "path": wanted.path, "status": wanted.status, "state": wanted.state}
    record |= {field: value for field, value in named.items() if value is not None}
    rules: dict[str, str | None] = dict(record.pop("rules", {}))
    if wanted.no_rules:
        rules.clear()
    for source in wanted.removed:
        if not _drop(rules, source):
            raise click.ClickException(f"{project} has no rule for {shorten(source)}. {_known(rules)}")
    for source in wanted.rules:
        _drop(rules, source)  # a page may be written in several ways: the new one counts
    rules |= wanted.rules
    return {**record, "rules": rules} if rules else record


def _drop(rules: dict[str, str | None], source: str) -> bool:
    same = [each for each in rules if match_key(each) == match_key(source)]
    for each in same:
        del rules[each]
    return bool(same)


def _known(rules: Mapping[str, str | None]) -> str:
    return f"Its rules are for {', '.join(map(shorten, rules))}." if rules else "It has no rules."


def from_file(file: IO[bytes], project: str) -> dict[str, Any]:
    """Return the whole record in a file, of `project` where it names none itself. Raises `ClickException`."""
    text = file.read(MAX_RECORD_FILE + 1)
    if len(text) > MAX_RECORD_FILE:
        raise click.ClickException(f"The file is larger than {MAX_RECORD_FILE} bytes. It holds one record.")
    try:
        value = json_text.loads(text)
    except MalformedText as error:
        raise click.ClickException(f"The file holds no record. {error}") from error
    if not isinstance(value, dict):
        raise click.ClickException('The file holds no JSON object such as {"target": "https://…", "path": "keep"}.')
    value.pop("meta", None)
    return {"project": project, **value}
