"""Rules as people write them: the two texts of a row, or a line of many. Checks nothing that ``rules`` checks.

The front page, and the target itself, are written ``/``: a field that was left empty then never means either.
"""

import re
from typing import NamedTuple

from docsredirect.domain import names
from docsredirect.domain.hosts import HostRules
from docsredirect.domain.resolve import normal_path, take_apart

GONE = "gone"
"""What a line says in the place of where it leads, for a page that is gone."""

ROOT = "/"

_BLANK = " \t\r\n"
_ARROW = re.compile(r"(?<![ \t])[ \t]+(?:=|->|=>|→)[ \t]+")  # from the first blank alone, or many cost their square
_BLANKS = re.compile(r"[ \t]+")
_LITERAL_GONE = "%67one"
"""A page of that very name, which its normal form is."""


class Row(NamedTuple):
    """A rule as it is written: the old page, where it leads, and whether it is gone instead."""

    source: str
    to: str
    gone: bool = False


class Line(NamedTuple):
    """A line of many, by its number from 1: its rule, or why it is none."""

    number: int
    row: Row | None
    problem: str | None = None


def row_of(source: str, to: str | None) -> Row:
    """Return a rule of a record as it is written."""
    return Row(_shown(source), "" if to is None else _shown(to), to is None)


def line_of(row: Row) -> str:
    """Return a row as a line."""
    to = GONE if row.gone else _LITERAL_GONE if row.to == GONE else row.to
    return f"{row.source}\t{to}" if _BLANKS.search(row.source) else f"{row.source} {to}"


def read_lines(text: str) -> list[Line]:
    """Return the lines of a text that say something."""
    lines = enumerate((line.strip(_BLANK) for line in text.split("\n")), start=1)
    return [_read_line(number, line) for number, line in lines if line and not line.startswith("#")]


def source_in(text: str, name: str, hosts: HostRules) -> str:
    """Return the `from` that a row says: a whole old URL of the project `name`, or its path, is taken for its page."""
    text = text.strip(_BLANK)
    if text == ROOT:
        return ""
    asked = take_apart(text) if "/" in text else None
    if asked is None or not (text.startswith(ROOT) or (asked.host is not None and hosts.serves(asked.host))):
        return text
    path = normal_path(asked.path)
    if path is None:
        return text
    segment, _, rest = path[1:].partition("/")
    return rest if names.normalise(segment) == name else text


def to_in(row: Row) -> str | None:
    """Return the `to` that a row says."""
    text = row.to.strip(_BLANK)
    return None if row.gone else "" if text == ROOT else text


def _shown(text: str) -> str:
    """Return a `from` or `to` as a field holds it: blanks at an end would be lost."""
    if not text:
        return ROOT
    start, end = len(text) - len(text.lstrip(" ")), len(text.rstrip(" "))
    return text if not start and end == len(text) else "%20" * start + text[start:end] + "%20" * (len(text) - end)


def _read_line(number: int, line: str) -> Line:
    if "\t" in line:
        parts = line.split("\t")
        parts = [part.strip(_BLANK) for part in parts if part.strip(_BLANK)]
    elif _ARROW.search(line):
        parts = _ARROW.split(line)
    else:
        parts = _BLANKS.split(line)
        if len(parts) == 1:
            parts = line.split("=", 1)
    if len(parts) != 2 or not all(parts):
        return Line(number, None, "Write the old page, a blank, and where it leads: `api.html reference/`.")
    source, to = parts
    return Line(number, Row(source, "" if to == GONE else to, to == GONE))
