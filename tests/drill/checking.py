"""What must be true of a store after kills: the promises, each as a check that names what breaks it."""

import json
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from docsredirect.domain import projects
from docsredirect.domain.errors import Damaged
from docsredirect.domain.projects import Past, Project
from docsredirect.domain.records import Record
from docsredirect.service.concurrency import for_each
from docsredirect.service.replica import published_rows
from docsredirect.store import Store
from tests.bench.admin_serving import API, Api
from tests.drill.ledger import Attempt

_AT_ONCE = 16

History = dict[int, Past]
"""A project's revisions."""

Histories = dict[str, History]


class Found(NamedTuple):
    """What the objects of a store hold: each project with its object's ETag, and what cannot be read."""

    projects: dict[str, tuple[Project, str]]
    violations: list[str]


async def read_projects(store: Store) -> Found:
    """Read every object under ``projects/``."""
    found: dict[str, tuple[Project, str]] = {}
    violations: list[str] = []

    async def read(key: str) -> None:
        name, stored = projects.name_of(key), await store.get(key)
        if name is None or stored is None:
            violations.append(f"{key} is no project's object, or was listed and is not there")
            return
        try:
            found[name] = projects.decode(stored.body, name), stored.etag
        except Damaged as error:
            violations.append(f"half there: {error}")

    listed = [each.key async for each in store.list_objects(projects.PREFIX)]
    await for_each(listed, read, _AT_ONCE)
    return Found(found, violations)


async def read_histories(store: Store, found: Found) -> tuple[Histories, int, list[str]]:
    """Return the histories of all projects, with what they no longer carry along; how many entries that is; and what
    cannot be read, or contradicts what the project carries along."""
    histories = {
        name: {past.entry.revision: past for past in projects.past_of(project)}
        for name, (project, _) in found.projects.items()
    }
    violations: list[str] = []
    moved_out = 0

    async def read(key: str) -> None:
        nonlocal moved_out
        _, name, end = key.split("/")
        revision, stored = int(end.removesuffix(".json")), await store.get(key)
        try:
            past = projects.decode_moved_out(b"" if stored is None else stored.body, key)
        except Damaged as error:
            violations.append(f"half there: {error}")
            return
        moved_out += 1
        if past.entry.revision != revision or histories.setdefault(name, {}).setdefault(revision, past) != past:
            violations.append(f"{key} is not the revision that it is named after, or not as {name} carries it along")

    listed = [each.key async for each in store.list_objects("history/")]
    await for_each(listed, read, _AT_ONCE)
    return histories, moved_out, violations


def unbroken(histories: Histories) -> Iterator[str]:
    """Check that revisions count from 1 without a gap, and that each replaced what the one before it had brought."""
    for name, history in histories.items():
        if sorted(history) != list(range(1, len(history) + 1)):
            missing = sorted(set(range(1, max(history) + 1)) - set(history))
            yield f"gap: {name} lacks the revisions {missing} of {max(history)}"
            continue
        for revision, past in history.items():
            before = None if revision == 1 else history[revision - 1].after
            if past.entry.before != before:
                yield f"broken: revision {revision} of {name} did not replace revision {revision - 1}"


def kept(attempts: Iterable[Attempt], histories: Histories) -> Iterator[str]:
    """Check every attempt against the histories: what was acknowledged is there exactly so, what was refused is not,
    what was not answered is there wholly or not at all, nothing is there twice, and nothing that nobody attempted."""
    made: dict[str | None, list[tuple[str, Past]]] = defaultdict(list)
    for name, history in histories.items():
        for past in history.values():
            made[past.entry.author.reason].append((name, past))
    for attempt in attempts:
        history = histories.get(attempt.name, {})
        entries = made.pop(attempt.reason, [])
        yield from _acknowledged(attempt, history)
        yield from _done(attempt, entries, history)
        if not entries:
            yield from _not_done(attempt, history)
    for reason, entries in made.items():
        yield f"nobody's: {reason!r} made {[(name, past.entry.revision) for name, past in entries]}"


def acknowledged_last(attempts: Iterable[Attempt], found: Found) -> Iterator[str]:
    """Check, by what projects carry along alone, what was acknowledged; older revisions are passed over."""
    for attempt in attempts:
        project, _ = found.projects.get(attempt.name, (None, ""))
        if project is None:
            if attempt.acknowledged:
                yield f"lost: {attempt.reason} was acknowledged, and {attempt.name} is not there"
            continue
        oldest = project.history[-1].revision
        carried = {past.entry.revision: past for past in projects.past_of(project)}
        for answer in attempt.answers:
            if answer.acknowledges and answer.revision >= oldest:
                yield from _shown(attempt, answer.revision, (answer.reason, answer.record), carried)


