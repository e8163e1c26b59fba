"""The registry: the only writer. It checks the precondition, commits a project's change and its history at once, and
publishes, in that order; the record it is given has been validated, because no other can be made.

A failure says in which step it came. A commit that has begun goes on when nobody waits for it any more, and what it
has committed is published.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, NamedTuple, TypeVar

from docsredirect.domain import tables
from docsredirect.domain.clock import Clock
from docsredirect.domain.errors import Damaged, NoSuchProject, NoSuchRevision, StoreError, StoreUnavailable
from docsredirect.domain.preconditions import ANYTHING, Precondition, etag_of
from docsredirect.domain.projects import Author, Past, Project
from docsredirect.domain.records import Record
from docsredirect.domain.tables import TABLE_KEY, Row
from docsredirect.service.bulk import DEFAULT_OPTIONS, BulkWriter, Imported, ImportOptions
from docsredirect.service.commits import Commits, Committed, Decide, Doing, Outcome, at_step
from docsredirect.service.publications import Publications
from docsredirect.service.publisher import Publisher
from docsredirect.service.replica import read_shard
from docsredirect.store import Store

PUBLISHED_SECONDS = 2.0
"""How long a single write waits for its publication before it answers that there is none yet."""

COMMIT_SECONDS = 2.8
"""How long a single write waits for its commit. With what is around it, a failing store is told within 3 s."""

T = TypeVar("T")

Recheck = Callable[[Record], Record]
"""Checks a record of the past by the rules of today. Raises `InvalidRecord`."""


class Written(NamedTuple):
    """What one write came to: its outcome, the project as it now stands, and whether that is published."""

    outcome: Outcome
    project: Project
    published: bool
    is_repeated: bool = False
    """Whether an earlier request with the same operation had done it already."""


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
        self._new_operation = new_operation
        self._commits = Commits(store, clock)
        self._bulk = BulkWriter(store, self._commits, publisher, new_operation)
        self._under_way: set[asyncio.Task[Any]] = set()

    @property
    def unpublished(self) -> int:
        """How many projects have changes of this process that are not published yet."""
        return 0 if self._publications is None else self._publications.waiting

    async def read(self, name: str) -> Project:
        """Return a project that has a redirect. Raises `NoSuchProject`, with its ETag where it is a tombstone,
        `StoreUnavailable` and `Damaged`."""
        project = await self.read_any(name)
        if project.record is None:
            raise NoSuchProject(f"{name} has no redirect any more. Its history is kept.", etag_of(project))
        return project

    async def read_any(self, name: str) -> Project:
        """Return a project or its tombstone. Raises as `read` does where there never was one."""
        read = await self._commits.read(name)
        if read is None:
            raise NoSuchProject(f"{name} has no redirect.")
        return read.project

    async def history(self, name: str, *, below: int, limit: int) -> list[Past]:
        """Return at most `limit` entries of a project's history with revisions under `below`, newest first. Raises as
        `read_any` does."""
        return await self._commits.history(await self.read_any(name), below, limit)

    async def put(
        self,
        record: Record,
        author: Author,
        precondition: Precondition = ANYTHING,
        *,
        operation: str | None = None,
        seconds: float = COMMIT_SECONDS,
    ) -> Written:
        """Write one record and wait a moment for its publication. A record that is there already is no new revision.

        `operation` names what is done, for who may do it again: where the history has it, it was done. The commit is
        waited for at most `seconds`.
        Raises `PreconditionFailed`, `StoreUnavailable`, `Damaged` where the project's object cannot be read, and
        `Conflict` where every attempt lost its race.
        """

        async def decide(project: Project | None) -> Record:
            precondition.check(project, record.name)
            return record

        return await self._write(record.name, decide, author, operation, seconds)

    async def delete(
        self,
        name: str,
        author: Author,
        precondition: Precondition = ANYTHING,
        *,
        operation: str | None = None,
        seconds: float = COMMIT_SECONDS,
    ) -> Written:
        """Leave a tombstone in a redirect's place. Raises as `put` does, and `NoSuchProject`."""

        async def decide(project: Project | None) -> None:
            if project is None or project.record is None:
                etag = None if project is None else etag_of(project)
                raise NoSuchProject(f"{name} has no redirect that could be removed.", etag)
            precondition.check(project, name)

        return await self._write(name, decide, author, operation, seconds)

    async def roll_back(  # noqa: PLR0913 - each is a part of what the request says
        self,
        name: str,
        revision: int,
        author: Author,
        precondition: Precondition = ANYTHING,
        *,
        recheck: Recheck = lambda record: record,
        operation: str | None = None,
        seconds: float = COMMIT_SECONDS,
    ) -> Written:
        """Make a project, or its tombstone, again what it was at `revision`, as a new revision.

        Raises as `put` does, `NoSuchProject`, `NoSuchRevision`, and what `recheck` raises of that record.
        """

        async def decide(project: Project | None) -> Record | None:
            if project is None:
                raise NoSuchProject(f"{name} never had a redirect.")
            precondition.check(project, name)
            past = await self._commits.past(project, revision)
            if past is None:
                raise NoSuchRevision(f"{name} has no revision {revision}. The last one is {project.revision}.")
            return None if past.after is None else recheck(past.after)

        return await self._write(name, decide, author, operation, seconds)

    async def import_records(
        self,
        records: Mapping[str, Record],
        author: Author,
        options: ImportOptions = DEFAULT_OPTIONS,
        *,
        progress: Callable[[], None] = lambda: None,
    ) -> Imported:
        """Write many records as `BulkWriter.import_records` does."""
        return await self._bulk.import_records(records, author, options, progress=progress)

    async def restore(
        self, wanted: Mapping[str, Row], author: Author, *, progress: Callable[[], None] = lambda: None
    ) -> Imported:
        """Go back to an earlier table as `BulkWriter.restore` does."""
        return await self._bulk.restore(wanted, author, progress=progress)

    async def close(self) -> None:
        """Wait for the commits under way."""
        if self._under_way:
            await asyncio.wait(self._under_way)

    async def _write(self, name: str, decide: Decide, author: Author, operation: str | None, seconds: float) -> Written:
        assert self._publications is not None, "single writes need somebody who publishes"
        publications = self._publications
        deciding = True

        async def commit() -> tuple[Committed, asyncio.Future[bool]]:
            nonlocal deciding

            async def decided(project: Project | None) -> Record | None:
                nonlocal deciding
                record = await decide(project)
                deciding = False
                return record

            doing = Doing(author, operation or self._new_operation(), may_be_repeated=operation is not None)
            done = await self._commits.commit(name, decided, doing, self._floor)
            assert done.row is not None, "what was committed, or stays, has an object"
            return done, publications.submit(done.row)

        task = self._begin(commit())
        try:
            async with asyncio.timeout(seconds):
                committed, publication = await asyncio.shield(task)
        except TimeoutError as error:
            if deciding:  # or what is told to have changed nothing would do so later
                task.cancel()
            raise _too_slow(deciding=deciding) from error
        assert committed.project is not None
        published = await publications.wait(publication, PUBLISHED_SECONDS)
        return Written(committed.outcome, committed.project, published, committed.is_repeated)

    def _begin(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Begin `work`, which goes on when nobody waits for it any more."""
        task = asyncio.create_task(work, name="commit")
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited has it; where nobody does any more, he was told of a failure

    async def _floor(self, name: str) -> int:
        with at_step("read"):
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


def _too_slow(*, deciding: bool) -> StoreError:
    if deciding:
        error = StoreUnavailable("The store did not answer in time. Nothing was changed.")
        error.step = "read"
    else:
        error = StoreUnavailable(
            "The store did not answer in time. The change may still take effect: look at the project before trying "
            "again, or repeat the request with the same Idempotency-Key."
        )
        error.step = "commit"
    return error
