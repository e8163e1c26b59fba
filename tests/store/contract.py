"""What every store promises: the contract of `docsredirect.store.protocol.Store`, as one class of tests.

A store joins by a subclass that gives the fixture ``connect``, a function that opens one more client of the same,
at first empty, store. The test closes what it opened through `store` and `rival`.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from random import Random

import pytest
import pytest_asyncio

from docsredirect.domain.errors import Conflict, NotModified
from docsredirect.store import Listed, Store

Connect = Callable[[], Store]

CLOCK_SLACK = 2.0
"""Seconds by which a store's clock may differ: listings of S3 carry whole seconds."""

MEBIBYTE = 1 << 20

REFUSED_KEYS = [
    "",
    "/",
    ".",
    "..",
    "../x",
    "a/../b",
    "a/./b",
    "a/..",
    "/a",
    "a/",
    "a//b",
    ".hidden",
    "a/.hidden",
    "-a",
    "a/-b",
    "_a",
    "a b",
    "a\\b",
    "a\n",
    "a\x00b",
    "a?b",
    "a#b",
    "a%2fb",
    "caf\u00e9",
    "a:b",
    "a*",
]

BODIES = {
    "empty": b"",
    "text": b'{"a": 1}\n',
    "every byte": bytes(range(256)),
    "line ends": b"\r\n\n\r\x00\xff\xfe",
    "1 MiB": Random(1).randbytes(MEBIBYTE),
}

NAMES_OUT_OF_ORDER = [
    "table.json",
    "projects/six.json",
    "projects/zope-interface.json",
    "projects/zope.json",
    "projects/0.json",
    "history/six/10.json",
    "history/six/9.json",
    "history/six-extra/1.json",
    "history/sixer/2.json",
    "tables/0123456789abcdef-10.json",
    "tables/0123456789abcdef-9.json",
    "shards/ff-aa.jsonl.gz",
    "shards/00-bb.jsonl.gz",
    "A/B.json",
    "a/b.json",
]


async def keys_of(store: Store, prefix: str) -> list[str]:
    """Return the keys that a listing gives, in its order."""
    return [listed.key async for listed in store.list_objects(prefix)]


async def increment(store: Store, key: str) -> int:
    """Add one to the number in an object by compare-and-swap. Returns how many races were lost first."""
    lost = 0
    while True:
        stored = await store.get(key)
        assert stored is not None
        try:
            await store.replace(key, b"%d" % (int(stored.body) + 1), stored.etag)
        except Conflict:
            lost += 1
        else:
            return lost


