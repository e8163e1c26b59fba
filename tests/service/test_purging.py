"""Purging what was changed: when, what, and that nothing is forgotten. The admin side is real, and so are the sockets
on which it asks a CDN's API and edges; how these answer is made up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from docsredirect.domain import tables
from docsredirect.domain.purges import Mark
from docsredirect.domain.tables import Table
from docsredirect.service import purge_flag, purging
from tests.support.admin import Admin, record, running_admin
from tests.support.cdn_api import CdnApi, OpsListener, cdn_api, ops_listener
from tests.support.edges import connected, publish
from tests.support.edges import record as checked
from tests.support.stores import FakeStore

SIX, TEN = ["project/six"], ["project/ten"]
CREATE = {"If-None-Match": "*"}
BLIND = 2 * 0.05 * 1.2 + 0.5
"""After so many seconds edges of which nobody knows count as having a change, with the poll of these tests."""


@pytest.fixture
async def api() -> AsyncIterator[CdnApi]:
    """A CDN's API."""
    async with cdn_api() as running:
        yield running


@pytest.fixture
async def ops() -> AsyncIterator[OpsListener]:
    """An edge's ops listener."""
    async with ops_listener() as running:
        yield running


@asynccontextmanager
async def _admin(store: FakeStore, api: CdnApi | None, **environ: str) -> AsyncIterator[Admin]:
    purge = {} if api is None else {
        "DOCSREDIRECT_PURGE": "fastly:an-id", "DOCSREDIRECT_PURGE_TOKEN": "t", "DOCSREDIRECT_PURGE_API": api.url,
    }  # fmt: skip
    async with running_admin(store, {**purge, **environ}) as admin:
        yield admin


def _table(store: FakeStore) -> Table:
    return tables.decode_table(store.objects["table.json"].body)


def _mark(store: FakeStore) -> int:
    stored = store.objects.get("purged.json")
    return 0 if stored is None else msgspec.json.decode(stored.body, type=Mark).sequence


async def _until_purging(store: FakeStore, says: bool) -> None:
    async with asyncio.timeout(10):
        while "table.json" not in store.objects or _table(store).purging != says:
            await asyncio.sleep(0.005)


async def _until_marked(store: FakeStore, sequence: int | None = None) -> None:
    wanted = _table(store).sequence if sequence is None else sequence
    async with asyncio.timeout(10):
        while _mark(store) < wanted:
            await asyncio.sleep(0.005)


async def _store() -> FakeStore:
    store = FakeStore()
    await publish(store, [checked("ten")])
    return store


async def test_a_change_is_purged_at_once_and_again_when_every_edge_has_it(api: CdnApi, ops: OpsListener) -> None:
    """The second purge waits for each edge of DOCSREDIRECT_EDGES, then comes at once; the mark moves on after it."""
    store = await _store()
    async with ops_listener() as other, _admin(store, api, DOCSREDIRECT_EDGES=f"{ops.url} {other.url}") as admin:
        await _until_purging(store, True)
        assert (await admin.put(record(), CREATE)).json["meta"]["published"]
        assert await api.until(1, seconds=2) == [SIX]
        table, marked = _table(store), _mark(store)
        ops.holds = (table.epoch, table.sequence)
        other.holds = (table.epoch, table.sequence - 1)
        await asyncio.sleep(2 * BLIND)
        assert api.purged() == [SIX]
        assert _mark(store) == marked
        other.holds = (table.epoch, table.sequence)
        assert await api.until(2, seconds=2) == [SIX, SIX]
        await _until_marked(store)


async def test_without_known_edges_the_second_purge_comes_two_polls_and_half_a_second_later(api: CdnApi) -> None:
    """By then every edge has polled."""
    store = await _store()
    async with _admin(store, api) as admin:
        await _until_purging(store, True)
        await admin.put(record(), CREATE)
        await api.until(1)
        begin = asyncio.get_running_loop().time()
        await api.until(2)
        assert asyncio.get_running_loop().time() - begin > BLIND - 0.2
        await _until_marked(store)
        await asyncio.sleep(2 * BLIND)
        assert api.purged() == [SIX, SIX]