def _acknowledged(attempt: Attempt, history: History) -> Iterator[str]:
    for answer in attempt.answers:
        if answer.acknowledges:
            yield from _shown(attempt, answer.revision, (answer.reason, answer.record), history)


def _done(attempt: Attempt, entries: list[tuple[str, Past]], history: History) -> Iterator[str]:
    if len(entries) > 1:
        yield f"twice: {attempt.reason} made {[(name, past.entry.revision) for name, past in entries]}"
    for name, past in entries:
        if name != attempt.name or past.after != _wanted(attempt, history):
            yield f"half there: revision {past.entry.revision} of {name} is not what {attempt.reason} wanted"
    if entries and attempt.refused and not attempt.acknowledged:
        yield f"refused and done: {attempt.reason} on {attempt.name}"


def _not_done(attempt: Attempt, history: History) -> Iterator[str]:
    if attempt.acknowledged and not _changes_nothing(attempt, history):
        yield f"lost: {attempt.reason} on {attempt.name} was acknowledged and is not in the history"
    if attempt.refused and not attempt.acknowledged and not _had_cause(attempt, history):
        yield f"refused without cause: {attempt.reason} on {attempt.name}"


def _shown(
    attempt: Attempt, revision: int, told: tuple[str | None, Record | None], history: Mapping[int, Past]
) -> Iterator[str]:
    past = history.get(revision)
    where = f"{attempt.reason} was told revision {revision} of {attempt.name}"
    if past is None:
        yield f"lost: {where}, which is not there"
    elif (past.entry.author.reason, past.after) != told:
        yield f"lost: {where}, which is another one now"


def _wanted(attempt: Attempt, history: History) -> Record | None:
    if isinstance(attempt.wanted, int):
        past = history.get(attempt.wanted)
        return None if past is None else past.after
    return attempt.wanted


def _changes_nothing(attempt: Attempt, history: History) -> bool:
    """Tell whether a write was acknowledged because the project was as it wanted already."""
    wanted = _wanted(attempt, history)
    return isinstance(attempt.wanted, int) and any(
        answer.acknowledges and answer.record == wanted for answer in attempt.answers
    )


def _had_cause(attempt: Attempt, history: History) -> bool:
    """Tell whether a refusal may have been right: going back to a revision that was seen has no precondition, and an
    ETag, which begins with its revision, stays that of the project until there is a later one."""
    if isinstance(attempt.wanted, int):
        return False
    seen = attempt.headers.get("If-Match", "").strip('"').partition("-")[0]
    return not seen.isdecimal() or len(history) > int(seen)


async def unpublished(store: Store, found: Found) -> set[str]:
    """Return the names whose row is not what their object is, or which have only one of the two. A table that cannot
    be read is one more violation of `found`."""
    try:
        rows = {row.name: (row.revision, row.etag, row.record) for row in await published_rows(store) or []}
    except Damaged as error:
        found.violations.append(f"half there: {error}")
        return set(found.projects)
    objects = {name: (project.revision, etag, project.record) for name, (project, etag) in found.projects.items()}
    return {name for name in {*rows, *objects} if rows.get(name) != objects.get(name)}


async def told_by_api(port: int, histories: Histories) -> list[str]:
    """Check that the API tells the histories that the objects hold."""
    api = Api(port)
    violations = []
    for name, history in histories.items():
        held = [
            (past.entry.revision, past.entry.author.reason, past.entry.before, past.after)
            for _, past in sorted(history.items(), reverse=True)
        ]
        try:
            told = [each async for each in _told(api, f"{API}/projects/{name}/history")]
        except OSError:
            told = []
        if told != held:
            violations.append(f"the API tells another history of {name} than its objects hold")
    await api.close()
    return violations


async def _told(api: Api, path: str) -> AsyncIterator[tuple[int, str | None, Record | None, Record | None]]:
    while path:
        response = await api.ask("GET", path)
        if response is None or response.status != 200:
            return
        for each in json.loads(response.body)["history"]:
            yield each["revision"], each["reason"], _record(each["before"]), _record(each["after"])
        path = (response.header("link") or "").partition(">")[0].removeprefix("<")


def _record(fields: object) -> Record | None:
    return None if fields is None else msgspec.convert(fields, Record)
