"""The registry: what an import writes, what it leaves, and what races and lost answers do to it."""

import asyncio

import msgspec
import pytest

from docsredirect.domain import projects
from docsredirect.domain.errors import Conflict, ImportRefused, StoreUnavailable
from docsredirect.domain.projects import Author, Project
from docsredirect.domain.records import Record
from docsredirect.service.bulk import Imported, ImportOptions
from docsredirect.service.commits import Outcome
from docsredirect.service.replica import published_rows
from tests.support.edges import AUTHOR, make_registry, record
from tests.support.stores import FakeStore


def _by_name(*records: Record) -> dict[str, Record]:
    return {each.name: each for each in records}


def _counts(imported: Imported) -> tuple[int, int, int]:
    return imported.counts[Outcome.CREATED], imported.counts[Outcome.CHANGED], imported.counts[Outcome.UNCHANGED]


def _project(store: FakeStore, name: str) -> Project:
    return projects.decode(store.objects[projects.key_of(name)].body, name)


async def _put_tombstone(store: FakeStore, name: str) -> None:
    change = projects.Change(None, time=1.0, author=AUTHOR, operation="x")
    revised = projects.revise(_project(store, name), name, change)
    await store.put(projects.key_of(name), projects.encode(revised.project))


async def test_an_import_writes_records_with_their_history_and_publishes_once() -> None:
    """One object a project, with who and why; one table for all."""
    store = FakeStore()
    author = Author(by="somebody", reason="a move")
    imported = await make_registry(store).import_records(_by_name(record("six"), record("Seven")), author)
    assert _counts(imported) == (2, 0, 0)
    project = _project(store, "seven")
    assert (project.revision, project.record) == (1, record("Seven"))
    [entry] = project.history
    assert (entry.author, entry.before, entry.time) == (author, None, 1_700_000_000.0)
    assert store.count("create", "table.json") == 1
    assert store.count("replace") == 0


async def test_a_second_import_changes_nothing() -> None:
    """What is there already is not written again, and the table is not swapped."""
    store = FakeStore()
    await make_registry(store).import_records(_by_name(record("six")), AUTHOR)
    before = dict(store.objects)
    assert _counts(await make_registry(store).import_records(_by_name(record("six")), AUTHOR)) == (0, 0, 1)
    assert store.objects == before


async def test_a_change_is_a_new_revision_and_the_old_record_is_in_the_history() -> None:
    """Revisions count up; the newest entry holds what was before."""
    store = FakeStore()
    for target in ("https://a.example.org/", "https://b.example.org/"):
        await make_registry(store).import_records(_by_name(record("six", target)), AUTHOR)
    project = _project(store, "six")
    assert (project.revision, [entry.revision for entry in project.history]) == (2, [2, 1])
    assert project.history[0].before == record("six", "https://a.example.org/")


async def test_projects_that_the_import_does_not_name_stay() -> None:
    """An import never removes."""
    store = FakeStore()
    await make_registry(store).import_records(_by_name(record("six")), AUTHOR)
    before = store.objects["projects/six.json"]
    await make_registry(store).import_records(_by_name(record("seven")), AUTHOR)
    assert store.objects["projects/six.json"] == before


async def test_only_new_leaves_redirects_that_are_there() -> None:
    """A tombstone is no redirect, so it may be written over; its revisions go on."""
    store = FakeStore()
    await make_registry(store).import_records(_by_name(record("six"), record("seven")), AUTHOR)
    await _put_tombstone(store, "seven")
    new = _by_name(record("six", "https://new.example.org/"), record("seven", "https://new.example.org/"))
    imported = await make_registry(store).import_records(new, AUTHOR, ImportOptions(only_new=True))
    assert _counts(imported) == (1, 0, 1)
    assert _project(store, "six").revision == 1
    assert _project(store, "seven").revision == 3


async def test_a_dry_run_writes_nothing_and_says_what_would_happen() -> None:
    """The same counts, and not one writing request."""
    store = FakeStore()
    await make_registry(store).import_records(_by_name(record("six"), record("seven")), AUTHOR)
    store.requests.clear()
    new = _by_name(record("six", "https://new.example.org/"), record("seven"), record("eight"))
    assert _counts(await make_registry(store).import_records(new, AUTHOR, ImportOptions(dry_run=True))) == (1, 1, 1)
    assert {operation for operation, _ in store.requests} <= {"get", "list"}


async def test_a_bad_import_into_a_large_table_is_stopped_before_it_writes() -> None:
    """More than a fifth of a table of over 1,000 rows needs force; additions do not count."""
    store = FakeStore()
    many = _by_name(*(record(f"project-{n}") for n in range(1_001)))
    registry = make_registry(store)
    await registry.import_records(many, AUTHOR)
    changed = [record(f"project-{n}", "https://new.example.org/") for n in range(201)]
    before = dict(store.objects)
    with pytest.raises(ImportRefused, match="201 of 1001"):
        await registry.import_records(_by_name(*changed), AUTHOR)
    assert store.objects == before
    added = [record(f"added-{n}") for n in range(500)]
    assert _counts(await registry.import_records(_by_name(*changed[:200], *added), AUTHOR)) == (500, 200, 0)
    assert _counts(await registry.import_records(_by_name(*changed), AUTHOR, ImportOptions(force=True))) == (0, 1, 200)


