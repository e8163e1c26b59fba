"""The replica and the lookups: taking a table, refusing a bad one, and reading through where there is none."""

import asyncio
import hashlib

import msgspec
import pytest

from docsredirect.domain import tables
from docsredirect.domain.errors import Unknown
from docsredirect.domain.resolve import UNKNOWN
from docsredirect.domain.routes import Route
from docsredirect.domain.tables import Table
from docsredirect.service import lookups
from docsredirect.service.lookups import Lookups
from docsredirect.service.replica import Replica
from tests.support.edges import publish, record
from tests.support.stores import FakeStore


class _Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


async def _published(*names: str) -> FakeStore:
    store = FakeStore()
    await publish(store, [record(name) for name in names])
    return store


def _followed(store: FakeStore, clock: _Clock | None = None) -> tuple[Replica, Lookups]:
    clock = clock or _Clock()
    replica = Replica(store, clock=clock)
    found = Lookups(replica, store, clock=clock)
    return replica, found


def _target(found: object) -> str:
    assert isinstance(found, Route)
    destination = found.match("")[0].destination
    assert destination is not None
    return destination.head


async def _swap(store: FakeStore, **fields: object) -> None:
    table = tables.decode_table(store.objects["table.json"].body)
    changed = msgspec.structs.replace(table, **fields)
    await store.put("table.json", tables.encode_table(changed))


async def test_a_quiet_poll_is_one_conditional_request() -> None:
    """Nothing changed: one GET of table.json and nothing else."""
    store = await _published("six", "seven")
    replica, _ = _followed(store)
    assert await replica.poll()
    store.requests.clear()
    assert await replica.poll()
    assert dict(store.requests) == {("get", "table.json"): 1}


async def test_only_changed_shards_are_fetched_and_only_changed_names_forgotten() -> None:
    """A change of one name costs one table and one shard, and drops one compiled entry."""
    store = await _published(*(f"project-{n}" for n in range(600)))
    replica, found = _followed(store)
    await replica.poll()
    forgotten: list[str] = []
    replica.on_change.append(forgotten.extend)
    assert _target(found.find("project-7")) == "https://six.example.org/"
    store.requests.clear()
    await publish(store, [record("project-7", "https://new.example.org/")])
    store.requests.clear()
    assert await replica.poll()
    assert (store.count("get", "table.json"), store.count("get", "shards/")) == (1, 1)
    assert forgotten == ["project-7"]
    assert _target(found.find("project-7")) == "https://new.example.org/"


async def test_a_name_that_leaves_the_table_is_forgotten() -> None:
    """A shard that no longer has a name takes its compiled entry with it."""
    store = await _published("six")
    replica, found = _followed(store)
    await replica.poll()
    assert isinstance(found.find("six"), Route)
    assert replica.table is not None
    empty = (tables.EMPTY_SHARD,) * 256
    await _swap(store, epoch="f" * 16, follows=(replica.table.epoch,), shards=empty)
    assert await replica.poll()
    assert found.find("six") is None


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"sequence": 1}, "went back"),
        ({"epoch": "f" * 16}, "does not follow"),
        ({"format": 9}, "format 9"),
        ({"sequence": 10**15}, "no valid epoch and sequence"),
        ({"sequence": 3, "shards": (tables.EMPTY_SHARD,) * 256}, "lost rows"),
        ({"shards": (tables.EMPTY_SHARD,) * 256}, "something else of sequence 2"),
        ({"shards": ()}, "does not name 256 shards"),
        ({"epoch": "../.."}, "no valid epoch"),
    ],
)
async def test_a_table_that_fails_a_check_is_refused_and_the_held_one_stays(
    fields: dict[str, object], reason: str
) -> None:
    """Refused, counted, reported with its reason; answers go on from what is held."""
    store = await _published("six")
    await publish(store, [record("seven")])
    replica, found = _followed(store)
    await replica.poll()
    await _swap(store, **fields)
    assert not await replica.poll()
    assert replica.refusals == 1
    assert reason in str(replica.problem)
    assert isinstance(found.find("six"), Route)
    assert found.find("nothing") is None


