"""The published table: what edges poll and load. Reads and writes bytes only.

``table.json`` names 256 shards by content. Shard ``xx`` holds the rows of the names whose SHA-256 begins with byte
``xx``, one a line, sorted by name, gzipped with deterministic bytes. A row is a project's latest revision; a
tombstone is a row too, so that merging by revision can never bring an old record back.
"""

import hashlib
import re
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator

import msgspec

from docsredirect.domain import escapes, names
from docsredirect.domain.errors import Damaged
from docsredirect.domain.records import MAX_RECORD_BYTES, Record

TABLE_KEY = "table.json"
FORMAT = 1
SHARDS = 256

MAX_SHARD_BYTES = 64 * 1024 * 1024
"""The largest shard in bytes of text: a million projects of 250 bytes come to 1 MB a shard."""

MAX_TABLE_BYTES = 1024 * 1024
"""The largest ``table.json`` in bytes. A real one has 30 KB."""

MAX_SEQUENCE = 10**15
_ROW_BYTES = MAX_RECORD_BYTES + 1_024
"""The longest row in bytes: a record, and what stands around it."""

_PIECE_BYTES = 4 * 1024
"""How much of a shard's text is taken at a time: enough for a page's share of it, a few microseconds to search."""

_GZIP = 31
"""zlib's window bits for the gzip format. Its header holds no time, so equal rows give equal bytes."""

_EPOCH = re.compile(r"[0-9a-f]{16}")
_SHARD_KEY = re.compile(r"shards/([0-9a-f]{2})-([0-9a-f]{64})\.jsonl\.gz")
_KEPT_KEY = re.compile(r"tables/([0-9a-f]{16})-([0-9]{1,18})\.json")


class Row(msgspec.Struct, frozen=True):
    """One project in a shard. `etag` is its object's, as a hint of whether the object has changed since."""

    name: str
    revision: int
    etag: str
    record: Record | None


class ShardRef(msgspec.Struct, frozen=True):
    """A shard as the table names it. A shard without rows is no object: its key is None."""

    key: str | None
    rows: int


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """What is published. Sequences compare within an epoch; `follows` names every earlier epoch known."""

    format: int = FORMAT
    epoch: str
    sequence: int
    follows: tuple[str, ...]
    shards: tuple[ShardRef, ...]
    purging: bool = False
    """Whether the CDN is told of every change, so that it may keep answers for long."""

    @property
    def rows(self) -> int:
        """How many names the table knows, tombstones too."""
        return sum(shard.rows for shard in self.shards)


EMPTY_SHARD = ShardRef(None, 0)

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_ROW = msgspec.json.Decoder(Row)
_TABLE = msgspec.json.Decoder(Table)


def digest_of(name: str) -> int:
    """Return the first 64 bits of the SHA-256 of `name`. The highest byte is the number of its shard."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8])


def shard_of(name: str) -> int:
    """Return the number of the shard that holds `name`."""
    return digest_of(name) >> 56


def is_epoch(text: str) -> bool:
    """Tell whether `text` is an epoch."""
    return _EPOCH.fullmatch(text) is not None


def kept_key(epoch: str, sequence: int) -> str:
    """Return the key under which a copy of a table is kept."""
    return f"tables/{epoch}-{sequence}.json"


def epoch_of(key: str) -> str | None:
    """Return the epoch of a kept copy's key, or None where `key` is not one."""
    match = _KEPT_KEY.fullmatch(key)
    return match.group(1) if match else None


def encode_table(table: Table) -> bytes:
    """Return the bytes of ``table.json``."""
    return msgspec.json.encode(table) + b"\n"


def decode_table(body: bytes) -> Table:
    """Return the table in `body`. Raises `Damaged` where it is none."""
    if len(body) > MAX_TABLE_BYTES:
        raise Damaged(f"{TABLE_KEY} has {len(body)} bytes; at most {MAX_TABLE_BYTES} are accepted.")
    try:
        table = _TABLE.decode(body)
    except _UNREADABLE as error:
        raise Damaged(f"{TABLE_KEY} cannot be read: {error}.") from error
    if table.format != FORMAT:
        raise Damaged(f"{TABLE_KEY} has format {table.format}; this version reads format {FORMAT}.")
    if not all(map(_EPOCH.fullmatch, (table.epoch, *table.follows))) or not 1 <= table.sequence < MAX_SEQUENCE:
        raise Damaged(f"{TABLE_KEY} has no valid epoch and sequence.")
    if len(table.shards) != SHARDS or not all(map(_is_shard, range(SHARDS), table.shards)):
        raise Damaged(f"{TABLE_KEY} does not name {SHARDS} shards.")
    return table


def encode_shard(number: int, rows: Iterable[Row]) -> tuple[ShardRef, bytes]:
    """Return how a table names the shard of `rows`, sorted by name, and its bytes (none for no rows)."""
    lines = [msgspec.json.encode(row) for row in rows]
    if not lines:
        return EMPTY_SHARD, b""
    body = zlib.compress(b"\n".join(lines) + b"\n", level=6, wbits=_GZIP)
    key = f"shards/{number:02x}-{hashlib.sha256(body).hexdigest()}.jsonl.gz"
    return ShardRef(key, len(lines)), body


def changed_records(before: "Shard", after: "Shard") -> list[str]:
    """Return the names of which another record stands in `after` than in `before`, sorted. A row that is only newer, or
    whose object was moved, is no change."""
    old, new = ({row.name: row.record for row in map(decode_row, lines)} for lines in _differing(before, after))
    return sorted(name for name in old | new if old.get(name) != new.get(name))


def _differing(before: "Shard", after: "Shard") -> tuple[set[bytes], set[bytes]]:
    old, new = set(before.lines()), set(after.lines())
    return old - new, new - old


