"""The old service's ``redirects.txt``: one object a line, ``{"project_name", "include_path", "base_uri"}``.

It looks names up by their exact spelling, appends ``/`` and the path to ``base_uri`` where ``include_path`` is true,
and answers ``base_uri`` as it stands where it is false.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from docsredirect.domain import names
from docsredirect.domain.errors import Fault, InvalidRecord, pointer_to, shorten
from docsredirect.domain.hosts import HostRules
from docsredirect.domain.records import Checked, Record, parse_record

_FIELDS = ("project_name", "include_path", "base_uri")
_FIELD_NAMES = {
    "/project": ("project", "project_name"),
    "/path": ("path", "include_path"),
    "/target": ("target", "base_uri"),
}


class _Named(msgspec.Struct):
    project_name: str


class Approximation(NamedTuple):
    """What the format cannot say of a project."""

    project: str
    lost: str


def is_row(value: object) -> bool:
    """Tell whether a decoded line is of this format."""
    return isinstance(value, Mapping) and any(field in value for field in _FIELDS)


def parse_row(value: Mapping[str, Any], hosts: HostRules) -> Checked:
    """Return the record that a row stands for. Raises `InvalidRecord` with pointers into the row."""
    accepted = ", ".join(_FIELDS)
    faults = [
        Fault(pointer_to(field), "unknown-field", f"{shorten(field)} is not a field here. The fields are {accepted}.")
        for field in value
        if field not in _FIELDS
    ]
    renamed = _FIELD_NAMES.values()
    raw: dict[str, Any] = {field: value[row_field] for field, row_field in renamed if row_field in value}
    if "path" in raw:
        if not isinstance(raw["path"], bool):
            faults.append(Fault("/include_path", "type", "`include_path` is true or false."))
        raw["path"] = "keep" if raw["path"] is True else "root"
    try:
        checked = parse_record(raw, hosts)
    except InvalidRecord as error:
        faults += map(_in_row, error.faults)
    if faults:
        raise InvalidRecord(faults)
    return Checked(checked.record, [_in_row(warning) for warning in checked.warnings])


def _in_row(fault: Fault) -> Fault:
    """Return a record's fault as one of the row that it was made from."""
    field, row_field = _FIELD_NAMES.get(fault.pointer, ("", ""))
    pointer = f"/{row_field}" if row_field else fault.pointer
    detail = fault.detail.replace(f"`{field}`", f"`{row_field}`") if row_field else fault.detail
    return msgspec.structs.replace(fault, pointer=pointer, detail=detail)


def lines(record: Record, spellings: Iterable[str] = ()) -> Iterator[bytes]:
    """Return `rows` as JSON Lines."""
    for row in rows(record, spellings):
        yield msgspec.json.encode(row) + b"\n"


def spellings_in(text: bytes) -> dict[str, list[str]]:
    """Return the names in a ``redirects.txt``, as it spells them, by their normal form. A line that is no row, or whose
    name is not legal, is passed over: no request was ever answered from it."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        try:
            spelling = msgspec.json.decode(line, type=_Named).project_name
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        name = names.normalise(spelling)
        if name is not None:
            found.setdefault(name, []).append(spelling)
    return found


def rows(record: Record, spellings: Iterable[str] = ()) -> Iterator[dict[str, Any]]:
    """Return the rows that say of a project what the format can, one for every known spelling of its name: the
    record's own, in lower case, in normal form, and `spellings`."""
    if record.state == "gone":
        return
    include_path = record.path == "keep"
    base = record.target.removesuffix("/") if include_path else record.target
    for name in dict.fromkeys((record.project, record.project.lower(), record.name, *spellings)):
        yield {"project_name": name, "include_path": include_path, "base_uri": base}


def approximations(record: Record) -> Iterator[Approximation]:
    """Return everything that `rows` leaves out or changes."""
    if record.state == "gone":
        yield Approximation(record.project, "withdrawn (410): left out, so the old service answers 404")
        return
    if record.path == "clean":
        yield Approximation(record.project, "path `clean`: every page goes to the root")
    if record.path == "keep" and record.target.endswith((".html/", ".htm/")):
        yield Approximation(record.project, "a folder named like a page: right there, and refused when imported back")
    if record.rules:
        yield Approximation(record.project, f"{len(record.rules)} rules: dropped")
    if record.status != 301:
        yield Approximation(record.project, f"status {record.status}: the old service always answers 302")