async def test_another_epoch_is_taken_where_it_follows_the_one_held() -> None:
    """Also with a lower sequence."""
    store = await _published("six")
    await publish(store, [record("seven")])
    replica, _ = _followed(store)
    await replica.poll()
    assert replica.table is not None
    await _swap(store, epoch="f" * 16, sequence=1, follows=(replica.table.epoch,))
    assert await replica.poll()
    assert replica.table.epoch == "f" * 16


async def test_a_table_that_goes_missing_is_a_failed_poll() -> None:
    """404 on table.json with a table held is never taken for an empty table."""
    store = await _published("six")
    replica, found = _followed(store)
    await replica.poll()
    del store.objects["table.json"]
    assert not await replica.poll()
    assert isinstance(found.find("six"), Route)


@pytest.mark.parametrize("table", [b"", b"{}", b"[]", b"null", b"\xff", b'{"format":1}', b"{" * 10_000])
async def test_a_table_that_is_none_is_refused(table: bytes) -> None:
    """Whatever stands in table.json, the poll ends with a reason."""
    store = FakeStore()
    await store.put("table.json", table)
    replica, found = _followed(store)
    assert not await replica.poll()
    assert "table.json cannot be read" in str(replica.problem)
    assert found.find("six") is UNKNOWN


async def test_missing_shards_are_tried_again_and_the_others_serve() -> None:
    """Shard by shard: what arrived is used, what did not is asked for at the next poll, without a condition."""
    store = await _published("six", "seven")
    table = tables.decode_table(store.objects["table.json"].body)
    key = table.shards[tables.shard_of("six")].key
    assert key is not None
    replica, found = _followed(store)
    store.failing = key
    assert not await replica.poll()
    assert found.find("six") is UNKNOWN
    assert isinstance(found.find("seven"), Route)
    assert not replica.complete
    store.failing = None
    assert await replica.poll()
    assert isinstance(found.find("six"), Route)
    assert replica.complete


def _damaged_shards() -> dict[str, bytes]:
    number, rows = tables.shard_of("six"), [tables.Row("six", 1, "e", record("six"))]
    good = tables.encode_shard(number, rows)[1]
    other = next(f"p{n}" for n in range(10_000) if tables.shard_of(f"p{n}") == number)
    foreign = tables.encode_shard(number, [tables.Row("seven", 1, "e", record("seven"))])
    unsorted = tables.encode_shard(number, [tables.Row("six", 1, "e", None), tables.Row(other, 1, "e", None)])
    twice = tables.encode_shard(number, rows * 2)
    wrong = tables.encode_shard(number, [tables.Row("six", 1, "e", record("seven"))])
    bodies = {"foreign name": foreign, "not sorted": unsorted, "a name twice": twice, "another's record": wrong}
    return {"cut": good[:-3], "with a tail": good + b"x", "empty": b"", **{k: v[1] for k, v in bodies.items()}}


@pytest.mark.parametrize("damage", _damaged_shards().keys())
async def test_a_shard_that_fails_a_check_is_refused(damage: str) -> None:
    """Wrong bytes under a right name, and wrong rows under a name that their bytes have earned."""
    body = _damaged_shards()[damage]
    number = tables.shard_of("six")
    store = await _published("six")
    table = tables.decode_table(store.objects["table.json"].body)
    if damage in ("cut", "with a tail", "empty"):
        ref = table.shards[number]
    else:
        ref = msgspec.structs.replace(_ref_of(number, body), rows=2 if damage in ("not sorted", "a name twice") else 1)
    assert ref.key is not None
    await store.put(ref.key, body)
    await _swap(store, shards=tuple(ref if n == number else shard for n, shard in enumerate(table.shards)))
    replica, found = _followed(store)
    assert not await replica.poll()
    assert replica.refusals == 1
    assert found.find("six") is UNKNOWN


def _ref_of(number: int, body: bytes) -> tables.ShardRef:
    return tables.ShardRef(f"shards/{number:02x}-{hashlib.sha256(body).hexdigest()}.jsonl.gz", 1)


async def test_following_goes_on_after_a_fault_of_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """An edge that stopped following would serve an old table for ever."""
    store = await _published("six")
    replica, _ = _followed(store)
    decode, calls = tables.decode_table, iter((ZeroDivisionError("a bug"),))

    def break_once(body: bytes) -> Table:
        for error in calls:
            raise error
        return decode(body)

    monkeypatch.setattr(tables, "decode_table", break_once)
    await asyncio.wait_for(replica.follow(iter((0.0, 0.0))), 5)
    assert replica.complete


