"""JSON Lines: one record a line, every field that is not empty written out, sorted by the caller."""

import msgspec

from docsredirect.domain.records import Record, to_fields


def line(record: Record) -> bytes:
    """Return a record as one line. Reading it back gives the same record."""
    return msgspec.json.encode(to_fields(record)) + b"\n"
