"""A project as it is stored: the truth about one name, its revisions and who made them. Reads and writes bytes only.

The object ``projects/<name>.json``. A change and its history entry are one object, so a crash leaves both or
neither. An entry holds the record *before* it; what came after is the next newer entry's, or the current record.
"""

from typing import Any, NamedTuple

import msgspec

from docsredirect.domain import names
from docsredirect.domain.errors import Damaged
from docsredirect.domain.records import Record

FORMAT = 1
PREFIX = "projects/"

MAX_HISTORY_BYTES = 64 * 1024
"""How much history, in bytes of JSON, a project carries along before old entries move to objects of their own."""


class Author(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who made a change, and why."""

    by: str
    on_behalf_of: str | None = None
    reason: str | None = None


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One revision: who, when (seconds since the epoch, UTC), and the record that it replaced (null: none)."""

    revision: int
    time: float
    author: Author
    operation: str
    """The id of the operation that wrote it: tells whether a PUT whose answer was lost had succeeded."""
    before: Record | None = None


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """The truth about one name. `record` is null for a tombstone; `history` is newest first and never empty."""

    format: int = FORMAT
    name: str
    revision: int
    record: Record | None
    history: tuple[Entry, ...]


class Change(NamedTuple):
    """What becomes of a project: its new record (None: a tombstone), when, by whom, and in which operation."""

    record: Record | None
    time: float
    author: Author
    operation: str


class Revised(NamedTuple):
    """A project's next state, and the entries that no longer fit in it, oldest first, with what came after each."""

    project: Project
    moved_out: list[tuple[Entry, Record | None]]


class Past(NamedTuple):
    """An entry of a history with the record that came after it (None: none)."""

    entry: Entry
    after: Record | None


class _MovedOut(Entry, frozen=True, omit_defaults=True):
    after: Record | None = None


_DECODER = msgspec.json.Decoder(Project)
_MOVED_OUT = msgspec.json.Decoder(_MovedOut)


def key_of(name: str) -> str:
    """Return the key of the object that holds the truth about a normalised `name`."""
    return f"{PREFIX}{name}.json"


def name_of(key: str) -> str | None:
    """Return the normalised name that the object `key` is about, or None where it is no project's."""
    name = key.removeprefix(PREFIX).removesuffix(".json")
    return name if key_of(name) == key and names.normalise(name) == name else None


def history_key(name: str, revision: int) -> str:
    """Return the key of a history entry that its project no longer carries along."""
    return f"history/{name}/{revision}.json"


def encode(project: Project) -> bytes:
    """Return the bytes of a project's object."""
    return msgspec.json.encode(project) + b"\n"


def encode_moved_out(entry: Entry, after: Record | None) -> bytes:
    """Return the bytes of a history object: the entry, with what came after it."""
    fields: dict[str, Any] = {**msgspec.to_builtins(entry), "after": msgspec.to_builtins(after)}
    return msgspec.json.encode(fields) + b"\n"


def decode_moved_out(body: bytes, key: str) -> Past:
    """Return the entry in a history object. Raises `Damaged` where it holds none."""
    try:
        moved = _MOVED_OUT.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Damaged(f"{key} cannot be read: {error}.") from error
    return Past(Entry(moved.revision, moved.time, moved.author, moved.operation, moved.before), moved.after)


def past_of(project: Project) -> list[Past]:
    """Return the history that a project carries along, newest first."""
    afters = (project.record, *(entry.before for entry in project.history))
    return [Past(entry, after) for entry, after in zip(project.history, afters, strict=False)]


def decode(body: bytes, name: str) -> Project:
    """Return the project that `body`, the object of `name`, holds. Raises `Damaged` where it holds none."""
    try:
        project = _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Damaged(f"{key_of(name)} cannot be read: {error}.") from error
    record = project.record
    if project.format != FORMAT:
        raise Damaged(f"{key_of(name)} has format {project.format}; this version reads format {FORMAT}.")
    if project.name != name or (record is not None and names.normalise(record.project) != name):
        raise Damaged(f"{key_of(name)} is about another project.")
    if not project.history or project.history[0].revision != project.revision:
        raise Damaged(f"{key_of(name)} does not end in its own revision {project.revision}.")
    return project


def revise(project: Project | None, name: str, change: Change, *, floor: int = 0) -> Revised:
    """Return what `project` (None: there is none) is after `change`. A new project's first revision is the one after
    `floor`.

    Old entries move out when the history outgrows `MAX_HISTORY_BYTES`; the newest always stays.
    """
    revision = (floor if project is None else project.revision) + 1
    before = None if project is None else project.record
    newest = Entry(revision, change.time, change.author, change.operation, before)
    committed = () if project is None else project.history
    kept, size = [newest], len(msgspec.json.encode(newest))
    for entry in committed:
        size += len(msgspec.json.encode(entry))
        if size > MAX_HISTORY_BYTES:
            break
        kept.append(entry)
    moved = committed[len(kept) - 1 :]
    afters = (newest.before, *(entry.before for entry in committed))[len(kept) - 1 :]
    return Revised(
        Project(name=name, revision=revision, record=change.record, history=tuple(kept)),
        list(zip(moved, afters, strict=False))[::-1],
    )
