"""The listing: pages of the table in the order of names, filters, cursors that outlast writes, and the whole of it."""

import asyncio
import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docsredirect.domain import names, tables
from docsredirect.domain.errors import Unknown
from docsredirect.domain.tables import SHARDS, Row, Table
from docsredirect.service.listing import Listing, Page, State
from docsredirect.service.replica import Replica
from tests.domain.test_properties import modest
from tests.support.edges import record
from tests.support.stores import FakeStore

EPOCH = "e" * 16
_SEQUENCES = itertools.count(1)


def row(project: str, target: str = "https://t.example.org/", *, removed: bool = False, **fields: Any) -> Row:
    """Return the row of a project."""
    made = record(project, target, **fields)
    return Row(made.name, 1, "", None if removed else made)


def rows_of(*projects: str) -> list[Row]:
    """Return the rows of plain projects."""
    return [row(project) for project in projects]


async def put_table(store: FakeStore, rows: Iterable[Row]) -> None:
    """Publish exactly `rows`."""
    parts: list[list[Row]] = [[] for _ in range(SHARDS)]
    for each in sorted(rows, key=lambda each: each.name):
        parts[tables.shard_of(each.name)].append(each)
    refs = []
    for number, part in enumerate(parts):
        ref, body = tables.encode_shard(number, part)
        refs.append(ref)
        if ref.key is not None:
            await store.put(ref.key, body)
    table = Table(epoch=EPOCH, sequence=next(_SEQUENCES), follows=(EPOCH,), shards=tuple(refs))
    await store.put("table.json", tables.encode_table(table))


async def listed(rows: Iterable[Row]) -> tuple[Listing, Replica, FakeStore]:
    """Return a listing of `rows`, and the replica and the store that it reads."""
    store = FakeStore()
    await put_table(store, rows)
    replica = Replica(store, clock=lambda: 0.0)
    assert await replica.poll()
    return Listing(replica), replica, store


def names_of(page: Page) -> list[str]:
    """Return the names of a page's rows."""
    return [each.name for each in page.rows]


MIXED = [
    row("Zope.Interface", "https://zope.readthedocs.io/en/latest/"),
    row("six", "https://Six.example.org/Docs/"),
    row("a"),
    row("a-b"),
    row("a0"),
    row("ab"),
    row("old", state="gone"),
    row("older", "https://old.example.org/", state="gone"),
    row("never", removed=True),
    row("older-still", removed=True),
    row("tricky", rules={'"state":"gone"': None, "zope": "x/", "gone": None}),
]
WITH_RECORD = ["a", "a-b", "a0", "ab", "old", "older", "six", "tricky", "zope-interface"]


@pytest.mark.parametrize(
    ("q", "state", "expected"),
    [
        ("", None, WITH_RECORD),
        ("", "active", ["a", "a-b", "a0", "ab", "six", "tricky", "zope-interface"]),
        ("", "gone", ["old", "older"]),
        ("", "removed", ["never", "older-still"]),
        ("zope", None, ["zope-interface"]),
        ("ZOPE", None, ["zope-interface"]),
        ("Zope_Interface", None, ["zope-interface"]),
        ("zope.-inter", None, ["zope-interface"]),
        (".interface", None, ["zope-interface"]),
        ("readthedocs.io/EN", None, ["zope-interface"]),
        ("/docs/", None, ["six"]),
        ("https://six.", None, ["six"]),
        ("t.example.org", None, ["a", "a-b", "a0", "ab", "old", "tricky"]),
        ("a-", None, ["a-b"]),
        ("old", "active", []),
        ("OLD", "gone", ["old", "older"]),
        ("still", "removed", ["older-still"]),
        ("example", "removed", []),
        ("rules", None, []),
        ('"', None, []),
        ("\n", None, []),
        ("}\n{", None, []),
        ("six\n", None, []),
        ("caf\u00e9", None, []),
        ("\udcff", None, []),
        ("x" * 500, None, []),
    ],
)
async def test_what_is_listed(q: str, state: State | None, expected: list[str]) -> None:
    """Rows with a record, by name; tombstones alone where they are asked for; `q` finds names in any spelling and
    targets, never what stands elsewhere in a record."""
    listing, _, _ = await listed(MIXED)
    page = await listing.page(q=q, state=state, limit=100)
    assert names_of(page) == expected
    assert page.next is None
    assert all(each in MIXED for each in page.rows)


