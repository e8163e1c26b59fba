"""Single writes, reconciling, restoring, and gathering publications."""

import asyncio
import hashlib
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from structlog.testing import capture_logs

from docsredirect.domain import projects, tables
from docsredirect.domain.errors import Damaged, StoreUnavailable
from docsredirect.domain.records import Record
from docsredirect.domain.tables import Row
from docsredirect.service import reconciler
from docsredirect.service.commits import Outcome
from docsredirect.service.publications import Publications
from docsredirect.service.publisher import Publisher
from docsredirect.service.reconciler import Reconciler
from docsredirect.service.registry import Registry, Written
from docsredirect.service.replica import Replica, published_rows
from tests.support.edges import AUTHOR, make_registry, publish, record
from tests.support.stores import FakeStore

EPOCHS = iter(f"{number:016x}" for number in range(0xE0000, 0xF0000))
OPERATIONS = iter(f"single-{number}" for number in range(1_000_000))


def _publisher(store: FakeStore) -> Publisher:
    return Publisher(store, new_epoch=lambda: next(EPOCHS))


@asynccontextmanager
async def _writing(store: FakeStore) -> AsyncIterator[Registry]:
    """Give a registry whose single writes are published."""
    publisher = _publisher(store)
    publications = Publications(publisher, pause=lambda attempt: 0.01)
    running = asyncio.create_task(publications.run())
    try:
        yield Registry(
            store, publisher, publications, clock=lambda: 1_700_000_000.0, new_operation=lambda: next(OPERATIONS)
        )
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def _records(store: FakeStore) -> dict[str, Record | None]:
    return {row.name: row.record for row in await published_rows(store) or ()}


def _came_to(written: Written) -> tuple[Outcome, int, bool]:
    return written.outcome, written.project.revision, written.published


async def _commit(store: FakeStore, changed: Record) -> None:
    """Commit a change and break off before it is published."""
    name = projects.key_of(changed.name)
    present = store.objects.get(name)
    before = None if present is None else projects.decode(present.body, changed.name)
    change = projects.Change(changed, time=1.0, author=AUTHOR, operation="crashed")
    await store.put(name, projects.encode(projects.revise(before, changed.name, change).project))


async def test_a_single_write_says_whether_it_is_published() -> None:
    """Outcome, revision, and True once a table holds it."""
    store = FakeStore()
    async with _writing(store) as registry:
        assert _came_to(await registry.put(record("six"), AUTHOR)) == (Outcome.CREATED, 1, True)
        assert _came_to(await registry.put(record("six"), AUTHOR)) == (Outcome.UNCHANGED, 1, True)
        new = record("six", "https://new.example.org/")
        assert _came_to(await registry.put(new, AUTHOR)) == (Outcome.CHANGED, 2, True)
    assert await _records(store) == {"six": new}


async def test_writes_at_once_are_published_together() -> None:
    """A hundred writes in one moment swap the table a few times, not a hundred."""
    store = FakeStore()
    async with _writing(store) as registry:
        await registry.put(record("first"), AUTHOR)
        store.requests.clear()
        written = await asyncio.gather(*(registry.put(record(f"project-{n}"), AUTHOR) for n in range(100)))
        assert all(each.published for each in written)
        assert 1 <= store.count("replace", "table.json") < 10
    assert len(await _records(store)) == 101


