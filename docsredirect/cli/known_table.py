"""The table that answers are held to: from a file, or published in the store, with what this machine denies."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from io import BufferedReader
from pathlib import Path
from typing import IO, Self

import click
import msgspec

from docsredirect.cli import terminal
from docsredirect.domain import projects
from docsredirect.domain.errors import StoreError
from docsredirect.domain.legacy_urls import LegacyUrl
from docsredirect.domain.records import Record
from docsredirect.domain.resolve import DENIED, Lookup, resolve
from docsredirect.domain.routes import Route
from docsredirect.domain.settings import Settings
from docsredirect.domain.told import Told
from docsredirect.formats.lines import read_batch
from docsredirect.formats.old_answers import place
from docsredirect.service.denied import parse
from docsredirect.service.replica import published_rows
from docsredirect.store import Store, open_store

_GZIP = b"\x1f\x8b"

_COMPILED = 4_096
"""How many records are held ready to answer: the hot ones of a log."""


class KnownTable:
    """Records by name, and the names that are denied whatever they say."""

    def __init__(self, records: Mapping[str, Record], denied: frozenset[str]) -> None:
        self.records = records
        self.denied = denied
        self._route = lru_cache(_COMPILED)(lambda name: Route(records[name]))

    def find(self, name: str) -> Route | Lookup | None:
        """Return what the table says of a name, as the decision asks for it."""
        if name in self.denied:
            return DENIED
        return self._route(name) if name in self.records else None

    def told(self, url: LegacyUrl, before: Iterable[Record | None] = ()) -> Told:
        """Return what `url` answers, and where the old service leads with its record as it is, and as it was."""
        answer = resolve(self.find, url.path, url.query)
        record = self.records.get(answer.name or "")
        states = [*before, record] if answer.status == 410 else before
        earlier = frozenset(
            place(_active(each), url.path, any_spelling=any_) for each in states for any_ in (True, False)
        )
        return Told(answer, place(record, url.path), earlier, place(record, url.path, any_spelling=True))

    def only(self, name: str, record: Record | None) -> "KnownTable":
        """Return a table that holds nothing but `record` under `name`; None: not that either."""
        return KnownTable({} if record is None else {name: record}, self.denied)

    @classmethod
    def from_file(cls, file: IO[bytes], settings: Settings) -> Self:
        """Read a table from JSON Lines, or from a redirects.txt. Raises `ClickException` where it is packed or empty,
        or where lines are refused: what they hold would be missed."""
        refuse_packed(file)
        batch = read_batch(file, settings.host_rules)
        terminal.say_refusals(batch.refusals)
        if batch.refusals:
            raise click.ClickException(f"{file.name} cannot be the table: mend these lines first.")
        if not batch.records:
            raise click.ClickException(f"{file.name} holds no redirect: it cannot be the table. Give another --table.")
        return cls(batch.records, denied_names(settings))

    @classmethod
    async def published(cls, settings: Settings) -> Self | None:
        """Read what the store of the settings has published; None: nothing. Raises `StoreError`."""
        async with open_store(settings.store) as store:
            rows = await published_rows(store)
        if rows is None:
            return None
        return cls({row.name: row.record for row in rows if row.record is not None}, denied_names(settings))


class Histories:
    """What projects were before, as far as their objects in a store tell. A store that fails tells nothing."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def of(self, name: str) -> tuple[Record | None, ...] | None:
        """Read what a project is now, then what it was, newest first; None where nothing is told. Nothing of it is
        held: what is asked for again may have been changed."""
        try:
            stored = await self._store.get(projects.key_of(name))
            if stored is None:
                return None
            project = projects.decode(stored.body, name)
        except StoreError:
            return None
        return (project.record, *(each.entry.before for each in projects.past_of(project)))


def refuse_packed(file: IO[bytes]) -> None:
    """Raise `ClickException` where `file` is packed by gzip: it would be read as lines that make no sense."""
    if isinstance(file, BufferedReader) and file.peek(2).startswith(_GZIP):
        name = terminal.printable(file.name)
        raise click.ClickException(f"{name} is packed by gzip. Unpack it first: `zcat FILE > UNPACKED`.")


def denied_names(settings: Settings) -> frozenset[str]:
    """Return the names in the deny file of the settings; none, and a warning, where it cannot be read."""
    if settings.deny_file is None:
        return frozenset()
    try:
        text = Path(settings.deny_file).read_bytes()
    except OSError as error:
        click.echo(f"Warning: {settings.deny_file}: {error.strerror or error}. Nothing counts as denied.", err=True)
        return frozenset()
    return parse(text.splitlines()).names


def _active(record: Record | None) -> Record | None:
    """Return a record as it was before it was withdrawn."""
    return None if record is None else msgspec.structs.replace(record, state="active")
