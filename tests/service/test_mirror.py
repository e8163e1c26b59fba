"""The mirror: the old service's file follows what is published, loses nothing, and is never made older."""

import asyncio
import json
from io import BytesIO
from typing import Any

import pytest

from docsredirect.domain.errors import MirrorRefused, StoreUnavailable
from docsredirect.domain.records import Record
from docsredirect.formats.lines import read_batch
from docsredirect.service.bulk import ImportOptions
from docsredirect.service.mirror import Mirror
from docsredirect.service.publisher import row_of
from docsredirect.service.replica import Replica
from tests.support.admin import record as raw
from tests.support.admin import running_admin
from tests.support.edges import AUTHOR, HOSTS, make_registry, publish, record
from tests.support.stores import FakeStore

FILE, LOST, BEFORE = "redirects.txt", "redirects.txt.lost.jsonl", "redirects.txt.before"


def _mirror(store: FakeStore, old: FakeStore) -> Mirror:
    return Mirror(old, FILE, Replica(store, clock=lambda: 0.0))


async def _mirrored(*records: Record, old: FakeStore | None = None) -> FakeStore:
    store, old = FakeStore(), old or FakeStore()
    await publish(store, records)
    await _mirror(store, old).write()
    return old


def _rows(old: FakeStore, key: str = FILE) -> list[dict[str, Any]]:
    return [json.loads(line) for line in old.objects[key].body.splitlines()]


def _line(name: str, base: str = "https://six.example.org", *, include_path: bool = True) -> bytes:
    return json.dumps({"project_name": name, "include_path": include_path, "base_uri": base}).encode() + b"\n"


async def test_the_file_says_what_is_published_in_every_spelling() -> None:
    """Sorted by name, in the old form, one line a spelling; what it cannot say is listed beside it."""
    old = await _mirrored(
        record("Foo.Bar", "https://foo.example.org/", "root", status=302),
        record("six", rules={"a.html": "b/"}),
        record("withdrawn", state="gone"),
    )
    assert [(row["project_name"], row["include_path"], row["base_uri"]) for row in _rows(old)] == [
        ("Foo.Bar", False, "https://foo.example.org/"),
        ("foo.bar", False, "https://foo.example.org/"),
        ("foo-bar", False, "https://foo.example.org/"),
        ("six", True, "https://six.example.org"),
    ]
    assert [row["project"] for row in _rows(old, LOST)] == ["Foo.Bar", "six", "withdrawn"]


async def test_a_spelling_that_only_the_old_file_knows_stays() -> None:
    """The old service finds names by their exact spelling: links that were written so must still be found."""
    old = FakeStore()
    await old.put(FILE, _line("SIX") + _line("six"))
    await _mirrored(record("six", "https://new.example.org/"), old=old)
    assert [(row["project_name"], row["base_uri"]) for row in _rows(old)] == [
        ("six", "https://new.example.org"),
        ("SIX", "https://new.example.org"),
    ]


async def test_the_file_that_was_there_first_is_kept() -> None:
    """Byte for byte, and only the first one."""
    old, first = FakeStore(), _line("six", "https://first.example.org")
    await old.put(FILE, first)
    for target in ("https://a.example.org/", "https://b.example.org/"):
        await _mirrored(record("six", target), old=old)
    assert old.objects[BEFORE].body == first


async def test_a_file_with_projects_that_were_never_imported_is_not_rewritten() -> None:
    """An operator who sets the mirror before the import would lose them; he is told what to do instead."""
    old, body = FakeStore(), _line("six") + _line("never-imported")
    await old.put(FILE, body)
    with pytest.raises(MirrorRefused, match=r"1 projects .* 'never-imported'.* Import it first"):
        await _mirrored(record("six"), old=old)
    assert {key: each.body for key, each in old.objects.items()} == {FILE: body}


async def test_an_empty_table_does_not_empty_the_file() -> None:
    """The worst that could happen on the first day."""
    old = FakeStore()
    await old.put(FILE, _line("six"))
    with pytest.raises(MirrorRefused):
        await _mirror(FakeStore(), old).write()


