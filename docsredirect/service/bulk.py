"""Bulk writes: an import, or going back to an earlier table. Many commits, and one publication at their end."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec
import structlog

from docsredirect.domain import projects, tables
from docsredirect.domain.errors import Conflict, Damaged, ImportRefused
from docsredirect.domain.projects import Author, Project
from docsredirect.domain.records import Record
from docsredirect.domain.tables import TABLE_KEY, Row
from docsredirect.service.commits import Commits, Doing, Outcome, at_step
from docsredirect.service.concurrency import for_each
from docsredirect.service.publisher import Publisher
from docsredirect.service.replica import read_shard
from docsredirect.store import Store

_AT_ONCE = 32

_LISTED_PER_READ = 30
"""Objects that a listing tells of in the time of one read, of 32 at once: where an import is smaller than that share of
the table, reading its projects is faster than listing all."""

GUARDED_ROWS = 1_000
GUARDED_SHARE = 0.2
"""An import into a table of more than `GUARDED_ROWS` rows may change this share of them without being told to."""

log = structlog.get_logger(__name__)


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


class BulkWriter:
    """Writes many projects of `store` through `commits`, then publishes through `publisher`."""

    def __init__(self, store: Store, commits: Commits, publisher: Publisher, new_operation: Callable[[], str]) -> None:
        self._store = store
        self._commits = commits
        self._publisher = publisher
        self._new_operation = new_operation

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
        records: dict[str, Record | None] = {name: row.record for name, row in wanted.items()}
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
        writing = _Writing(self._commits, records, author, options, published, await self._etags(records, published))

        async def write(name: str) -> None:
            await writing.write(name, self._new_operation())
            progress()

        await for_each(sorted(records), write, _AT_ONCE)
        if not options.dry_run:
            with at_step("publish"):
                await self._publisher.publish(writing.rows.values())
        return writing.imported

    async def _etags(self, records: Mapping[str, object], published: Mapping[str, Row]) -> dict[str, str] | None:
        """Return the ETags of the objects that there are of `records`, or None where asking each is faster."""
        if len(records) * _LISTED_PER_READ < len(published):
            return None
        listing = self._store.list_objects(projects.PREFIX)
        with at_step("read"):
            named = [(projects.name_of(listed.key), listed.etag) async for listed in listing]
        return {name: etag for name, etag in named if name is not None and name in records}

    async def _published(self) -> dict[str, Row]:
        """Return the rows that are published, by name, as far as they can be read."""
        rows: dict[str, Row] = {}
        with at_step("read"):
            stored = await self._store.get(TABLE_KEY)
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


class _Writing:
    """One bulk write on its way: what is wanted, what was published when it began, and what it came to so far.

    `etags` are those of the objects that there are of `records`, or None where that was not asked."""

    def __init__(
        self,
        commits: Commits,
        records: Mapping[str, Record | None],
        author: Author,
        options: ImportOptions,
        published: Mapping[str, Row],
        etags: Mapping[str, str] | None,
    ) -> None:
        self._commits = commits
        self._records = records
        self._author = author
        self._options = options
        self._published = published
        self._etags = etags
        self.imported = Imported()
        self.rows: dict[str, Row] = {}
        """What is to be published."""

    async def write(self, name: str, operation: str) -> None:
        """Write one project, or count it as refused."""
        if self._is_done(name):
            self.imported.counts[Outcome.UNCHANGED] += 1
            return
        would_come_to: Outcome | None = None

        async def decide(project: Project | None) -> Record | None:
            nonlocal would_come_to
            present = None if project is None else project.record
            if self._stays(name, present):
                return present
            if self._options.dry_run:
                would_come_to = Outcome.CREATED if present is None else Outcome.CHANGED
                return present
            return self._records[name]

        known_absent = self._etags is not None and name not in self._etags
        try:
            committed = await self._commits.commit(
                name, decide, Doing(self._author, operation), self._floor, known_absent=known_absent
            )
        except (Conflict, Damaged) as error:
            log.error("project not written", project=name, reason=str(error))
            self.imported.refused.append(Refused(name, str(error)))
            return
        self.imported.counts[would_come_to or committed.outcome] += 1
        if committed.row is not None and committed.row != self._published.get(name):
            self.rows[name] = committed.row

    def _is_done(self, name: str) -> bool:
        """Tell whether nothing is to be done, without a look at the object: it is still the one that is published."""
        row = self._published.get(name)
        if row is None or self._etags is None or self._etags.get(name) != row.etag:
            return False
        return self._stays(name, row.record)

    def _stays(self, name: str, present: Record | None) -> bool:
        return present == self._records[name] or (present is not None and self._options.only_new)

    async def _floor(self, name: str) -> int:
        return self._published[name].revision if name in self._published else 0


def _too_much(records: Mapping[str, Record], published: Mapping[str, Row]) -> str | None:
    """Return why `records` are too much of a change to be made without being told to, or None."""
    rows = [row for name in records if (row := published.get(name)) is not None]
    changes = sum(row.record is not None and row.record != records[row.name] for row in rows)
    if len(published) <= GUARDED_ROWS or changes <= GUARDED_SHARE * len(published):
        return None
    return f"it changes {changes} of {len(published)} redirects, more than {GUARDED_SHARE:.0%}"
