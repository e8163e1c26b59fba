"""Reading a table from lines: JSON Lines records, and the old service's ``redirects.txt``, told apart by their fields.

A line that is wrong is reported with its number, and the rest goes in. Two lines that say different things of one
project are a conflict to report, not to choose.
"""

from collections.abc import Iterator
from typing import IO, Any, NamedTuple

import msgspec

from docsredirect.domain import json_text
from docsredirect.domain.errors import Fault, InvalidRecord, MalformedText
from docsredirect.domain.hosts import HostRules
from docsredirect.domain.records import MAX_RECORD_BYTES, Record, parse_record
from docsredirect.formats import conveyor

MAX_LINE = 4 * MAX_RECORD_BYTES
"""The longest line in bytes: room for any legal record, however wastefully it is escaped."""


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


class _First(NamedTuple):
    line: int
    record: Record


def read_batch(file: IO[bytes], hosts: HostRules) -> Batch:
    """Read a whole file. Never raises for what is in it."""
    batch = Batch()
    firsts: dict[str, _First] = {}
    conflicts: dict[str, list[int]] = {}
    for number, text in _numbered(file):
        try:
            checked = _parse(text, hosts)
        except InvalidRecord as error:
            batch.refusals.append(Refusal(number, tuple(error.faults)))
            continue
        record = checked.record
        if checked.warnings:
            batch.warnings.append(Refusal(number, tuple(checked.warnings)))
        first = firsts.setdefault(record.name, _First(number, record))
        if first.line == number:
            continue
        if msgspec.structs.replace(record, project=first.record.project) == first.record:
            batch.repeated += 1
        else:
            conflicts.setdefault(record.name, [first.line]).append(number)
    batch.refusals += _conflict_refusals(conflicts)
    batch.refusals.sort(key=lambda refusal: refusal.line)
    batch.records = {name: first.record for name, first in firsts.items() if name not in conflicts}
    return batch


def _conflict_refusals(conflicts: dict[str, list[int]]) -> Iterator[Refusal]:
    for name, lines in conflicts.items():
        for line in lines:
            others = ", ".join(str(other) for other in lines if other != line)
            detail = f"Line {others} says something else of {name!r}. Keep the one that is meant."
            yield Refusal(line, (Fault("", "conflict", detail),))


def _parse(text: bytes | None, hosts: HostRules) -> Any:
    if text is None:
        raise InvalidRecord([Fault("", "line-too-long", f"The line is longer than {MAX_LINE} bytes.")])
    try:
        value = json_text.loads(text)
    except MalformedText as error:
        raise InvalidRecord([Fault("", "malformed", str(error))]) from error
    if conveyor.is_row(value):
        return conveyor.parse_row(value, hosts)
    return parse_record(value, hosts)


def _numbered(file: IO[bytes]) -> Iterator[tuple[int, bytes | None]]:
    """Go through the lines that are not blank, numbered from 1; None for one that is too long to be read."""
    number = 0
    while line := file.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE and not line.endswith(b"\n"):
            while line and not line.endswith(b"\n"):
                line = file.readline(MAX_LINE)
            yield number, None
        elif line := line.strip(b" \t\r\n"):
            yield number, line