async def test_an_edge_that_does_not_follow_is_waited_for_until_its_answers_count_as_stale(
    api: CdnApi, ops: OpsListener
) -> None:
    """One that cannot be reached holds nothing up for ever: from then on caches keep its answers for a short time."""
    store = await _store()
    async with _admin(store, api, DOCSREDIRECT_EDGES=ops.url, DOCSREDIRECT_STALE_AFTER="1") as admin:
        await admin.put(record(), CREATE)
        await api.until(1)
        begin = asyncio.get_running_loop().time()
        assert await api.until(2) == [SIX, SIX]
        assert asyncio.get_running_loop().time() - begin > 1


async def test_every_kind_of_change_is_purged_and_what_changes_nothing_is_not(api: CdnApi) -> None:
    """Creating, changing, removing, restoring and importing are; a PUT of what stands already is not."""
    store = await _store()
    async with _admin(store, api) as admin:
        await _until_purging(store, True)
        await admin.put(record(), CREATE)
        await admin.put(record(), {"If-Match": "*"})
        await admin.ask("DELETE", "projects/six", headers={"If-Match": "*"})
        await admin.post("projects/six/rollback", {"revision": 1})
        lines = b'{"project": "ten", "target": "https://new.example.org/", "path": "root"}\n'
        await admin.ask("POST", "import", body=lines, headers={"Content-Type": "application/jsonl"})
        await _until_marked(store)
        keys = [keys for purged in api.purged() for keys in purged]
        assert set(keys) == {"project/six", "project/ten"}
        assert keys.count("project/ten") == 2
        assert 2 <= keys.count("project/six") <= 6


async def test_a_change_that_was_not_purged_before_a_crash_is_purged_at_the_next_start(api: CdnApi) -> None:
    """The intent lies in the published table: neither the process that wrote it nor its memory is needed."""
    store = await _store()
    async with _admin(store, api):
        await _until_purging(store, True)
        async with asyncio.timeout(5):
            while not _mark(store):
                await asyncio.sleep(0.005)
    api.asked.clear()
    async with _admin(store, None) as admin:  # stands for one that dies before it purges
        await admin.put(record(), CREATE)
    await publish(store, [checked("eleven"), checked("ten")])  # `ten` is as it was
    last = _table(store).sequence
    async with _admin(store, api):
        assert await api.until(2) == [["project/eleven", "project/six"]] * 2
        await _until_marked(store, last)
    async with _admin(store, api):
        await asyncio.sleep(2 * BLIND)
        assert len(api.purged()) == 2


async def test_what_was_changed_while_the_kept_tables_went_is_found_by_the_oldest_that_is_left(api: CdnApi) -> None:
    """A mark whose table is no longer kept is older than anything that a CDN still keeps fresh."""
    store = await _store()
    async with _admin(store, api):
        async with asyncio.timeout(5):
            while not _mark(store):
                await asyncio.sleep(0.005)
    for name in ("eleven", "twelve", "thirteen"):
        store.clock += 1
        await publish(store, [checked(name)])
    api.asked.clear()
    kept = sorted(key for key in store.objects if key.startswith("tables/"))
    for key in kept[:-1]:
        del store.objects[key]
    async with _admin(store, api):
        assert await api.until(1) == [["project/thirteen"]]