async def test_what_a_broken_off_import_committed_is_published_by_the_next() -> None:
    """A crash between commit and publication leaves nothing to repair by hand."""
    store = FakeStore()
    registry = make_registry(store)
    store.failing = "shards/"
    with pytest.raises(StoreUnavailable):
        await registry.import_records(_by_name(record("six")), AUTHOR)
    store.failing = None
    assert _counts(await registry.import_records(_by_name(record("six")), AUTHOR)) == (0, 0, 1)
    assert "table.json" in store.objects


async def test_a_put_whose_answer_was_lost_is_recognised() -> None:
    """The write had succeeded: the retry finds its own operation, and no second revision is made."""
    store = FakeStore()
    original = store.create

    async def lose_the_answer(key: str, body: bytes) -> str:
        etag = await original(key, body)
        if key.startswith("projects/"):
            raise Conflict(key)
        return etag

    store.create = lose_the_answer  # type: ignore[method-assign]
    imported = await make_registry(store).import_records(_by_name(record("six")), AUTHOR)
    assert _counts(imported) == (1, 0, 0)
    assert _project(store, "six").revision == 1


async def test_writers_at_once_lose_no_revision() -> None:
    """Sixteen imports of one project at once: sixteen revisions without a gap."""
    store = FakeStore()
    imports = [_by_name(record("six", f"https://{n}.example.org/")) for n in range(16)]
    await asyncio.gather(*(make_registry(store).import_records(each, AUTHOR) for each in imports))
    project = _project(store, "six")
    assert [entry.revision for entry in project.history] == list(range(16, 0, -1))


async def test_a_damaged_object_is_refused_by_name_and_the_rest_goes_in() -> None:
    """One project that cannot be read is reported; it is not overwritten."""
    store = FakeStore()
    await store.put("projects/six.json", b"{}")
    imported = await make_registry(store).import_records(_by_name(record("six"), record("seven")), AUTHOR)
    assert [refused.name for refused in imported.refused] == ["six"]
    assert _counts(imported) == (1, 0, 0)
    assert store.objects["projects/six.json"].body == b"{}"


async def test_history_that_outgrows_its_project_moves_out_and_nothing_is_lost() -> None:
    """Old entries go to history/<name>/<revision>.json before the project drops them; the newest stays."""
    store = FakeStore()
    registry = make_registry(store)
    wide = {f"page-{n}.html": "x" * 60 for n in range(100)}
    for n in range(20):
        rules = {**wide, "changing.html": f"to-{n}.html"}
        await registry.import_records(_by_name(record("six", rules=rules)), AUTHOR)
    project = _project(store, "six")
    inside = [entry.revision for entry in project.history]
    outside = sorted(
        int(key.split("/")[-1].removesuffix(".json")) for key in store.objects if key.startswith("history/")
    )
    assert inside == list(range(20, 20 - len(inside), -1))
    assert sorted([*inside, *outside]) == list(range(1, 21))
    assert 1 < len(inside) < 20
    assert len(store.objects["projects/six.json"].body) < projects.MAX_HISTORY_BYTES + 20_000
    for revision in outside:
        moved = msgspec.json.decode(store.objects[f"history/six/{revision}.json"].body)
        assert moved["revision"] == revision
        assert moved["after"]["rules"]["changing.html"] == f"to-{revision - 1}.html"
        assert (moved.get("before") or {}).get("rules", {}).get("changing.html") == (
            f"to-{revision - 2}.html" if revision > 1 else None
        )


async def test_a_project_whose_object_was_removed_goes_on_from_its_published_revision() -> None:
    """Else the new record would lose against the row that is published, and never be seen."""
    store = FakeStore()
    registry = make_registry(store)
    await registry.import_records(_by_name(record("six")), AUTHOR)
    await registry.import_records(_by_name(record("six", "https://b.example.org/")), AUTHOR)
    del store.objects["projects/six.json"]
    await registry.import_records(_by_name(record("six", "https://c.example.org/")), AUTHOR)
    assert _project(store, "six").revision == 3
    rows = await published_rows(store)
    assert rows is not None
    assert [row.record for row in rows] == [record("six", "https://c.example.org/")]


async def test_a_damaged_shard_does_not_stop_the_import_of_another_project() -> None:
    """The guard counts what can be read; the import goes in, and its own shard is rebuilt."""
    store = FakeStore()
    registry = make_registry(store)
    await registry.import_records(_by_name(*(record(f"project-{n}") for n in range(1_001))), AUTHOR)
    for key in [key for key in store.objects if key.startswith("shards/")][:3]:
        del store.objects[key]
    assert _counts(await registry.import_records(_by_name(record("six")), AUTHOR)) == (1, 0, 0)
