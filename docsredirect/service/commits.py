"""Commits: a project's change and its history in one conditional PUT. Publishes nothing.

A commit is made against the state that was read. Losing a race means reading and deciding again; a PUT whose answer
was lost is recognised by its operation id in the history, also when another change came after it.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from typing import NamedTuple

from docsredirect.domain import projects
from docsredirect.domain.clock import Clock
from docsredirect.domain.errors import Conflict, StoreError
from docsredirect.domain.projects import Author, Change, Project
from docsredirect.domain.records import Record
from docsredirect.domain.tables import Row
from docsredirect.service.concurrency import for_each
from docsredirect.service.publisher import row_of
from docsredirect.store import Store

_AT_ONCE = 16

_REMEMBERED = 10
"""How many of a project's last operations are known again when they are repeated; more, where history is short."""

_ATTEMPTS = 100
"""Lost races for one project before that is reported instead."""


class Outcome(Enum):
    """What a write came to."""

    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


class Committed(NamedTuple):
    """What a commit came to: the project as it stands, or would stand after a dry run (None: nothing is there), and its
    row, where there is an object that it could be of."""

    outcome: Outcome
    project: Project | None
    row: Row | None
    is_repeated: bool = False
    """Whether an earlier request had done it already, and others may have changed the project since."""


class Doing(NamedTuple):
    """Who writes, and in which operation. One that `may_be_repeated`, because its id comes from whoever asked, is
    looked for among what a project no longer carries along, too."""

    author: Author
    operation: str
    may_be_repeated: bool = False


class Read(NamedTuple):
    """A project as it was read, and its object's ETag."""

    project: Project
    etag: str


Decide = Callable[[Project | None], Awaitable[Record | None]]
"""Says what record a project is to have (None: none), of what it is now. Raises where it may not be changed."""

Floor = Callable[[str], Awaitable[int]]
"""Tells the revision that is published of a project whose object is gone: its revisions go on from there, or the
table would keep the published row."""


class Commits:
    """Writes projects into `store`. `clock` gives seconds since the epoch."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def read(self, name: str) -> Read | None:
        """Return a project, or None where there is no object. Raises `StoreUnavailable` and `Damaged`."""
        with at_step("read"):
            stored = await self._store.get(projects.key_of(name))
            return None if stored is None else Read(projects.decode(stored.body, name), stored.etag)

    async def commit(
        self, name: str, decide: Decide, doing: Doing, floor: Floor, *, known_absent: bool = False
    ) -> Committed:
        """Make of a project what `decide` says. With `known_absent` the first attempt is made without looking.

        Raises what `decide` raises, `StoreUnavailable`, `Damaged` where the object cannot be read, and `Conflict`
        where every attempt lost its race.
        """
        for attempt in range(_ATTEMPTS):
            read = None if known_absent and attempt == 0 else await self.read(name)
            deep = doing.may_be_repeated or attempt > 0
            if read is not None and (entry := await self._done(read.project, doing.operation, deep=deep)) is not None:
                outcome = Outcome.CREATED if entry.before is None else Outcome.CHANGED
                return Committed(outcome, read.project, row_of(*read), is_repeated=attempt == 0)
            project = None if read is None else read.project
            present = None if project is None else project.record
            record = await decide(project)
            if present == record:
                return Committed(Outcome.UNCHANGED, project, None if read is None else row_of(*read))
            change = Change(record, self._clock(), doing.author, doing.operation)
            try:
                written = await self._put(name, read, change, 0 if read is not None else await floor(name))
            except Conflict:
                continue
            outcome = Outcome.CREATED if present is None else Outcome.CHANGED
            return Committed(outcome, written.project, row_of(*written))
        raise Conflict(f"{name} changed {_ATTEMPTS} times while it was being written.")

    async def history(self, project: Project, below: int, limit: int) -> list[projects.Past]:
        """Return at most `limit` entries of a project's history with revisions under `below`, newest first."""
        found = [past for past in projects.past_of(project) if past.entry.revision < below][:limit]
        first = min(project.history[-1].revision, below) - 1
        moved: dict[int, projects.Past] = {}

        async def read(revision: int) -> None:
            if (past := await self.moved_out(project.name, revision)) is not None:
                moved[revision] = past

        revisions = range(first, max(first - (limit - len(found)), 0), -1)
        await for_each(revisions, read, _AT_ONCE)
        # The first revision of all need not be 1, and nothing is missing in between.
        return found + [moved[revision] for revision in revisions if revision in moved]

    async def past(self, project: Project, revision: int) -> projects.Past | None:
        """Return one entry of a project's history, or None where there is none."""
        for past in projects.past_of(project):
            if past.entry.revision == revision:
                return past
        return None if revision > project.revision else await self.moved_out(project.name, revision)

    async def moved_out(self, name: str, revision: int) -> projects.Past | None:
        """Return an entry that a project no longer carries along, or None where there is none."""
        with at_step("read"):
            key = projects.history_key(name, revision)
            stored = await self._store.get(key)
            return None if stored is None else projects.decode_moved_out(stored.body, key)

    async def _done(self, project: Project, operation: str, deep: bool) -> projects.Entry | None:
        """Return the entry of `operation`, or None where it was not done; `deep`: a few entries beyond those that the
        project carries along are looked at too."""
        entries = [past.entry for past in projects.past_of(project)]
        lacking = _REMEMBERED - len(entries)
        if deep and lacking > 0 and entries[-1].revision > 1:
            entries += [past.entry for past in await self.history(project, entries[-1].revision, lacking)]
        return next((entry for entry in entries if entry.operation == operation), None)

    async def _put(self, name: str, read: Read | None, change: Change, floor: int) -> Read:
        revised = projects.revise(None if read is None else read.project, name, change, floor=floor)
        with at_step("commit"):
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
        return Read(revised.project, etag)


@contextmanager
def at_step(step: str) -> Iterator[None]:
    """Say of a failure of the store in which step it came."""
    try:
        yield
    except StoreError as error:
        error.step = step
        raise