class StoreContract:
    """The promises. A subclass gives the fixture ``connect``."""

    @pytest_asyncio.fixture
    async def store(self, connect: Connect) -> AsyncIterator[Store]:
        """One client of the store."""
        client = connect()
        yield client
        await client.close()

    @pytest_asyncio.fixture
    async def rival(self, connect: Connect) -> AsyncIterator[Store]:
        """Another client of the same store."""
        client = connect()
        yield client
        await client.close()

    @pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
    async def test_bytes_come_back_as_they_went_in(self, store: Store, rival: Store, body: bytes) -> None:
        """Whatever the bytes, every client reads back exactly those, with the ETag that the writer was given."""
        etag = await store.create("a/b.json", body)
        for client in (store, rival):
            stored = await client.get("a/b.json")
            assert stored is not None
            assert stored.body == body
            assert stored.etag == etag

    async def test_absent_is_none(self, store: Store) -> None:
        """A key without an object is None, also below a folder that has others, and also with a condition."""
        await store.create("projects/six.json", b"x")
        for key in ("table.json", "projects/sixx.json", "projects/si", "history/six/1.json"):
            assert await store.get(key) is None
            assert await store.get(key, unless="anything") is None

    async def test_unless_says_not_modified(self, store: Store, rival: Store) -> None:
        """A conditional read of the state that is held says so, and any other state comes with its body."""
        etag = await store.create("table.json", b"one")
        for client in (store, rival):
            with pytest.raises(NotModified):
                await client.get("table.json", unless=etag)
        await rival.replace("table.json", b"two", etag)
        stored = await store.get("table.json", unless=etag)
        assert stored is not None
        assert stored.body == b"two"
        with pytest.raises(NotModified):
            await store.get("table.json", unless=stored.etag)

    async def test_create_is_once(self, store: Store, rival: Store) -> None:
        """Creating what exists is a conflict and changes nothing, also with the same bytes."""
        etag = await store.create("a.json", b"one")
        for body in (b"two", b"one"):
            with pytest.raises(Conflict):
                await rival.create("a.json", body)
        stored = await store.get("a.json")
        assert stored is not None
        assert (stored.body, stored.etag) == (b"one", etag)

    async def test_replace_needs_the_present_etag(self, store: Store) -> None:
        """Replacing works once with the present ETag; the old one and a made-up one are conflicts."""
        first = await store.create("a.json", b"one")
        second = await store.replace("a.json", b"two", first)
        assert second != first
        for wrong in (first, "made-up", "", '"quoted"', "*"):
            with pytest.raises(Conflict):
                await store.replace("a.json", b"three", wrong)
        stored = await store.get("a.json")
        assert stored is not None
        assert (stored.body, stored.etag) == (b"two", second)

    async def test_replace_of_nothing_is_a_conflict(self, store: Store) -> None:
        """Replacing an object that never was, or is gone, is a conflict and makes none."""
        with pytest.raises(Conflict):
            await store.replace("a.json", b"x", "made-up")
        etag = await store.create("b.json", b"x")
        await store.delete("b.json")
        with pytest.raises(Conflict):
            await store.replace("b.json", b"y", etag)
        assert await keys_of(store, "") == []

    async def test_put_is_unconditional(self, store: Store) -> None:
        """Putting works where there is nothing, where there is the same, and over anything else."""
        first = await store.put("a.json", b"one")
        assert await store.put("a.json", b"one") == first
        second = await store.put("a.json", b"two")
        stored = await store.get("a.json")
        assert stored is not None
        assert (stored.body, stored.etag) == (b"two", second)

    async def test_delete_is_idempotent(self, store: Store) -> None:
        """Deleting takes one object away, is fine where there is none, and frees the key for another creation."""
        await store.delete("never/was.json")
        await store.create("a/b.json", b"x")
        await store.create("a/bb.json", b"y")
        await store.delete("a/b.json")
        await store.delete("a/b.json")
        assert await store.get("a/b.json") is None
        assert await keys_of(store, "") == ["a/bb.json"]
        await store.create("a/b.json", b"z")

    async def test_etag_stays_while_the_state_does(self, store: Store, rival: Store) -> None:
        """An ETag is the same however often and by whom it is read or listed, and changes with the bytes."""
        etag = await store.create("a.json", b"one")
        for client in (store, rival, store):
            stored = await client.get("a.json")
            listed = [one.etag async for one in client.list_objects("a")]
            assert stored is not None
            assert [stored.etag] == listed == [etag]
        seen = {etag}
        for body in (b"", b"One", b"one ", bytes(MEBIBYTE)):
            etag = await store.replace("a.json", body, etag)
            assert etag not in seen
            seen.add(etag)

    async def test_list_is_in_the_order_of_keys(self, store: Store) -> None:
        """A listing goes by the code points of whole keys, through nested folders too."""
        for key in NAMES_OUT_OF_ORDER:
            await store.create(key, key.encode())
        assert await keys_of(store, "") == sorted(NAMES_OUT_OF_ORDER)

    @pytest.mark.parametrize(
        "prefix",
        [
            *("projects/", "projects/zope", "projects/zope.", "projects/zope-interface.json", "proj", "projects"),
            *("history/", "history/six", "history/six/", "history/six/1", "history/six-", "tables/0123456789abcdef-"),
            *("t", "shards/00-", "a", "A/", "no-such/", "projects/no-such", "history/six/10.json/", "z"),
        ],
    )
    async def test_prefix_is_text(self, store: Store, prefix: str) -> None:
        """A prefix is plain text: it may end in the middle of a name, and slashes mean nothing to it."""
        for key in NAMES_OUT_OF_ORDER:
            await store.create(key, b"x")
        assert await keys_of(store, prefix) == sorted(key for key in NAMES_OUT_OF_ORDER if key.startswith(prefix))

    async def test_list_of_an_empty_store(self, store: Store) -> None:
        """A store that was never written to lists nothing."""
        assert await keys_of(store, "") == []
        assert await keys_of(store, "projects/") == []

    async def test_list_goes_beyond_a_page(self, store: Store) -> None:
        """A listing of more than 1,000 objects (one page of S3) is complete, in order and without doubles."""
        keys = [f"projects/p{number}.json" for number in range(1_101)]
        await asyncio.gather(*(store.create(key, key.encode()) for key in keys))
        await store.create("table.json", b"x")
        assert await keys_of(store, "projects/") == sorted(keys)
        assert await keys_of(store, "projects/p9") == sorted(key for key in keys if key.startswith("projects/p9"))

    async def test_listing_can_be_left_early(self, store: Store) -> None:
        """Whoever only wants to know whether there is anything may stop at the first object."""
        for key in ("a/1", "a/2"):
            await store.create(key, b"x")
        async for listed in store.list_objects("a/"):
            assert listed.key == "a/1"
            break
        assert await keys_of(store, "a/") == ["a/1", "a/2"]

    async def test_modified_is_when_it_was_last_put(self, store: Store) -> None:
        """A listing says when each object was last put, by a clock that is about right; a new put renews it."""
        before = time.time()
        await store.put("a", b"one")
        await store.put("b", b"one")
        first = [listed async for listed in store.list_objects("")]
        await store.put("a", b"one")
        second = [listed async for listed in store.list_objects("")]
        for listed in first + second:
            assert isinstance(listed, Listed)
            assert before - CLOCK_SLACK <= listed.modified <= time.time() + CLOCK_SLACK
        assert second[0].modified >= first[0].modified
        assert second[1] == first[1]

    @pytest.mark.parametrize("key", REFUSED_KEYS, ids=ascii)
    async def test_key_outside_the_grammar_is_refused(self, store: Store, key: str) -> None:
        """A key that some store would not take, or would take for another, is a mistake: nothing is touched."""
        with pytest.raises(ValueError, match="is not a key"):
            await store.get(key)
        with pytest.raises(ValueError, match="is not a key"):
            await store.create(key, b"x")
        with pytest.raises(ValueError, match="is not a key"):
            await store.replace(key, b"x", "made-up")
        with pytest.raises(ValueError, match="is not a key"):
            await store.put(key, b"x")
        with pytest.raises(ValueError, match="is not a key"):
            await store.delete(key)
        assert await keys_of(store, "") == []

    async def test_one_of_many_creators_wins(self, store: Store, rival: Store) -> None:
        """Of 32 who create one key at once exactly one succeeds, and its bytes are what is there."""
        bodies = [b"%d" % number for number in range(32)]
        outcomes = await asyncio.gather(
            *((store, rival)[number % 2].create("a.json", body) for number, body in enumerate(bodies)),
            return_exceptions=True,
        )
        winners = [number for number, outcome in enumerate(outcomes) if isinstance(outcome, str)]
        assert len(winners) == 1
        assert all(isinstance(outcome, (str, Conflict)) for outcome in outcomes)
        stored = await store.get("a.json")
        assert stored is not None
        assert (stored.body, stored.etag) == (bodies[winners[0]], outcomes[winners[0]])

    async def test_one_of_many_replacers_wins(self, store: Store, rival: Store) -> None:
        """Of 32 who replace one state at once exactly one succeeds."""
        etag = await store.create("a.json", b"start")
        outcomes = await asyncio.gather(
            *((store, rival)[number % 2].replace("a.json", b"%d" % number, etag) for number in range(32)),
            return_exceptions=True,
        )
        assert sum(isinstance(outcome, str) for outcome in outcomes) == 1
        assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 31

    async def test_no_update_is_lost(self, store: Store, rival: Store) -> None:
        """32 who each add one five times, reading again whenever they lose a race, add 160."""
        await store.create("count", b"0")

        async def worker(client: Store) -> int:
            return sum([await increment(client, "count") for _ in range(5)])

        lost = await asyncio.gather(*(worker((store, rival)[number % 2]) for number in range(32)))
        stored = await store.get("count")
        assert stored is not None
        assert stored.body == b"160"
        assert sum(lost) > 0, "the workers never raced"

    async def test_list_while_others_write(self, store: Store, rival: Store) -> None:
        """A listing during writes holds all that was there throughout, nothing twice, and every ETag was true once."""
        steady = [f"a/s{number:03}" for number in range(50)]
        etags = {key: {await store.create(key, b"0")} for key in steady}

        async def write() -> None:
            for number in range(60):
                key = steady[number % 50]
                etags[key].add(await rival.put(key, b"%d" % number))
                await rival.create(f"a/t{number:03}", b"x")
                if number % 2:
                    await rival.delete(f"a/t{number:03}")

        writing = asyncio.create_task(write())
        listings = []
        while not writing.done():
            listings.append([listed async for listed in store.list_objects("a/")])
        await writing
        assert len(listings) > 1
        for listing in listings:
            keys = [listed.key for listed in listing]
            assert keys == sorted(set(keys))
            assert set(steady) <= set(keys)
            assert all(listed.etag in etags[listed.key] for listed in listing if listed.key in etags)

    async def test_no_reader_sees_half_an_object(self, store: Store, rival: Store) -> None:
        """A read during a write gives the whole old object or the whole new one, never None and never a mix."""
        bodies = [bytes([number]) * MEBIBYTE for number in range(4)]
        await store.create("a", bodies[0])

        async def write() -> None:
            for number in range(24):
                await rival.put("a", bodies[number % 4])

        writing = asyncio.create_task(write())
        reads = 0
        while not writing.done():
            stored = await store.get("a")
            assert stored is not None
            assert stored.body in bodies
            reads += 1
        await writing
        assert reads > 1

    async def test_what_was_written_outlives_its_client(self, connect: Connect) -> None:
        """Closing ends one client and nothing else: what it wrote is there for the next."""
        first = connect()
        etag = await first.create("a.json", b"x")
        await first.close()
        second = connect()
        try:
            stored = await second.get("a.json")
            assert stored is not None
            assert (stored.body, stored.etag) == (b"x", etag)
        finally:
            await second.close()

    async def test_url_names_the_place(self, store: Store, rival: Store) -> None:
        """The URL says where the store is, the same for every client of it."""
        assert "://" in store.url
        assert store.url == rival.url