async def test_a_write_that_cannot_be_published_yet_says_so_and_is_published_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The change is committed; the publisher tries again, and what was submitted meanwhile goes with it."""
    monkeypatch.setattr("docsredirect.service.registry.PUBLISHED_SECONDS", 0.1)
    store = FakeStore()
    async with _writing(store) as registry:
        await registry.put(record("six"), AUTHOR)
        store.failing, store.failing_operations = "shards/", ("put",)
        assert _came_to(await registry.put(record("seven"), AUTHOR)) == (Outcome.CREATED, 1, False)
        assert "projects/seven.json" in store.objects
        store.failing = None
        assert (await registry.put(record("eight"), AUTHOR)).published
    assert sorted(await _records(store)) == ["eight", "seven", "six"]


async def test_sixteen_writers_lose_no_update() -> None:
    """Every acknowledged change is a revision of its own, without gaps, and the table is what the objects say."""
    store = FakeStore()
    async with _writing(store) as first, _writing(store) as second:
        changes = [record(f"project-{n % 5}", f"https://{n}.example.org/") for n in range(160)]

        async def write(number: int) -> None:
            registry = first if number % 2 else second
            for change in changes[number::16]:
                await registry.put(change, AUTHOR)

        await asyncio.gather(*map(write, range(16)))
    records = await _records(store)
    for n in range(5):
        project = projects.decode(store.objects[f"projects/project-{n}.json"].body, f"project-{n}")
        assert [entry.revision for entry in project.history] == list(range(32, 0, -1))
        assert records[f"project-{n}"] == project.record


async def test_reconciling_publishes_what_was_committed_and_not_published() -> None:
    """Only objects whose ETag is another are read."""
    store = FakeStore()
    await publish(store, [record(f"project-{n}") for n in range(50)])
    await _commit(store, record("project-7", "https://new.example.org/"))
    await _commit(store, record("added"))
    store.requests.clear()
    assert await Reconciler(store, _publisher(store)).reconcile() == (2, 0, 0, 0)
    assert store.count("get", "projects/") == 2
    records = await _records(store)
    assert records["project-7"] == record("project-7", "https://new.example.org/")
    assert "added" in records
    assert await Reconciler(store, _publisher(store)).reconcile() == (0, 0, 0, 0)


async def test_reconciling_where_nothing_is_published_publishes_all() -> None:
    """A store that holds objects and no table gets one."""
    store = FakeStore()
    await _commit(store, record("six"))
    assert (await Reconciler(store, _publisher(store)).reconcile()).published == 1
    assert await _records(store) == {"six": record("six")}


async def test_reconciling_rebuilds_a_lost_shard() -> None:
    """Missing or damaged, its rows are read from the objects again."""
    store = FakeStore()
    await publish(store, [record("six"), record("seven")])
    for number in (tables.shard_of("six"), tables.shard_of("seven")):
        key = tables.decode_table(store.objects["table.json"].body).shards[number].key
        assert key is not None
        await store.delete(key)
    assert (await Reconciler(store, _publisher(store)).reconcile()).rebuilt == 2
    assert sorted(await _records(store)) == ["seven", "six"]


async def test_a_store_that_was_moved_gets_new_hints_and_no_new_revisions() -> None:
    """After a move every ETag is another: each object is read once, and the next time none."""
    store = FakeStore()
    await publish(store, [record("six"), record("seven")])
    moved = FakeStore()
    await moved.put("first", b"")  # so that no ETag is what it was
    for key, stored in store.objects.items():
        await moved.put(key, stored.body)
    reconciling = Reconciler(moved, _publisher(moved))
    assert (await reconciling.reconcile()).published == 2
    moved.requests.clear()
    assert (await reconciling.reconcile()).published == 0
    assert moved.count("get", "projects/") == 0
    assert {row.revision for row in await published_rows(moved) or ()} == {1}


async def test_a_damaged_object_keeps_its_row_and_is_counted() -> None:
    """What cannot be read is not removed from the table."""
    store = FakeStore()
    await publish(store, [record("six")])
    await store.put("projects/six.json", b"\x00")
    with capture_logs() as logs:
        assert (await Reconciler(store, _publisher(store)).reconcile()).damaged == 1
    assert [log["event"] for log in logs if log["log_level"] == "error"] == ["damaged project"]
    assert await _records(store) == {"six": record("six")}


async def _aged(count: int, age: float) -> FakeStore:
    """Give a store with `count` publications behind it, all of them `age` seconds ago."""
    store = FakeStore()
    for n in range(count):
        await publish(store, [record("six", f"https://{n}.example.org/")])
    store.clock += age
    return store


async def test_shards_and_tables_that_nobody_needs_are_removed_after_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kept tables beyond the last few and over a day old go; the shards that only they named go the next time."""
    monkeypatch.setattr(reconciler, "KEPT_TABLES", 3)
    store = await _aged(10, reconciler.KEPT_SECONDS + 1)
    await publish(store, [record("six", "https://now.example.org/")])
    reconciling = Reconciler(store, _publisher(store))
    assert (await reconciling.reconcile()).removed > 0
    await reconciling.reconcile()
    kept = [key for key in store.objects if key.startswith("tables/")]
    named = {store.objects["table.json"].body, *(store.objects[key].body for key in kept)}
    shards = {shard.key for body in named for shard in tables.decode_table(body).shards} - {None}
    assert len(kept) == 3
    assert {key for key in store.objects if key.startswith("shards/")} == shards
    assert await _records(store) == {"six": record("six", "https://now.example.org/")}