async def test_a_removed_project_goes() -> None:
    """It was known, so leaving it out is what somebody wanted."""
    store, old = FakeStore(), FakeStore()
    await old.put(FILE, _line("six") + _line("seven"))
    await publish(store, [record("six"), record("seven")])
    registry = make_registry(store)
    await registry.restore({"six": _row_of(await registry.read("six"))}, AUTHOR)
    await _mirror(store, old).write()
    assert [row["project_name"] for row in _rows(old)] == ["six"]


def _row_of(project: Any) -> Any:
    return row_of(project, '"x"')


async def test_nothing_is_written_where_nothing_would_be_another() -> None:
    """The old service reads its file anew whenever it changes; a look costs one read."""
    store, old = FakeStore(), FakeStore()
    await publish(store, [record("six")])
    mirror = _mirror(store, old)
    assert (await mirror.write()).written
    old.requests.clear()
    assert not (await mirror.write()).written
    assert dict(old.requests) == {("get", FILE): 1}


async def test_an_older_table_never_replaces_a_newer_file() -> None:
    """A process that was slow writes over nothing: the file is not the one that it has read any more."""
    store, old = FakeStore(), FakeStore()
    await publish(store, [record("six")])
    slow = _mirror(store, old)
    old.gate.clear()
    writing = asyncio.create_task(slow.write())
    await asyncio.sleep(0.01)
    await publish(store, [record("six", "https://new.example.org/")])
    old.gate.set()
    await _mirror(store, old).write()
    await writing
    assert _rows(old)[0]["base_uri"] == "https://new.example.org"


async def test_a_store_that_fails_leaves_the_file_as_it_is() -> None:
    """Where the published table cannot be read now, nobody knows what the file should say."""
    store, old = FakeStore(), FakeStore()
    await publish(store, [record("six")])
    mirror = _mirror(store, old)
    await mirror.write()
    await publish(store, [record("six", "https://new.example.org/")])
    store.failing = "table.json"
    with pytest.raises(StoreUnavailable, match="cannot be read now"):
        await mirror.write()
    assert _rows(old)[0]["base_uri"] == "https://six.example.org"


async def test_lines_of_the_old_file_that_are_no_rows_are_passed_over() -> None:
    """No request was ever answered from them; the file as it was is kept."""
    old = FakeStore()
    await old.put(FILE, b'{"broken\n[]\n\n\xff\n{"project_name": "not a name"}\n' + _line("six"))
    await _mirrored(record("six"), old=old)
    assert [row["project_name"] for row in _rows(old)] == ["six"]


async def test_what_is_mirrored_can_be_imported_again() -> None:
    """Going back and coming again gives what the old format can say, and nothing else."""
    old = await _mirrored(record("six"), record("Foo.Bar", path="root"))
    batch = read_batch(BytesIO(old.objects[FILE].body), HOSTS)
    assert not batch.refusals
    assert batch.records == {"six": record("six"), "foo-bar": record("Foo.Bar", path="root")}
    store = FakeStore()
    await make_registry(store).import_records(batch.records, AUTHOR, ImportOptions(force=True))
    await _mirror(store, again := FakeStore()).write()
    assert again.objects[FILE].body == old.objects[FILE].body


async def test_the_admin_side_mirrors_each_publication(tmp_path: Any) -> None:
    """With DOCSREDIRECT_MIRROR a change is in the file a moment later."""
    file = tmp_path / "old" / "redirects.txt"
    async with running_admin(FakeStore(), {"DOCSREDIRECT_MIRROR": str(file)}) as admin:
        await admin.put(raw(), {"If-None-Match": "*"})
        async with asyncio.timeout(10):
            while not file.exists() or b"six.example.org" not in file.read_bytes():
                await asyncio.sleep(0.05)
        assert json.loads(file.read_bytes().splitlines()[0])["project_name"] == "six"
