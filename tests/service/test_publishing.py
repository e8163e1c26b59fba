"""Publishing: what a table holds, in which order it comes to be, and what a rival or a crash can do to it."""

import asyncio

import msgspec
import pytest
from structlog.testing import capture_logs

from docsredirect.domain import tables
from docsredirect.domain.errors import Conflict, Damaged, StoreUnavailable
from docsredirect.domain.tables import Row, Table
from docsredirect.service.publisher import Publisher
from docsredirect.service.replica import published_rows
from tests.support.edges import publish, record
from tests.support.stores import FakeStore

EPOCHS = iter(f"{number:016x}" for number in range(1_000))


def _publisher(store: FakeStore) -> Publisher:
    return Publisher(store, new_epoch=lambda: next(EPOCHS))


def _row(project: str, revision: int = 1, target: str = "https://docs.example.org/") -> Row:
    each = record(project, target)
    return Row(each.name, revision, f"etag-{revision}", each)


async def _rows(store: FakeStore, table: Table) -> dict[str, Row]:
    assert tables.decode_table(store.objects["table.json"].body) == table
    return {row.name: row for row in await published_rows(store) or ()}


def _table(store: FakeStore) -> Table:
    return tables.decode_table(store.objects["table.json"].body)


async def test_a_first_table_is_built_from_the_objects() -> None:
    """Where nothing is published, every project's object gets a row, in an epoch of its own."""
    store = FakeStore()
    await publish(store, [record(f"project-{n}") for n in range(300)])
    del store.objects["table.json"]
    table = await _publisher(store).publish([])
    assert (table.sequence, table.rows) == (1, 300)
    assert sorted(await _rows(store, table)) == sorted(f"project-{n}" for n in range(300))


async def test_a_first_table_reads_only_objects_whose_rows_are_not_in_hand() -> None:
    """A bulk import into an empty store does not read back what it has just written."""
    store = FakeStore()
    await publish(store, [record("six")])
    assert store.count("get", "projects/") == 0


async def test_a_new_epoch_follows_every_earlier_one_that_is_seen() -> None:
    """Edges that hold a table of an earlier epoch take one that names it."""
    store = FakeStore()
    await publish(store, [record("six")])
    first = _table(store)
    await publish(store, [record("seven")])
    del store.objects["table.json"]
    table = await _publisher(store).publish([])
    assert first.epoch in table.follows
    assert table.epoch != first.epoch


async def test_a_change_rewrites_its_own_shard_and_no_other() -> None:
    """One changed row: one shard put, one table swapped, one sequence on."""
    store = FakeStore()
    await publish(store, [record(f"project-{n}") for n in range(300)])
    before = _table(store)
    store.requests.clear()
    after = await _publisher(store).publish([_row("project-7", 2, "https://new.example.org/")])
    assert (store.count("put", "shards/"), store.count("replace", "table.json")) == (1, 1)
    differing = [n for n in range(256) if before.shards[n] != after.shards[n]]
    assert differing == [tables.shard_of("project-7")]
    assert (after.epoch, after.sequence) == (before.epoch, before.sequence + 1)


async def test_publishing_what_is_published_changes_nothing() -> None:
    """No shard is put and no table is swapped for rows that are there already."""
    store = FakeStore()
    await publish(store, [record("six")])
    table = _table(store)
    rows = await _rows(store, table)
    store.requests.clear()
    assert await _publisher(store).publish(rows.values()) == table
    assert store.count("put") + store.count("replace") + store.count("create") == 0


async def test_an_old_row_cannot_come_back() -> None:
    """Of two revisions the higher stays, in whatever order they are published."""
    store = FakeStore()
    publisher = _publisher(store)
    new, old = _row("six", 5, "https://new.example.org/"), _row("six", 4, "https://old.example.org/")
    for row in (new, old):
        table = await publisher.publish([row])
        assert (await _rows(store, table))["six"] == new


async def test_a_tombstone_is_a_row() -> None:
    """A removed project stays in the table, so that its old row cannot come back."""
    store = FakeStore()
    publisher = _publisher(store)
    await publisher.publish([_row("six")])
    table = await publisher.publish([Row("six", 2, "e", None)])
    assert (await _rows(store, table))["six"].record is None


async def test_the_table_that_is_replaced_is_kept_byte_for_byte() -> None:
    """Each swap leaves a copy of what it replaced under tables/<epoch>-<sequence>.json."""
    store = FakeStore()
    publisher = _publisher(store)
    bodies = {}
    for revision in (1, 2, 3):
        table = await publisher.publish([_row("six", revision, f"https://{revision}.example.org/")])
        bodies[tables.kept_key(table.epoch, table.sequence)] = store.objects["table.json"].body
    kept = {key: stored.body for key, stored in store.objects.items() if key.startswith("tables/")}
    assert kept == dict(list(bodies.items())[:2])
    assert len(kept) == 2