async def test_nothing_that_is_younger_than_a_day_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader may still be fetching it."""
    monkeypatch.setattr(reconciler, "KEPT_TABLES", 1)
    store = await _aged(10, reconciler.KEPT_SECONDS - 1)
    await store.put("shards/00-unused.jsonl.gz", b"")
    before = set(store.objects)
    assert (await Reconciler(store, _publisher(store)).reconcile()).removed == 0
    assert set(store.objects) == before


async def test_a_shard_that_is_published_again_while_leftovers_are_removed_stays() -> None:
    """Putting it renews its age, and the listing that would condemn it came before the table was read."""
    store = await _aged(2, 0)
    old = tables.decode_table(store.objects["table.json"].body)
    store.clock += reconciler.KEPT_SECONDS * 2
    publisher = _publisher(store)
    await publisher.publish([Row("six", 50, "e", record("six", "https://0.example.org/"))])
    await Reconciler(store, publisher).reconcile()
    for shard in (*old.shards, *tables.decode_table(store.objects["table.json"].body).shards):
        assert shard.key is None or shard.key in store.objects


async def test_a_kept_table_that_cannot_be_read_keeps_all_shards() -> None:
    """It may name shards that nobody else does; what is wrong is told by its own key."""
    store = await _aged(3, reconciler.KEPT_SECONDS + 1)
    kept = next(key for key in store.objects if key.startswith("tables/"))
    await store.put(kept, b"\x00")
    before = {key for key in store.objects if key.startswith("shards/")}
    with capture_logs() as logs:
        await Reconciler(store, _publisher(store)).reconcile()
    assert {key for key in store.objects if key.startswith("shards/")} == before
    assert [log["key"] for log in logs if log["log_level"] == "error"] == [kept]


async def test_an_orphan_that_is_published_while_leftovers_are_removed_stays() -> None:
    """A publisher that died left a shard; its successor puts it again between the listing and the removal."""
    store = FakeStore()
    await publish(store, [record("six")])
    new = Row("six", 2, "e", record("six", "https://new.example.org/"))
    ref, body = tables.encode_shard(tables.shard_of("six"), [new])
    assert ref.key is not None
    await store.put(ref.key, body)
    store.clock += reconciler.KEPT_SECONDS + 1
    reconciling = Reconciler(store, _publisher(store))
    named_by = reconciling._named_by

    async def publish_meanwhile(keys: list[str]) -> set[str] | None:
        named = await named_by(keys)
        await _publisher(store).publish([new])
        return named

    reconciling._named_by = publish_meanwhile  # type: ignore[method-assign]
    await reconciling.reconcile()
    assert ref.key in store.objects


async def test_a_row_that_lost_against_a_higher_revision_is_not_called_published() -> None:
    """An object that was put back to an earlier state: the write is committed, and told to be unpublished."""
    store = FakeStore()
    async with _writing(store) as registry:
        await registry.put(record("six"), AUTHOR)
        old = store.objects["projects/six.json"].body
        for n in range(3):
            await registry.put(record("six", f"https://{n}.example.org/"), AUTHOR)
        await store.put("projects/six.json", old)
        written = await registry.put(record("six", "https://lost.example.org/"), AUTHOR)
        assert _came_to(written) == (Outcome.CHANGED, 2, False)
    assert (await Reconciler(store, _publisher(store)).reconcile())[:3] == (0, 0, 1)


async def test_a_write_into_a_lost_shard_rebuilds_it() -> None:
    """A new name is no worse off than a known one."""
    store = FakeStore()
    async with _writing(store) as registry:
        await registry.put(record("six"), AUTHOR)
        key = tables.decode_table(store.objects["table.json"].body).shards[tables.shard_of("six")].key
        assert key is not None
        await store.delete(key)
        other = next(f"p{n}" for n in range(10_000) if tables.shard_of(f"p{n}") == tables.shard_of("six"))
        assert (await registry.put(record(other), AUTHOR)).published
    assert sorted(await _records(store)) == sorted([other, "six"])


async def test_a_deeply_nested_object_is_damage_and_nothing_more() -> None:
    """JSON that no recursion can follow does not stop what is around it."""
    store = FakeStore()
    await publish(store, [record("six"), record("seven")])
    await store.put("projects/six.json", b'{"x":' + b"[" * 100_000)
    assert (await Reconciler(store, _publisher(store)).reconcile()).damaged == 1


def test_a_bomb_is_not_inflated() -> None:
    """A shard may be no larger than its rows can make it, and a table no larger than a table is."""
    bomb = zlib.compress(b"\n" * 50_000_000, wbits=31)
    key = f"shards/00-{hashlib.sha256(bomb).hexdigest()}.jsonl.gz"
    tracemalloc.start()
    with pytest.raises(Damaged, match="larger than its 1 rows"):
        tables.decode_shard(0, tables.ShardRef(key, 1), bomb)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()
    with pytest.raises(Damaged, match="at most"):
        tables.decode_table(b" " * (tables.MAX_TABLE_BYTES + 1))


async def test_a_new_epoch_replaces_a_damaged_table_and_is_taken_by_edges_of_the_old_one() -> None:
    """Edges hold a table of an epoch that the new one names."""
    store = FakeStore()
    await publish(store, [record("six")])
    replica = Replica(store, clock=lambda: 0.0)
    await replica.poll()
    assert replica.table is not None
    held = replica.table.epoch
    await publish(store, [record("seven")])
    for key in [key for key in store.objects if not key.startswith("projects/")]:
        del store.objects[key]
    await store.put("table.json", b"\x00")
    table = await _publisher(store).begin_epoch([held])
    assert await replica.poll()
    assert replica.table.epoch == table.epoch
    assert replica.rows == 2


async def test_restoring_makes_every_project_what_it_was() -> None:
    """Changed ones go back, added ones become tombstones, removed ones return; all as new revisions."""
    store = FakeStore()
    await publish(store, [record("six"), record("seven")])
    wanted = {row.name: row for row in await published_rows(store) or ()}
    await publish(store, [record("six", "https://new.example.org/"), record("added")])
    restored = await make_registry(store).restore(wanted, AUTHOR)
    assert (restored.counts[Outcome.CHANGED], restored.counts[Outcome.UNCHANGED]) == (2, 1)
    assert await _records(store) == {"six": record("six"), "seven": record("seven"), "added": None}
    assert projects.decode(store.objects["projects/six.json"].body, "six").revision == 3


async def test_a_publisher_that_is_too_slow_starts_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its shards might be removed as unused before a table names them."""
    monkeypatch.setattr("docsredirect.service.publisher.MAX_SECONDS", 0.05)
    store = FakeStore()
    await publish(store, [record("six")])
    original = store.put

    async def slow(key: str, body: bytes) -> str:
        await asyncio.sleep(0.2)
        return await original(key, body)

    store.put = slow  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailable, match="took longer"):
        await _publisher(store).publish([Row("six", 2, "e", record("six", "https://new.example.org/"))])
    assert msgspec.json.decode(store.objects["table.json"].body)["sequence"] == 1