async def test_random_names_leave_no_trace_in_the_caches() -> None:
    """With a table held, unknown names are answered from it: no request, no entry."""
    store = await _published("six")
    replica, found = _followed(store)
    await replica.poll()
    store.requests.clear()
    for number in range(10_000):
        assert found.find(f"random-{number}") is None
    assert store.requests.total() == 0
    assert len(found._hot) + len(found._read) == 0


async def test_hot_entries_stay_within_their_bytes() -> None:
    """Compiled entries are bounded by what they cost, not by how many there are."""
    rules = {f"{'deep/' * 20}{n}/*": "x/*" for n in range(500)}
    store = FakeStore()
    await publish(store, [record(f"project-{n}", rules=rules) for n in range(20)])
    replica = Replica(store, clock=_Clock())
    found = Lookups(replica, store, clock=_Clock(), hot_bytes=30_000_000)
    await replica.poll()
    for _ in range(2):
        for number in range(20):
            assert isinstance(found.find(f"project-{number}"), Route)
    assert 0 < found._hot.currsize <= 30_000_000
    assert len(found._hot) < 20


async def test_what_was_read_through_stands_for_a_moment_found_or_not() -> None:
    """Positive and negative answers are kept for FRESH_SECONDS, then asked for again."""
    store = await _published("six")
    del store.objects["table.json"]
    clock = _Clock()
    _, found = _followed(store, clock)
    for name, present in (("six", True), ("nothing", False)):
        store.requests.clear()
        assert found.find(name) is UNKNOWN
        assert (await found.read_through(name) is not None) is present
        assert (found.find(name) is not None) is present
        assert store.requests.total() == 1
        clock.now += lookups.FRESH_SECONDS
        assert found.find(name) is UNKNOWN


async def test_a_stale_answer_stands_in_for_a_store_that_fails() -> None:
    """RFC 8767: stale is served, and the failed refresh is not tried again for RETRY_SECONDS."""
    store = await _published("six")
    del store.objects["table.json"]
    clock = _Clock()
    _, found = _followed(store, clock)
    await found.read_through("six")
    store.failing = ""
    clock.now += lookups.FRESH_SECONDS
    assert isinstance(await found.read_through("six"), Route)
    assert isinstance(found.find("six"), Route)
    clock.now += lookups.RETRY_SECONDS
    assert found.find("six") is UNKNOWN
    clock.now += lookups.KEEP_SECONDS
    with pytest.raises(Unknown):
        await found.read_through("six")


async def test_names_read_at_once_are_capped() -> None:
    """A scan of random names before a table is held makes FLIGHTS requests at a time; WAITING names may wait."""
    store = FakeStore()
    store.gate.clear()
    _, found = _followed(store)
    flights = [asyncio.create_task(found.read_through(f"random-{n}")) for n in range(lookups.WAITING)]
    for _ in range(5):
        await asyncio.sleep(0)
    assert store.count("get") == lookups.FLIGHTS
    with pytest.raises(Unknown):
        await found.read_through("one-more")
    store.gate.set()
    assert await asyncio.gather(*flights) == [None] * lookups.WAITING
    assert await found.read_through("one-more") is None


async def test_a_waiter_that_goes_away_does_not_take_the_answer_from_the_others() -> None:
    """A client that disconnects cancels its own wait, not the one request that all share."""
    store = await _published("six")
    del store.objects["table.json"]
    store.gate.clear()
    _, found = _followed(store)
    leaver, stayer = (asyncio.create_task(found.read_through("six")) for _ in range(2))
    await asyncio.sleep(0)
    leaver.cancel()
    store.gate.set()
    assert isinstance(await stayer, Route)


async def test_a_new_epoch_is_taken_where_no_table_was_ever_held_whole() -> None:
    """A table of which shards are missing binds nobody."""
    store = await _published("six")
    shards = [key for key in store.objects if key.startswith("shards/")]
    for key in shards:
        del store.objects[key]
    replica, found = _followed(store)
    assert not await replica.poll()
    del store.objects["table.json"]
    await publish(store, [record("seven")])
    await _swap(store, follows=())
    assert await replica.poll()
    assert isinstance(found.find("seven"), Route)
