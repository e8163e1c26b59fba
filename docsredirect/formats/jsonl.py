"""JSON Lines: one record a line, every field written out, `rules` only where there are any."""

from collections.abc import Iterator

import msgspec

from docsredirect.domain.records import Record, to_fields


def lines(record: Record) -> Iterator[bytes]:
    """Return a record as its one line. Reading it back gives the same record."""
    yield msgspec.json.encode(to_fields(record)) + b"\n"