async def test_what_another_process_publishes_is_left_to_it_for_a_while(
    api: CdnApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where that process purges, nobody else does; where it has died, another takes over."""
    monkeypatch.setattr("docsredirect.admin.afterwards.TAKE_OVER_SECONDS", 1.0)
    store = await _store()
    async with cdn_api() as other_api, _admin(store, api) as admin, _admin(store, other_api):
        await _until_purging(store, True)
        await asyncio.sleep(0.3)  # both have seen that: who publishes nothing now is not taken for who did
        await admin.put(record(), CREATE)
        assert await api.until(2) == [SIX, SIX]
        await asyncio.sleep(BLIND + 1.5)
        assert other_api.purged() == []
        api.asked.clear()
        await publish(store, [checked("eleven")])  # by nobody who purges
        begin = asyncio.get_running_loop().time()
        await _until_marked(store)
        assert asyncio.get_running_loop().time() - begin > BLIND + 0.8
        assert [["project/eleven"]] * 2 in (api.purged(), other_api.purged())


async def test_the_table_and_with_it_the_edges_tell_whether_purging_works(
    api: CdnApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers may stay long in the CDN only while changes are purged; what was not purged meanwhile is, afterwards."""
    monkeypatch.setattr(purging, "LONGEST_PAUSE_SECONDS", 0.2)
    store = await _store()

    async def lifetime() -> str:
        response = await connection.get("/ten/")
        assert response.header("surrogate-control") == response.header("cdn-cache-control")
        return str(response.header("surrogate-control")).partition(",")[0]

    async def until(expected: str) -> None:
        async with asyncio.timeout(10):
            while await lifetime() != expected:
                await asyncio.sleep(0.01)

    async with connected(store) as connection:
        assert await lifetime() == "max-age=300"
        async with _admin(store, api) as admin:
            await until("max-age=86400")
            api.status = 403
            answer = await admin.put(record(), CREATE)
            assert answer.json["meta"]["visible"] == {"caches_seconds": 1, "browsers_seconds": 60, "purged": True}
            await until("max-age=300")
            answer = await admin.put(record(target="https://a.example.org/"), {"If-Match": "*"})
            assert answer.json["meta"]["visible"] == {"caches_seconds": 300, "browsers_seconds": 3600, "purged": False}
            api.asked.clear()
            api.status = 200
            assert (await api.until(1))[0] == SIX
            await until("max-age=86400")
        async with _admin(store, None):
            await until("max-age=300")


async def test_who_can_purge_waits_before_it_overrules_who_cannot(api: CdnApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two admin processes of which one has no way to the CDN do not write the table in turns."""
    store = await _store()
    async with _admin(store, api):
        await _until_purging(store, True)
        async with _admin(store, None):
            await _until_purging(store, False)
        sequence = _table(store).sequence
        await asyncio.sleep(0.5)
        assert _table(store).sequence == sequence
        monkeypatch.setattr(purge_flag, "RESTORE_SECONDS", 0.1)
        monkeypatch.setattr(purging, "PROBE_SECONDS", 0.1)
        await publish(store, [checked("eleven")])
        await _until_purging(store, True)


async def test_a_store_that_fails_holds_purging_up_and_loses_nothing(api: CdnApi) -> None:
    """The mark cannot be read or written for a while: changes are purged, and marked when it can be again."""
    store = await _store()
    async with _admin(store, api) as admin:
        await _until_purging(store, True)
        store.failing, store.failing_operations = "purged.json", ("get", "create", "replace")
        await admin.put(record(), CREATE)
        await api.until(2)
        store.failing = None
        await _until_marked(store)
        assert set(map(tuple, api.purged())) == {tuple(SIX)}


@pytest.mark.parametrize("body", [b"", b"{}", b'{"format":1,"epoch":"x","sequence":1}', b"\xff", b"[1]"])
async def test_a_damaged_mark_is_begun_anew(api: CdnApi, body: bytes) -> None:
    """It is said in the log, and purging goes on."""
    store = await _store()
    await store.put("purged.json", body)
    async with _admin(store, api) as admin:
        await _until_purging(store, True)
        await admin.put(record(), CREATE)
        await api.until(2)
        await _until_marked(store)


async def test_the_first_table_of_all_is_purged_too(api: CdnApi) -> None:
    """In an empty store a 404 may have been kept."""
    store = FakeStore()
    async with _admin(store, api) as admin:
        await admin.put(record(), CREATE)
        assert await api.until(2) == [SIX, SIX]
