"""The lines of a file, numbered, however long some of them are. Knows nothing of what they say."""

from codecs import BOM_UTF8
from collections.abc import Iterator
from typing import IO


def numbered(file: IO[bytes], limit: int) -> Iterator[tuple[int, bytes | None]]:
    """Go through the lines that are not blank, numbered from 1, without blanks around them; None for one of more than
    `limit` bytes. Holds one line at a time."""
    number = 0
    while line := file.readline(limit + 1):
        number += 1
        if number == 1:
            line = line.removeprefix(BOM_UTF8)
        if len(line) > limit and not line.endswith(b"\n"):
            while line and not line.endswith(b"\n"):
                line = file.readline(limit)
            yield number, None
        elif line := line.strip(b" \t\r\n"):
            yield number, line