async def test_shards_are_in_the_store_before_a_table_names_them() -> None:
    """However a publisher breaks off, no table names a shard that is not there."""
    for broken in ("shards/", "tables/", "table.json"):
        store = FakeStore()
        publisher = _publisher(store)
        await publisher.publish([_row("six")])
        before = store.objects["table.json"]
        store.failing, store.failing_operations = broken, ("put", "create", "replace")
        with pytest.raises(StoreUnavailable):
            await publisher.publish([_row("six", 2)])
        assert store.objects["table.json"] == before
        store.failing = None
        table = await publisher.publish([_row("six", 2)])
        assert (await _rows(store, table))["six"].revision == 2


async def test_a_lost_race_is_merged_again() -> None:
    """Sixteen publishers at once, two of them per name: every change is in the table in the end."""
    store = FakeStore()
    await _publisher(store).publish([])
    rows = [_row(f"project-{n % 8}", 1 + n // 8) for n in range(16)]
    await asyncio.gather(*(_publisher(store).publish([row]) for row in rows))
    held = await _rows(store, _table(store))
    assert {name: row.revision for name, row in held.items()} == {f"project-{n}": 2 for n in range(8)}


async def test_a_race_that_is_always_lost_is_given_up() -> None:
    """A publisher does not try for ever."""
    store = FakeStore()
    await _publisher(store).publish([_row("six")])

    async def lose(key: str, body: bytes, etag: str) -> str:
        raise Conflict(key)

    store.replace = lose  # type: ignore[method-assign]
    with pytest.raises(Conflict):
        await _publisher(store).publish([_row("six", 2)])


@pytest.mark.parametrize("damage", ["missing", "cut", "other bytes"])
async def test_a_lost_shard_is_rebuilt_from_the_objects(damage: str) -> None:
    """Where a shard is missing or damaged, its rows are read again from projects/, and that is reported."""
    store = FakeStore()
    await publish(store, [record(f"project-{n}") for n in range(600)])
    table = _table(store)
    number = tables.shard_of("project-7")
    key = table.shards[number].key
    assert key is not None
    body = store.objects[key].body
    if damage == "missing":
        await store.delete(key)
    else:
        await store.put(key, body[:-4] if damage == "cut" else b"x" * len(body))
    with capture_logs() as logs:
        after = await _publisher(store).publish([_row("project-7", 2)])
    assert [log["event"] for log in logs if log["log_level"] == "error"] == ["shard rebuilt from projects"]
    assert (await _rows(store, after))["project-7"].revision == 2
    assert after.rows == 600


async def test_a_damaged_object_is_left_out_and_reported_and_no_other_notices() -> None:
    """One object that cannot be read does not keep the others from being published."""
    store = FakeStore()
    await publish(store, [record("six"), record("seven")])
    store.objects = {key: stored for key, stored in store.objects.items() if key.startswith("projects/")}
    await store.put("projects/six.json", b"\x00")
    await store.put("projects/not a name.json", b"{}")
    with capture_logs() as logs:
        table = await _publisher(store).publish([])
    assert sorted(await _rows(store, table)) == ["seven"]
    assert {log.get("project", log.get("key")) for log in logs if log["log_level"] == "error"} == {
        "six",
        "projects/not a name.json",
    }


async def test_a_damaged_table_is_not_replaced() -> None:
    """What cannot be read is not overwritten: somebody must look at it first."""
    store = FakeStore()
    await store.put("table.json", b"{}")
    with pytest.raises(Damaged):
        await _publisher(store).publish([_row("six")])
    assert store.objects["table.json"].body == b"{}"


def test_equal_rows_give_equal_bytes() -> None:
    """A shard's bytes and name are made from its rows alone."""
    number = tables.shard_of("six")
    assert tables.encode_shard(number, [_row("six")]) == tables.encode_shard(number, [_row("six")])
    ref, body = tables.encode_shard(number, [_row("six")])
    assert tables.decode_shard(number, ref, body).lines() == [_line(_row("six"))]


def _line(row: Row) -> bytes:
    return msgspec.json.encode(row)


def test_a_record_survives_its_row() -> None:
    """Everything that a record says is in its row."""
    full = record("A.b", status=308, state="gone", rules={"": "x/", "a/*": None, "b": "https://y.example.org/?q#f"})
    row = Row(full.name, 1, "e", full)
    assert tables.decode_row(_line(row)) == row


async def test_a_missing_shard_is_put_again_also_where_its_content_is_the_same() -> None:
    """Publishing what is published repairs the shard that it lies in."""
    store = FakeStore()
    await publish(store, [record("six")])
    key = _table(store).shards[tables.shard_of("six")].key
    assert key is not None
    body = store.objects.pop(key).body
    await publish(store, [record("six")])
    assert store.objects[key].body == body


async def test_a_damaged_object_keeps_its_last_published_row_in_a_new_epoch() -> None:
    """What cannot be read is not taken for absent: the newest kept table says what was published last."""
    store = FakeStore()
    await publish(store, [record("six"), record("seven")])
    del store.objects["table.json"]
    await store.put("projects/six.json", b"\x00")
    table = await _publisher(store).publish([])
    assert sorted(await _rows(store, table)) == ["seven", "six"]
