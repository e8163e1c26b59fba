"""The listing: pages of the table's rows in the order of their names, and all of them. Only reads the replica.

Nothing is kept between two calls: shards are sorted and never change, so a page finds its place in each by bisecting.
"""

import asyncio
import heapq
from bisect import insort
from collections.abc import AsyncIterator, Iterable, Iterator
from operator import attrgetter
from typing import Final, Literal, NamedTuple

from docsredirect.domain import escapes, names, tables
from docsredirect.domain.errors import Unknown
from docsredirect.domain.tables import Row, Shard
from docsredirect.service.replica import Replica

State = Literal["active", "gone", "removed"]
"""What can be listed by itself. ``removed`` are the tombstones, which no other page shows."""

_BREATH_BYTES = 512 * 1024
"""How much text is searched between two looks at the event loop: about 2,000 rows, and some milliseconds."""

_BREATH_ROWS = 1_000
"""How many rows are exported between two looks at the event loop."""

_TELLTALES: Final = {"gone": b'"state":"gone"', "removed": b'"record":null'}
"""What the line of every row in these states holds. Others may hold it too: whether they match, the row tells."""

_TOMBSTONE: Final = b'"record":null}\n'
"""How the line of a tombstone ends, and no other: a rule that says null stands inside of more braces."""

_name = attrgetter("name")


class Page(NamedTuple):
    """Some rows in the order of their names. `next`, where there are more, is the name that the next page is after."""

    rows: list[Row]
    next: str | None


class Counts(NamedTuple):
    """How many rows are in each state."""

    active: int
    gone: int
    removed: int


class Listing:
    """Lists the rows that `replica` holds."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    async def page(self, *, q: str = "", state: State | None = None, after: str = "", limit: int) -> Page:
        """Return the first `limit` rows (at least 1) whose names come after `after`: those with a record, or those
        in `state` alone; with `q`, only those that hold it in their name, in any spelling, or in their target, in
        any case. What is written between two pages moves no other row from one to the other.

        Raises `Unknown` where a part of the table is not held.
        """
        wanted, first = _Wanted(q, state), _First(limit + 1)
        searched = 0
        for shard in self._shards():
            for piece in shard.pieces(after):
                if piece > first.bound:
                    break
                first.take(piece, wanted)
                searched += len(piece)
                if searched >= _BREATH_BYTES:
                    searched = 0
                    await asyncio.sleep(0)
        rows = first.rows[:limit]
        return Page(rows, rows[-1].name if len(first.rows) > limit else None)

    async def counts(self) -> Counts:
        """Return how many rows there are in each state. Raises `Unknown` where a part of the table is not held."""
        rows = active = removed = searched = 0
        for shard in self._shards():
            rows, active = rows + len(shard), active + shard.active
            for piece in shard.pieces():
                removed += piece.count(_TOMBSTONE)
                searched += len(piece)
                if searched >= _BREATH_BYTES:
                    searched = 0
                    await asyncio.sleep(0)
        return Counts(active, rows - active - removed, removed)

    def export(self) -> AsyncIterator[Row]:
        """Return all rows with a record, in the order of their names, as they are now: what is written while they
        are read does not show. Raises `Unknown`, before the first is read, where a part of the table is not held."""
        return _in_order(self._shards())

    def _shards(self) -> list[Shard]:
        replica = self._replica
        nothing_is_published = replica.table is None and replica.last_success is not None
        if not replica.serves_all and not nothing_is_published:
            raise Unknown("The table is not loaded, so nobody can say now which redirects there are.")
        return replica.shards()


class _Wanted:
    """Which rows a listing is about."""

    def __init__(self, q: str, state: State | None) -> None:
        self._state = state
        self._text = q.lower()
        # Between two letters any part of a name is a whole one.
        spelled = names.normalise(f"x{q}x")
        self._spelled = self._text if spelled is None else spelled[1:-1]
        # Few rows are gone or removed, so what tells them apart leaves less to decode than `q` does.
        telltale = _TELLTALES.get(state or "")
        self._needles = {escapes.utf8(each) for each in (self._text, self._spelled)} if telltale is None else {telltale}

    def lines(self, piece: bytes) -> Iterable[bytes]:
        """Return the lines of `piece` that may be of a row that is wanted, in order."""
        return _lines(piece) if b"" in self._needles else _holding(piece, self._needles)

    def has(self, row: Row) -> bool:
        """Tell whether `row` is wanted."""
        state = "removed" if row.record is None else row.record.state
        if state != self._state and (self._state is not None or row.record is None):
            return False
        if self._text in row.name or self._spelled in row.name:
            return True
        return row.record is not None and self._text in row.record.target.lower()


class _First:
    """The first `count` rows by name. No row whose line is greater than `bound` is among them any more."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.rows: list[Row] = []
        self.bound = b"\xff"

    def take(self, piece: bytes, wanted: _Wanted) -> None:
        """Take the rows of `piece` that are wanted, as far as they are among the first."""
        for line in wanted.lines(piece):
            if line > self.bound:
                return
            row = tables.decode_row(line)
            if wanted.has(row):
                insort(self.rows, row, key=_name)
                del self.rows[self._count :]
                if len(self.rows) == self._count:
                    self.bound = tables.upper_bound(self.rows[-1].name)


def _holding(piece: bytes, needles: set[bytes]) -> Iterator[bytes]:
    """Yield the lines of `piece` that hold one of `needles`, in any case."""
    lowered = piece.lower()
    starts = set()
    for needle in needles:
        place = lowered.find(needle)
        while place >= 0:
            starts.add(piece.rfind(b"\n", 0, place) + 1)
            place = lowered.find(needle, piece.index(b"\n", place) + 1)
    for start in sorted(starts):
        yield piece[start : piece.index(b"\n", start)]


def _lines(piece: bytes) -> list[bytes]:
    return piece.split(b"\n")[:-1]


async def _in_order(shards: Iterable[Shard]) -> AsyncIterator[Row]:
    # Lines are in the order of their names; see `tables.upper_bound`.
    lines = heapq.merge(*((line for piece in shard.pieces() for line in _lines(piece)) for shard in shards))
    for number, line in enumerate(lines, 1):
        row = tables.decode_row(line)
        if row.record is not None:
            yield row
        if number % _BREATH_ROWS == 0:
            await asyncio.sleep(0)