async def test_pages_follow_each_other() -> None:
    """A page's last name is where the next goes on; the last page has no next, also where it is full."""
    listing, _, _ = await listed(MIXED)
    first = await listing.page(limit=4)
    assert (names_of(first), first.next) == (["a", "a-b", "a0", "ab"], "ab")
    second = await listing.page(limit=4, after="ab")
    assert (names_of(second), second.next) == (["old", "older", "six", "tricky"], "tricky")
    third = await listing.page(limit=4, after="tricky")
    assert (names_of(third), third.next) == (["zope-interface"], None)
    full = await listing.page(limit=len(WITH_RECORD))
    assert (names_of(full), full.next) == (WITH_RECORD, None)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("", WITH_RECORD),
        ("a-a", ["a-b", "a0"]),
        ("b", ["old", "older"]),
        ("olde", ["older", "six"]),
        ("older-still", ["six", "tricky"]),
        ("zzz", []),
        ("~", []),
        ('"', WITH_RECORD),
        ("\x00", WITH_RECORD),
        ("\u00e9", []),
        ("\udcff", []),
        ("x" * 10_000, ["zope-interface"]),
    ],
)
async def test_any_text_is_a_cursor(after: str, expected: list[str]) -> None:
    """A cursor need not be a name that is there, nor a name at all: what comes after it is listed."""
    listing, _, _ = await listed(MIXED)
    assert names_of(await listing.page(limit=100, after=after))[:2] == expected[:2]


parts_of_names = st.sampled_from(["a", "b", "0", "9", "-", "z", "a-b", "ab"])
some_names = (
    st.lists(parts_of_names, min_size=1, max_size=6).map("".join).map(lambda text: names.normalise(f"x{text}x"))
)
some_rows = st.lists(
    st.builds(
        row,
        some_names,
        st.sampled_from(
            ["https://t.example.org/", "https://AB.example.org/a/Bz/", "https://t.example.org/" + "z" * 2_000]
        ),
        removed=st.sampled_from([False, False, True]),
        state=st.sampled_from(["active", "active", "gone"]),
    ),
    max_size=40,
    unique_by=lambda each: each.name,
)
some_states: st.SearchStrategy[State | None] = st.sampled_from([None, None, "active", "gone", "removed"])