class Shard:
    """The rows of one shard, verified, as little memory as can be searched: their text, and where the row of each
    name's hash begins. About 12 bytes a row on top of the text, where a dictionary takes 150."""

    __slots__ = ("_hashes", "_starts", "_text", "active", "ref")

    def __init__(self, ref: ShardRef, text: bytes, starts: list[tuple[int, int]], active: int) -> None:
        self.ref = ref
        self.active = active
        """How many rows redirect somewhere."""
        starts.sort()
        self._text = text
        self._hashes = array("Q", [digest for digest, _ in starts])
        self._starts = array("I", [start for _, start in starts])

    def get(self, name: str, digest: int) -> bytes | None:
        """Return the row of `name`, whose `digest_of` is `digest`, as its line, or None where there is none."""
        place = bisect_left(self._hashes, digest)
        start_of_row = _row_start(name)
        while place < len(self._hashes) and self._hashes[place] == digest:
            start = self._starts[place]
            if self._text.startswith(start_of_row, start):
                return self._text[start : self._text.index(b"\n", start)]
            place += 1
        return None

    def lines(self) -> list[bytes]:
        """Return all rows as lines, sorted by name."""
        return self._text.split(b"\n")[:-1]

    def pieces(self, after: str = "") -> Iterator[bytes]:
        """Yield the text of the rows whose names come after the name `after`, in order, some whole lines at a time."""
        position = self._position_after(after)
        while position < len(self._text):
            end = self._text.find(b"\n", position + _PIECE_BYTES) + 1 or len(self._text)
            yield self._text[position:end]
            position = end

    def _position_after(self, name: str) -> int:
        """Return where the first row begins whose name comes after `name`, by bisecting the text itself."""
        bound = upper_bound(name)
        low, high = 0, len(self._text)
        while low < high:
            middle = self._text.rfind(b"\n", low, (low + high) // 2) + 1 or low
            if self._text[middle : middle + len(bound)] > bound:
                high = middle
            else:
                low = self._text.index(b"\n", middle) + 1
        return low

    def changed_names(self, before: "Shard | None") -> list[str]:
        """Return the names whose rows are other than they were, new or gone."""
        lines, old = set(self.lines()), set(before.lines() if before is not None else ())
        return list({decode_row(line).name for line in lines ^ old})

    def __len__(self) -> int:
        return len(self._starts)


def decode_shard(number: int, ref: ShardRef, body: bytes) -> Shard:
    """Return a shard with each of its rows checked.

    Raises `Damaged` for a wrong hash or row count, a row that does not parse, is out of order or belongs to
    another shard.
    """
    if ref.key is None:
        return Shard(ref, b"", [], 0)
    text = _shard_text(ref, body)
    starts: list[tuple[int, int]] = []
    previous, position, active = "", 0, 0
    # A million times at a start: calls that are elsewhere a line of their own are written out here.
    decode, hash_of, number_of = _ROW.decode, hashlib.sha256, int.from_bytes
    try:
        for line in text.split(b"\n")[:-1]:
            row = decode(line)
            name, record = row.name, row.record
            encoded = name.encode()
            digest = number_of(hash_of(encoded).digest()[:8], "big")
            if name <= previous or digest >> 56 != number or not line.startswith(b'{"name":"' + encoded + b'",'):
                raise Damaged(f"{ref.key} holds {name!r} where it does not belong.")
            if record is not None:
                if record.project != name and names.normalise(record.project) != name:
                    raise Damaged(f"{ref.key} holds {name!r} with another project's record.")
                active += record.state == "active"
            starts.append((digest, position))
            position += len(line) + 1
            previous = name
    except _UNREADABLE as error:
        raise Damaged(f"{ref.key} has a row that cannot be read: {error}.") from error
    return Shard(ref, text, starts, active)


def decode_row(line: bytes) -> Row:
    """Return the row in one line of a shard. Raises `Damaged` where it is none."""
    try:
        return _ROW.decode(line)
    except _UNREADABLE as error:
        raise Damaged(f"A row cannot be read: {error}.") from error


def upper_bound(name: str) -> bytes:
    """Return what is greater than the line of `name` and of every name before it, and less than all others."""
    # The quote that ends a name is less than every character of a name, so lines are in the order of their names;
    # and no text in UTF-8 holds the byte FF.
    return b'{"name":"%b",\xff' % escapes.utf8(name)


def _row_start(name: str) -> bytes:
    return b'{"name":"%b",' % name.encode()


def _shard_text(ref: ShardRef, body: bytes) -> bytes:
    match = _SHARD_KEY.fullmatch(ref.key or "")
    if match is None or hashlib.sha256(body).hexdigest() != match.group(2):
        raise Damaged(f"{ref.key} does not hold what its name says.")
    inflater = zlib.decompressobj(wbits=_GZIP)
    limit = min(ref.rows * _ROW_BYTES, MAX_SHARD_BYTES)
    try:
        text = inflater.decompress(body, limit)
    except zlib.error as error:
        raise Damaged(f"{ref.key} cannot be decompressed: {error}.") from error
    if not inflater.eof or inflater.unused_data:
        raise Damaged(f"{ref.key} is cut short, or larger than its {ref.rows} rows can be.")
    rows = text.count(b"\n")
    if not text.endswith(b"\n") or rows != ref.rows:
        raise Damaged(f"{ref.key} has {rows} rows where the table says {ref.rows}.")
    return text


def _is_shard(number: int, ref: ShardRef) -> bool:
    if ref.key is None:
        return ref.rows == 0
    match = _SHARD_KEY.fullmatch(ref.key)
    return match is not None and int(match.group(1), 16) == number and ref.rows > 0