async def test_a_write_that_was_followed_by_another_one_is_published() -> None:
    """Of two writers at once, the earlier revision stands in the history and the later one in the table."""
    store = FakeStore()
    await publish(store, [record("six")])
    await publish(store, [record("six", "https://two.example.org/")])
    await publish(store, [record("six", "https://three.example.org/")])
    published = await _publisher(store).publish_rows([Row("six", 2, "e", record("six", "https://two.example.org/"))])
    assert published.outdone == frozenset()
    assert await _records(store) == {"six": record("six", "https://three.example.org/")}


async def test_the_end_waits_for_what_is_being_published() -> None:
    """A batch on its way counts as waiting, and draining ends once the store has taken it."""
    store = FakeStore()
    publisher = _publisher(store)
    publications = Publications(publisher, pause=lambda attempt: 0.01)
    running = asyncio.create_task(publications.run())
    registry = Registry(store, publisher, publications, clock=lambda: 1.0, new_operation=lambda: next(OPERATIONS))
    await registry.put(record("six"), AUTHOR)
    held = asyncio.Event()
    original = store.put

    async def put(key: str, body: bytes) -> str:
        await held.wait()
        return await original(key, body)

    store.put = put  # type: ignore[method-assign]
    writing = asyncio.create_task(registry.put(record("seven"), AUTHOR))
    while not publications.waiting:
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.05)
    draining = asyncio.create_task(publications.drain())
    await asyncio.sleep(0.05)
    assert (publications.waiting, draining.done()) == (1, False)
    held.set()
    await draining
    assert publications.waiting == 0
    assert set(await _records(store)) == {"six", "seven"}
    assert (await writing).published
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_repeated_operation_is_known_beyond_what_a_project_carries_along() -> None:
    """Large records leave room for one entry: the write that came before somebody else's is found all the same."""
    store = FakeStore()
    rules = {f"page-{n}.html": f"{n}-{'x' * 1_000}/" for n in range(80)}
    async with _writing(store) as registry:
        mine = record("six", "https://mine.example.org/", rules=rules)
        await registry.put(mine, AUTHOR, operation="mine")
        await registry.put(record("six", "https://theirs.example.org/", rules=rules), AUTHOR, operation="theirs")
        await registry.put(record("six", "https://last.example.org/", rules=rules), AUTHOR, operation="last")
        assert store.count("create", "history/six/") > 0
        again = await registry.put(mine, AUTHOR, operation="mine")
        assert (again.is_repeated, again.project.revision) == (True, 3)
        new = await registry.put(mine, AUTHOR, operation="another")
        assert (new.is_repeated, new.project.revision) == (False, 4)
