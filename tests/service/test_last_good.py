"""The last good table on local disk: what is kept of it, when an edge begins with it, and what damage to it does."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from docsredirect.domain import tables
from docsredirect.domain.errors import StoreUnavailable
from docsredirect.domain.resolve import UNKNOWN
from docsredirect.domain.routes import Route
from docsredirect.service.last_good import LastGood
from docsredirect.service.lookups import Lookups
from docsredirect.service.replica import Replica
from docsredirect.store import DirectoryStore
from tests.support.edges import publish, record
from tests.support.stores import FakeStore


async def test_a_last_good_table_never_names_a_shard_that_is_not_kept(tmp_path: Path) -> None:
    """Where a shard could not be written, it is fetched and put again, or the table before stays."""
    store = await _kept(tmp_path, "six", "seven")
    before = (tmp_path / "table.json").read_bytes()
    await publish(store, [record("six", "https://new.example.org/")])
    local = DirectoryStore(tmp_path)
    original = local.put

    async def full(key: str, body: bytes) -> str:
        if key.startswith("shards/"):
            raise StoreUnavailable("no room")
        return await original(key, body)

    local.put = full  # type: ignore[method-assign]
    replica = Replica(store, clock=lambda: 0.0, last_good=LastGood(local, keeper=True))
    await replica.load_last_good()
    assert await replica.poll()
    assert (tmp_path / "table.json").read_bytes() == before
    local.put = original  # type: ignore[method-assign]
    await publish(store, [record("eight")])
    assert await replica.poll()
    table = tables.decode_table((tmp_path / "table.json").read_bytes())
    assert all(shard.key is None or (tmp_path / shard.key).exists() for shard in table.shards)
    assert table.sequence == 3
    await local.close()


async def test_a_rolled_back_table_is_refused_by_an_edge_that_held_most_of_a_later_one(tmp_path: Path) -> None:
    """One shard lost on disk does not make it forget how far it was."""
    store = await _kept(tmp_path, "six", "seven")
    old = store.objects["table.json"]
    local = DirectoryStore(tmp_path)
    await publish(store, [record("six", "https://new.example.org/")])
    replica = Replica(store, clock=lambda: 0.0, last_good=LastGood(local, keeper=True))
    assert await replica.poll()
    next(tmp_path.glob(f"shards/{tables.shard_of('seven'):02x}-*")).unlink()
    store.objects["table.json"] = old
    again = Replica(store, clock=lambda: 0.0, last_good=LastGood(local, keeper=True))
    await again.load_last_good()
    assert not await again.poll()
    assert "went back" in str(again.problem)
    await local.close()


async def _kept(folder: Path, *names: str) -> FakeStore:
    """Give a store whose table an edge has taken and kept in `folder`."""
    store = FakeStore()
    await publish(store, [record(name) for name in names])
    local = DirectoryStore(folder)
    replica = Replica(store, clock=lambda: 0.0, last_good=LastGood(local, keeper=True))
    assert await replica.poll()
    await local.close()
    return store


async def test_an_edge_starts_with_the_last_good_table(tmp_path: Path) -> None:
    """With the store gone, everything is answered, and counts as stale until a poll succeeds."""
    store = await _kept(tmp_path, "six", "seven")
    store.failing = ""
    local = DirectoryStore(tmp_path)
    replica = Replica(store, clock=lambda: 0.0, last_good=LastGood(local, keeper=False))
    found = Lookups(replica, store, clock=lambda: 0.0)
    await replica.load_last_good()
    assert isinstance(found.find("six"), Route)
    assert found.find("nothing") is None
    assert replica.ready
    assert replica.is_stale(60)
    assert not await replica.poll()
    store.failing = None
    store.requests.clear()
    assert await replica.poll()
    assert store.count("get", "shards/") == 0
    assert not replica.is_stale(60)
    await local.close()


async def test_only_what_is_needed_stays_in_the_state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a change the shard that it replaced is removed; a process that is no keeper writes nothing."""
    store = await _kept(tmp_path, "six", "seven")
    local = DirectoryStore(tmp_path)
    keeper = Replica(store, clock=lambda: 0.0, last_good=LastGood(local, keeper=True))
    other = Replica(store, clock=lambda: 0.0, last_good=LastGood(local, keeper=False))
    await publish(store, [record("six", "https://new.example.org/")])
    monkeypatch.setattr("docsredirect.service.last_good.UNUSED_SECONDS", -60.0)
    before = {path.name for path in tmp_path.rglob("*.gz")}
    await other.poll()
    assert {path.name for path in tmp_path.rglob("*.gz")} == before
    await keeper.load_last_good()
    await keeper.poll()
    table = tables.decode_table(store.objects["table.json"].body)
    named = {shard.key.removeprefix("shards/") for shard in table.shards if shard.key}
    assert {path.name for path in tmp_path.rglob("*.gz")} == named
    await local.close()


@pytest.mark.parametrize("damage", ["shard", "table", "missing shard"])
async def test_a_damaged_state_folder_is_used_as_far_as_it_is_good(tmp_path: Path, damage: str) -> None:
    """Shard by shard; with a table that cannot be read, not at all; and always reported."""
    store = await _kept(tmp_path, "six", "seven")
    shard = next(tmp_path.glob(f"shards/{tables.shard_of('six'):02x}-*"))
    if damage == "missing shard":
        shard.unlink()
    else:
        (shard if damage == "shard" else tmp_path / "table.json").write_bytes(b"\x00")
    store.failing = ""
    local = DirectoryStore(tmp_path)
    replica = Replica(store, clock=lambda: 0.0, last_good=LastGood(local, keeper=True))
    found = Lookups(replica, store, clock=lambda: 0.0)
    with capture_logs() as logs:
        await replica.load_last_good()
    assert found.find("six") is UNKNOWN
    assert isinstance(found.find("seven"), Route) is (damage != "table")
    assert damage == "missing shard" or "state folder cannot be used" in [log["event"] for log in logs]
    store.failing = None
    assert await replica.poll()
    assert isinstance(found.find("six"), Route)
    await local.close()


async def test_a_state_folder_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    """The edge serves without it, and says so once."""
    (tmp_path / "state").write_text("not a folder")
    store = FakeStore()
    await publish(store, [record("six")])
    local = DirectoryStore(tmp_path / "state")
    replica = Replica(store, clock=lambda: 0.0, last_good=LastGood(local, keeper=True))
    with capture_logs() as logs:
        await replica.load_last_good()
        assert await replica.poll()
        assert await replica.poll()
    assert len([log for log in logs if log["event"] == "state folder cannot be used"]) <= 2
    assert replica.rows == 1
    await local.close()


async def test_what_waits_for_the_disk_stays_bounded_while_polls_fail(tmp_path: Path) -> None:
    """One shard that never arrives does not make every later change pile up in memory."""
    store = FakeStore()
    await publish(store, [record("six"), record("seven")])
    lost = tables.decode_table(store.objects["table.json"].body).shards[tables.shard_of("seven")].key
    assert lost is not None
    store.failing = lost
    local = DirectoryStore(tmp_path)
    replica = Replica(store, clock=lambda: 0.0, last_good=LastGood(local, keeper=True))
    for n in range(10):
        assert not await replica.poll()
        store.failing = None
        await publish(store, [record("six", f"https://{n}.example.org/")])
        store.failing = lost
    assert len(replica._bodies) <= 1
    store.failing = None
    assert await replica.poll()
    assert not replica._bodies
    await local.close()
