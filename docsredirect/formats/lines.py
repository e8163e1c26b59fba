"""Reading a table from lines: JSON Lines records, and the old service's ``redirects.txt``, told apart by their fields.

A line that is wrong is reported with its number, and the rest goes in. Two lines that say different things of one
project are a conflict to report, not to choose.
"""

from collections.abc import Mapping, Sequence
from typing import IO, Any, NamedTuple

import msgspec

from docsredirect.domain import json_text
from docsredirect.domain.errors import Fault, InvalidRecord, MalformedText, shorten
from docsredirect.domain.faults import Faults
from docsredirect.domain.hosts import HostRules
from docsredirect.domain.records import MAX_RECORD_BYTES, Checked, Record, parse_record
from docsredirect.formats import conveyor
from docsredirect.formats.numbered import numbered

MAX_LINE = 8 * MAX_RECORD_BYTES
"""The longest line in bytes: room for any legal record, also with every character as an escape of six."""

MAX_LISTED = 10_000
"""How many faults of refused lines are listed, and how many warnings: a file may hold millions of them, and nobody
reads on."""


class Refusal(msgspec.Struct, frozen=True):
    """A line that cannot go in, and everything that is wrong with it."""

    line: int
    errors: tuple[Fault, ...]


class Batch(msgspec.Struct):
    """What a file holds: records by normalised name, refused lines, and what else should be known."""

    records: dict[str, Record] = msgspec.field(default_factory=dict)
    refusals: list[Refusal] = msgspec.field(default_factory=list)
    warnings: list[Refusal] = msgspec.field(default_factory=list)
    repeated: int = 0
    """Lines that say again what an earlier line said."""
    unlisted: int = 0
    """Lines that were refused after those whose faults came to `MAX_LISTED`."""


class _Listed:
    """Lines with their faults, up to `MAX_LISTED` faults: those of a line are there whole or not at all."""

    def __init__(self) -> None:
        self.lines: list[Refusal] = []
        self.left_out = 0
        self._room = MAX_LISTED

    def add(self, line: int, faults: Sequence[Fault]) -> None:
        """List a line, or count it."""
        if self.left_out or len(faults) > self._room:
            self.left_out += 1
        else:
            self._room -= len(faults)
            self.lines.append(Refusal(line, tuple(faults)))


class _Said(NamedTuple):
    """What the lines about one project say: the first one's record, and the numbers of all of them."""

    record: Record
    lines: list[int]
    others: list[int]
    """The lines that say something else than the first."""


def read_batch(file: IO[bytes], hosts: HostRules) -> Batch:
    """Read a whole file. Never raises for what is in it."""
    batch, refused, warned = Batch(), _Listed(), _Listed()
    said: dict[str, _Said] = {}
    for number, text in numbered(file, MAX_LINE):
        try:
            record, warnings = _parse(text, hosts)
        except InvalidRecord as error:
            refused.add(number, error.faults)
            continue
        if warnings:
            warned.add(number, warnings)
        about = said.setdefault(record.name, _Said(record, [], []))
        about.lines.append(number)
        if msgspec.structs.replace(record, project=about.record.project) != about.record:
            about.others.append(number)
    for name, about in said.items():
        if about.others:
            _add_conflict(name, about, refused)
        else:
            batch.records[name] = about.record
            batch.repeated += len(about.lines) - 1
    batch.refusals = sorted(refused.lines, key=lambda refusal: refusal.line)
    batch.warnings, batch.unlisted = warned.lines, refused.left_out
    return batch


def _add_conflict(name: str, about: _Said, refused: _Listed) -> None:
    others = set(about.others)
    for line in about.lines:
        other = about.lines[0] if line in others else about.others[0]
        detail = f"Line {other} says something else of {shorten(name)}. Keep the one that is meant."
        refused.add(line, [Fault("", "conflict", detail)])


def _parse(text: bytes | None, hosts: HostRules) -> Checked:
    if text is None:
        raise InvalidRecord([Fault("", "line-too-long", f"The line is longer than {MAX_LINE} bytes.")])
    try:
        value = json_text.loads(text)
    except MalformedText as error:
        raise InvalidRecord([Fault("", "malformed", str(error))]) from error
    return _parse_row(value, hosts) if conveyor.is_row(value) else parse_record(value, hosts)


def _parse_row(value: Mapping[str, Any], hosts: HostRules) -> Checked:
    try:
        return conveyor.parse_row(value, hosts)
    except InvalidRecord as error:
        faults = Faults()  # it may have any number of fields that are none
        faults.extend(error.faults)
        raise InvalidRecord(faults.listed()) from error
