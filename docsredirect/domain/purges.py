"""How far the CDN was purged, as it is stored, and the surrogate keys that it is purged by. Bytes only.

The object ``purged.json`` names a published table: every change up to that one has been purged, twice. What comes after
is found by comparing that table, which is kept, with the one in place; so the change itself is what says that it has to
be purged, and no crash can lose it.
"""

import msgspec

from docsredirect.domain import tables
from docsredirect.domain.errors import Damaged
from docsredirect.domain.tables import Table

MARK_KEY = "purged.json"
FORMAT = 1

ALL = "docsredirect"
"""The surrogate key that every answer has."""

PROBE = "docsredirect/probe"
"""A key that no answer has: purging it shows whether purging works, and nothing else happens."""


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """A published table, by its epoch and sequence."""

    format: int = FORMAT
    epoch: str
    sequence: int

    @property
    def kept_key(self) -> str:
        """The key under which that table is kept, once another is published."""
        return tables.kept_key(self.epoch, self.sequence)

    def covers(self, table: Table) -> bool:
        """Tell whether this is `table`, or a later one of its epoch."""
        return self.epoch == table.epoch and self.sequence >= table.sequence


_DECODER = msgspec.json.Decoder(Mark)


def key_of(name: str) -> str:
    """Return the surrogate key of a project by its normalised `name`."""
    return f"project/{name}"


def mark_of(table: Table) -> Mark:
    """Return the mark of a table."""
    return Mark(epoch=table.epoch, sequence=table.sequence)


def encode(mark: Mark) -> bytes:
    """Return the bytes of ``purged.json``."""
    return msgspec.json.encode(mark) + b"\n"


def decode(body: bytes) -> Mark:
    """Return the mark in `body`. Raises `Damaged` where it is none."""
    try:
        mark = _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Damaged(f"{MARK_KEY} cannot be read: {error}.") from error
    if mark.format != FORMAT or not tables.is_epoch(mark.epoch) or not 1 <= mark.sequence < tables.MAX_SEQUENCE:
        raise Damaged(f"{MARK_KEY} names no table.")
    return mark
