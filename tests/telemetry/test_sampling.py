"""The sampler and the board: what a process counts for itself becomes metrics, and others can read how it is."""

import asyncio
import json
import os
from collections import Counter
from pathlib import Path

import pytest

from docsredirect.domain.errors import Unknown
from docsredirect.service.asked import Asked
from docsredirect.service.lookups import Lookups
from docsredirect.service.replica import Replica
from docsredirect.telemetry import board
from docsredirect.telemetry.board import Board, ProcessState
from docsredirect.telemetry.metrics import Metrics
from docsredirect.telemetry.sampler import Place, Sampler, rfc3339
from tests.support.edges import publish, record
from tests.support.stores import FakeStore
from tests.telemetry.test_metrics import values


def state(seat: int = 0, **fields: object) -> ProcessState:
    """Return the state of a worker that lives: this process."""
    common = {"role": "worker", "seat": seat, "pid": os.getpid(), "started": rfc3339(0), "reported": 0.0}
    return ProcessState(**{**common, **fields})  # type: ignore[arg-type]


async def _replica(store: FakeStore) -> Replica:
    replica = Replica(store, clock=asyncio.get_running_loop().time)
    await replica.poll()
    return replica


async def test_a_sample_counts_what_has_come_since_the_last_one(tmp_path: Path) -> None:
    """Counts of answers, lookups and polls go over into metrics once, however often it samples."""
    store = FakeStore()
    await publish(store, [record("six")])
    replica = await _replica(store)
    lookups = Lookups(replica, store, clock=replica._clock)
    statuses, metrics = Counter[int](), Metrics()
    sampler = Sampler(Place(tmp_path, 3, "worker"), metrics, stale_after=60)
    asked = Asked()
    sampler.watch(replica, lookups=lookups, statuses=statuses, asked=asked)
    assert set(values(metrics, "edge_answers_total").values()) == {0}
    for _ in range(2):
        statuses[301] += 5
        asked.count("missed")
        lookups.find("six")
        await replica.poll()
        sampler.sample()
        sampler.sample()
    assert values(metrics, "edge_answers_total")["301",] == 10
    assert values(metrics, "hot_lookups_total") == {("hit",): 1, ("miss",): 1}
    polls = values(metrics, "polls_total")
    assert (polls["changed",], polls["unchanged",]) == (1, 2)
    assert values(metrics, "table_sequence") == {("worker",): 1}
    assert values(metrics, "table_rows") == {("worker",): 1}
    (last_poll,) = values(metrics, "last_successful_poll_timestamp_seconds").values()
    assert last_poll > 1_700_000_000
    (shown,) = board.read(tmp_path)
    assert (shown.seat, shown.ready, shown.sequence, shown.rows, shown.stale) == (3, True, 1, 1, False)
    assert shown.asked == {"missed": 2}


async def test_what_was_refused_stands_on_the_board_until_a_poll_succeeds(tmp_path: Path) -> None:
    """The table before it is still what is applied; the sequence of the refused one and the reason are told."""
    store = FakeStore()
    await publish(store, [record("six")])
    replica = await _replica(store)
    sampler = Sampler(Place(tmp_path, 0, "worker"), Metrics(), stale_after=60)
    sampler.watch(replica)
    good = store.objects["table.json"].body
    await publish(store, [record("six", "https://six.example.net/")])
    spoiled = json.loads(store.objects["table.json"].body)
    spoiled["shards"] = json.loads(good)["shards"][1:] + json.loads(good)["shards"][:1]
    await store.put("table.json", json.dumps(spoiled).encode())
    assert not await replica.poll()
    sampler.sample()
    (shown,) = board.read(tmp_path)
    assert (shown.sequence, shown.refusals) == (1, 1)
    assert shown.reason
    assert shown.problem
    await store.put("table.json", good)
    assert await replica.poll()
    sampler.sample()
    (shown,) = board.read(tmp_path)
    assert (shown.refused_sequence, shown.reason, shown.problem, shown.refusals) == (None, None, None, 1)


async def test_a_refused_table_is_named_by_its_sequence() -> None:
    """A table that went back is readable, so that its sequence is known; one that is no JSON has none."""
    store = FakeStore()
    await publish(store, [record("six")])
    older = store.objects["table.json"].body
    await publish(store, [record("seven")])
    replica = await _replica(store)
    for body, sequence in ((older, 1), (b"{", None)):
        await store.put("table.json", body)
        assert not await replica.poll()
        assert replica.refused_sequence == sequence
        assert replica.refused_reason == replica.problem
    assert replica.polls == {"changed": 1, "refused": 2}


async def test_reads_through_are_counted_by_whether_they_worked() -> None:
    """A name that the store could not be asked for is another thing than one that it does not hold."""
    store = FakeStore()
    replica = Replica(store, clock=lambda: 0.0)
    lookups = Lookups(replica, store, clock=lambda: 0.0)
    assert await lookups.read_through("six") is None
    store.failing = "projects/"
    with pytest.raises(Unknown):
        await lookups.read_through("seven")
    assert (lookups.read, lookups.unread) == (1, 1)


def test_who_is_gone_is_not_on_the_board(tmp_path: Path) -> None:
    """A process that was killed cannot take its state away; nobody believes it any more."""
    Board(tmp_path, 1).write(state(1))
    Board(tmp_path, 0).write(state(0))
    Board(tmp_path, 2).write(state(2, pid=2**22 + 1))  # above the highest number that Linux gives
    assert [each.seat for each in board.read(tmp_path)] == [0, 1]
    Board(tmp_path, 0).remove()
    assert [each.seat for each in board.read(tmp_path)] == [1]


def test_without_its_folder_a_process_goes_on(tmp_path: Path) -> None:
    """The parent may have removed it already: nobody is left to read."""
    Board(tmp_path / "gone", 0).write(state())
    Board(tmp_path / "gone", 0).remove()
    assert board.read(tmp_path / "gone") == []
