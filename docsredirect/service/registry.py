"""The registry: the only writer. It commits a project's change and its history at once, then publishes.

A commit is one conditional PUT against the state that was read. Losing a race means reading again; a PUT whose
answer was lost is recognised by its operation id in the history, also when another change came after it.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from enum import Enum
from typing import NamedTuple

import msgspec
import structlog

from docsredirect.domain import projects, tables
from docsredirect.domain.clock import Clock
from docsredirect.domain.errors import Conflict, Damaged, ImportRefused
from docsredirect.domain.projects import Author, Change, Project
from docsredirect.domain.records import Record
from docsredirect.domain.tables import TABLE_KEY, Row
from docsredirect.service.concurrency import for_each
from docsredirect.service.publications import Publications
from docsredirect.service.publisher import Publisher, row_of
from docsredirect.service.replica import read_shard
from docsredirect.store import Store

_AT_ONCE = 32
_ATTEMPTS = 100
"""Lost races for one project before that is reported instead."""

PUBLISHED_SECONDS = 2.0
"""How long a single write waits for its publication before it answers that there is none yet."""

GUARDED_ROWS = 1_000
GUARDED_SHARE = 0.2
"""An import into a table of more than `GUARDED_ROWS` rows may change this share of them without being told to."""

log = structlog.get_logger(__name__)


class Outcome(Enum):
    """What a write came to."""

    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


class Refused(NamedTuple):
    """A record that an import could not write: its name and why."""

    name: str
    reason: str


class ImportOptions(msgspec.Struct, frozen=True):
    """How an import is to be done. `only_new`: projects that have a redirect stay as they are; `dry_run`: everything
    does; `force`: more than `GUARDED_SHARE` of a large table may change."""

    dry_run: bool = False
    only_new: bool = False
    force: bool = False


DEFAULT_OPTIONS = ImportOptions()


class Imported(msgspec.Struct):
    """What an import came to, or would come to: how often each outcome, and what could not be written."""

    counts: Counter[Outcome] = msgspec.field(default_factory=Counter)
    refused: list[Refused] = msgspec.field(default_factory=list)
    needs_force: str | None = None
    """Why the import would be refused without force: only a dry run says so instead of raising."""


class Written(NamedTuple):
    """What one write came to: its outcome, the revision that now stands, and whether that is published."""

    outcome: Outcome
    revision: int
    published: bool


class _Read(NamedTuple):
    project: Project
    etag: str


_Floor = Callable[[str], Awaitable[int]]
"""Tells the revision that is published of a project whose object is gone: its revisions go on from there, or the
table would keep the published row."""


class Registry:
    """Writes projects into `store` and publishes through `publisher`; single writes through `publications`, which
    somebody must run.

    `clock` gives seconds since the epoch; `new_operation` an id that no other operation has.
    """

    def __init__(
        self,
        store: Store,
        publisher: Publisher,
        publications: Publications | None = None,
        *,
        clock: Clock,
        new_operation: Callable[[], str],
    ) -> None:
        self._store = store
        self._publisher = publisher
        self._publications = publications
        self._clock = clock
        self._new_operation = new_operation

    async def put(self, record: Record, author: Author) -> Written:
        """Write one record and wait a moment for its publication. Raises `StoreUnavailable`, `Damaged` where the
        project's object cannot be read, and `Conflict` where every attempt lost its race."""
        assert self._publications is not None, "single writes need somebody who publishes"
        outcome, row = await self._write(record.name, record, author, DEFAULT_OPTIONS, self._floor)
        assert row is not None, "only a dry run has no row"
        return Written(outcome, row.revision, await self._publications.published(row, PUBLISHED_SECONDS))

    async def import_records(
        self,
        records: Mapping[str, Record],
        author: Author,
        options: ImportOptions = DEFAULT_OPTIONS,
        *,
        progress: Callable[[], None] = lambda: None,
    ) -> Imported:
        """Write `records` (by normalised name) and publish once, at the end. Names that are not in it stay.

        Calls `progress` once a record. What was committed by an import that broke off is published by the next.

        Raises `ImportRefused`, before anything is written, where too much of the table would change; and
        `StoreUnavailable`.
        """
        published = await self._published()
        needs_force = None
        if not options.force and not options.only_new:
            needs_force = _too_much(records, published)
            if needs_force and not options.dry_run:
                raise ImportRefused(f"The import was refused: {needs_force}.")
        imported = await self._write_all(records, author, options, published, progress)
        imported.needs_force = needs_force
        return imported

    async def restore(
        self, wanted: Mapping[str, Row], author: Author, *, progress: Callable[[], None] = lambda: None
    ) -> Imported:
        """Make every project what `wanted`, the rows of an earlier table, say, as new revisions, and publish once.
        Projects that it does not know become tombstones."""
        published = await self._published()
        records = {name: row.record for name, row in wanted.items()}
        # From the objects too: what is committed and not published, or lies in a shard that is lost, goes as well.
        known = {projects.name_of(listed.key) async for listed in self._store.list_objects(projects.PREFIX)}
        records |= {name: None for name in {*published, *known} if name is not None and name not in records}
        return await self._write_all(records, author, DEFAULT_OPTIONS, published, progress)

    async def _write_all(
        self,
        records: Mapping[str, Record | None],
        author: Author,
        options: ImportOptions,
        published: Mapping[str, Row],
        progress: Callable[[], None],
    ) -> Imported:
        imported, rows = Imported(), dict[str, Row]()

        async def floor(name: str) -> int:
            return published[name].revision if name in published else 0

        async def write(name: str) -> None:
            try:
                outcome, row = await self._write(name, records[name], author, options, floor)
            except (Conflict, Damaged) as error:
                log.error("project not written", project=name, reason=str(error))
                imported.refused.append(Refused(name, str(error)))
            else:
                imported.counts[outcome] += 1
                if row is not None:
                    rows[name] = row
            progress()

        await for_each(sorted(records), write, _AT_ONCE)
        if not options.dry_run:
            await self._publisher.publish(rows.values())
        return imported

    async def _published(self) -> dict[str, Row]:
        """Return the rows that are published, by name, as far as they can be read."""
        stored = await self._store.get(TABLE_KEY)
        rows: dict[str, Row] = {}
        if stored is None:
            return rows
        for number, ref in enumerate(tables.decode_table(stored.body).shards):
            try:
                shard = await read_shard(self._store, number, ref)
            except Damaged as error:
                log.error("damaged shard", shard=number, reason=str(error))
            else:
                rows |= {row.name: row for row in map(tables.decode_row, shard.lines())}
        return rows

    async def _floor(self, name: str) -> int:
        stored = await self._store.get(TABLE_KEY)
        if stored is None:
            return 0
        digest = tables.digest_of(name)
        number = digest >> 56
        try:
            shard = await read_shard(self._store, number, tables.decode_table(stored.body).shards[number])
        except Damaged:
            table = await self._publisher.publish([], check=[number])
            shard = await read_shard(self._store, number, table.shards[number])
        line = shard.get(name, digest)
        return 0 if line is None else tables.decode_row(line).revision

    async def _write(
        self, name: str, record: Record | None, author: Author, options: ImportOptions, floor: _Floor
    ) -> tuple[Outcome, Row | None]:
        operation = self._new_operation()
        for _ in range(_ATTEMPTS):
            read = await self._read(name)
            if read is not None and _wrote(read.project, operation):
                return _outcome(read.project, operation), row_of(*read)
            present = None if read is None else read.project.record
            if present == record or (present is not None and options.only_new):
                return Outcome.UNCHANGED, None if read is None else row_of(*read)
            outcome = Outcome.CREATED if present is None else Outcome.CHANGED
            if options.dry_run:
                return outcome, None
            change = Change(record, self._clock(), author, operation)
            try:
                return outcome, await self._commit(name, read, change, 0 if read is not None else await floor(name))
            except Conflict:
                continue
        raise Conflict(f"{name} changed {_ATTEMPTS} times while it was being written.")

    async def _read(self, name: str) -> _Read | None:
        stored = await self._store.get(projects.key_of(name))
        return None if stored is None else _Read(projects.decode(stored.body, name), stored.etag)

    async def _commit(self, name: str, read: _Read | None, change: Change, floor: int) -> Row:
        revised = projects.revise(None if read is None else read.project, name, change, floor=floor)
        for entry, after in revised.moved_out:
            with suppress(Conflict):  # an earlier attempt has put it there; a committed entry never changes
                key = projects.history_key(name, entry.revision)
                await self._store.create(key, projects.encode_moved_out(entry, after))
        body = projects.encode(revised.project)
        key = projects.key_of(name)
        if read is None:
            etag = await self._store.create(key, body)
        else:
            etag = await self._store.replace(key, body, read.etag)
        return row_of(revised.project, etag)


def _too_much(records: Mapping[str, Record], published: Mapping[str, Row]) -> str | None:
    """Return why `records` are too much of a change to be made without being told to, or None."""
    rows = [row for name in records if (row := published.get(name)) is not None]
    changes = sum(row.record is not None and row.record != records[row.name] for row in rows)
    if len(published) <= GUARDED_ROWS or changes <= GUARDED_SHARE * len(published):
        return None
    return f"it changes {changes} of {len(published)} redirects, more than {GUARDED_SHARE:.0%}"


def _wrote(project: Project, operation: str) -> bool:
    return any(entry.operation == operation for entry in project.history)


def _outcome(project: Project, operation: str) -> Outcome:
    before = next(entry.before for entry in project.history if entry.operation == operation)
    return Outcome.CREATED if before is None else Outcome.CHANGED