@modest
@given(some_rows, st.sampled_from(["", "", "a", "B", "a_b", "zz", "ab.example"]), some_states, st.integers(1, 7))
def test_pages_hold_each_wanted_row_once(rows: list[Row], q: str, state: State | None, limit: int) -> None:
    """Whatever the table and the filter: page after page, each row that is wanted comes once, in order."""

    async def pages() -> list[Page]:
        listing, _, _ = await listed(rows)
        found = [await listing.page(q=q, state=state, limit=limit)]
        while found[-1].next is not None:
            found.append(await listing.page(q=q, state=state, limit=limit, after=found[-1].next))
        return found

    found = asyncio.run(pages())
    wanted = [each for each in sorted(rows, key=lambda each: each.name) if _is_wanted(each, q, state)]
    assert [each for page in found for each in page.rows] == wanted
    assert all(len(page.rows) == limit and page.next == page.rows[-1].name for page in found[:-1])
    assert len(found) == max(1, -(-len(wanted) // limit))


def _is_wanted(each: Row, q: str, state: State | None) -> bool:
    is_state = "removed" if each.record is None else each.record.state
    if (state or is_state) != is_state or (state is None and each.record is None):
        return False
    target = "" if each.record is None else each.record.target
    return q.lower().replace("_", "-") in each.name or q.lower() in target.lower()


async def test_pages_stay_correct_while_others_write() -> None:
    """Rows that come and go between two pages neither hide another row nor show one twice."""
    stays = [f"p-{n:03}" for n in range(0, 300, 3)]
    goes = [f"p-{n:03}" for n in range(1, 300, 3)]
    comes = [f"p-{n:03}" for n in range(2, 300, 3)]
    listing, replica, store = await listed(rows_of(*stays, *goes))
    seen, after, left = list[str](), "", list(goes)
    for round_of_writes in range(1_000):
        page = await listing.page(limit=7, after=after)
        seen += names_of(page)
        if page.next is None:
            break
        after = page.next
        left = left[5:]
        tombstones = [row(name, removed=True) for name in goes if name not in left]
        await put_table(store, [*rows_of(*stays, *left, *comes[: 5 * round_of_writes]), *tombstones])
        assert await replica.poll()
    assert seen == sorted(set(seen))
    assert set(stays) <= set(seen)
    assert set(seen) <= {*stays, *goes, *comes}


MANY = 12_000


def many() -> Iterator[Row]:
    """Yield rows of about 200 bytes: every shard has some dozens."""
    for number in range(MANY):
        yield row(f"project-{number:05}", f"https://project-{number:05}.readthedocs.io/en/latest/", status=301)


async def test_a_page_reads_its_own_part_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page decodes a few times its own rows, wherever it begins and whether it searches or not, not all there are."""
    listing, _, _ = await listed(many())
    decoded = 0
    decode = tables.decode_row

    def count(line: bytes) -> Row:
        nonlocal decoded
        decoded += 1
        return decode(line)

    monkeypatch.setattr(tables, "decode_row", count)
    for q, after in itertools.product(("", "readthedocs"), ("", "project-06000", "project-11850")):
        decoded = 0
        assert len((await listing.page(q=q, after=after, limit=100)).rows) == 100
        assert decoded < 1_000
    decoded = 0
    assert names_of(await listing.page(q="Project_07777", limit=100)) == ["project-07777"]
    assert decoded == 1
    decoded = 0
    assert (await listing.page(state="gone", limit=100)).rows == []
    assert decoded == 0


async def test_others_get_their_turn() -> None:
    """A search that finds nothing, and an export, let the event loop go on every few thousand rows."""
    listing, _, _ = await listed(many())
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    others = asyncio.create_task(take_turns())
    try:
        await listing.page(q="no such project", limit=10)
        assert turns >= 3
        turns = 0
        exported = [each async for each in listing.export()]
        assert (len(exported), turns >= MANY // 2_000) == (MANY, True)
    finally:
        others.cancel()


async def test_export_is_everything_in_order() -> None:
    """All rows with a record, gone ones too, in the order of their names; no tombstones."""
    listing, _, _ = await listed(MIXED)
    exported = [each async for each in listing.export()]
    assert [each.name for each in exported] == WITH_RECORD
    assert all(each in MIXED for each in exported)


async def test_export_is_of_one_moment() -> None:
    """What is written while an export runs does not show in it, and shows in the next."""
    before = [f"p-{n:04}" for n in range(600)]
    listing, replica, store = await listed(rows_of(*before))
    export = listing.export()
    seen = [(await anext(export)).name]
    await put_table(store, [*rows_of(*before[300:], "q"), *(row(name, removed=True) for name in before[:300])])
    assert await replica.poll()
    seen += [each.name async for each in export]
    assert seen == before
    assert [each.name async for each in listing.export()] == [*before[300:], "q"]


async def test_rows_larger_than_a_piece_of_text() -> None:
    """Rows of 100 KB are found, listed and searched like small ones."""
    rules = {f"{n}/" + "x" * 1_000: f"{n}/" for n in range(100)}
    listing, _, _ = await listed([row("big", rules=rules), row("bigger", rules=rules), *rows_of("a", "z")])
    assert names_of(await listing.page(limit=2, after="a")) == ["big", "bigger"]
    assert names_of(await listing.page(q="BIG", limit=10)) == ["big", "bigger"]
    assert [each.name async for each in listing.export()] == ["a", "big", "bigger", "z"]


async def test_an_empty_store_lists_nothing() -> None:
    """Where the store said that nothing is published, there are no rows, and that is known."""
    replica = Replica(FakeStore(), clock=lambda: 0.0)
    assert await replica.poll()
    listing = Listing(replica)
    assert await listing.page(limit=10) == Page([], None)
    assert [each async for each in listing.export()] == []


@pytest.mark.parametrize("failing", [None, "table.json", "shards/"])
async def test_a_table_that_is_not_held_is_unknown(failing: str | None) -> None:
    """Before the first poll, and where the table or a part of it cannot be had: unknown, never an empty list."""
    store = FakeStore()
    await put_table(store, MIXED)
    replica = Replica(store, clock=lambda: 0.0)
    if failing is not None:
        store.failing = failing
        assert not await replica.poll()
    listing = Listing(replica)
    with pytest.raises(Unknown, match="The table is not loaded"):
        await listing.page(limit=10)
    with pytest.raises(Unknown):
        listing.export()
    store.failing = None
    assert await replica.poll()
    assert names_of(await listing.page(limit=100)) == WITH_RECORD


async def test_a_table_that_is_stale_is_listed() -> None:
    """A store that fails later takes nothing away: what is held is listed."""
    listing, replica, store = await listed(MIXED)
    store.failing = ""
    assert not await replica.poll()
    assert names_of(await listing.page(limit=100)) == WITH_RECORD
