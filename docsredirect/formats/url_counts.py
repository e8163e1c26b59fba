"""Counting distinct URLs: in memory for a while, then in a temporary file of SQLite's, however many there are."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from docsredirect.domain.legacy_urls import LegacyUrl

_HELD = 50_000
"""How many distinct URLs are counted in memory before they go to the file: about 10 MB."""

_CACHE_KIB = 8 * 1024
"""How much of the file SQLite may hold in memory."""


class UrlCounts:
    """Distinct URLs in the order in which they were first seen, each with how often it was. A context: it ends with
    its file removed."""

    def __init__(self) -> None:
        self.distinct = 0
        """How many there are, once they are counted."""
        self._held: Counter[LegacyUrl] = Counter()
        self._database = sqlite3.connect("")  # an empty name is a file of its own that SQLite removes
        self._database.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute(
            "CREATE TABLE urls (scheme TEXT, host TEXT, target TEXT, count INTEGER, UNIQUE (target, host, scheme))"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def add(self, url: LegacyUrl) -> None:
        """Count a URL."""
        self._held[url] += 1
        if len(self._held) >= _HELD:
            self._write()

    def finish(self) -> None:
        """End the counting: from now on there is only reading."""
        self._write()
        (self.distinct,) = self._database.execute("SELECT count(*) FROM urls").fetchone()

    def __iter__(self) -> Iterator[tuple[LegacyUrl, int]]:
        for scheme, host, target, count in self._database.execute(
            "SELECT scheme, host, target, count FROM urls ORDER BY rowid"
        ):
            yield LegacyUrl(scheme, host, target), count

    def _write(self) -> None:
        self._database.executemany(
            "INSERT INTO urls VALUES (?, ?, ?, ?) "
            "ON CONFLICT (target, host, scheme) DO UPDATE SET count = count + excluded.count",
            ((*url, count) for url, count in self._held.items()),
        )
        self._held.clear()
