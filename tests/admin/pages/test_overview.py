"""The overview: counts, the table, edges here and elsewhere, last changes, and what is asked for in vain."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from docsredirect.admin import edges
from docsredirect.domain.errors import InvalidSettings
from docsredirect.domain.settings import MAX_EDGES, Address, load
from docsredirect.edge.listening import listen
from docsredirect.ops import server
from docsredirect.ops.server import Ops
from docsredirect.ops.status import EDGE_ONLY
from docsredirect.telemetry import files
from docsredirect.telemetry.board import Board
from tests.support.admin import ANY, BOOTSTRAP, CREATE, Admin, record, running_admin
from tests.support.http import free_port
from tests.support.stores import FakeStore
from tests.support.visitor import visiting
from tests.telemetry.test_sampling import state


@asynccontextmanager
async def _ops(folder: Path) -> AsyncIterator[str]:
    """Run the ops listener of an edge over a run folder and give its address."""
    listener = listen(Address("127.0.0.1", 0))
    async with server.running(Ops(folder, mode=EDGE_ONLY, store=""), listener):
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@asynccontextmanager
async def _answering(answer: Callable[[asyncio.StreamWriter], Any]) -> AsyncIterator[str]:
    """Run a server that reads a request and leaves the rest to `answer`."""

    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await reader.readuntil(b"\r\n\r\n")
        answer(writer)

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        for writer in writers:
            writer.close()


def _held(admin: Admin, **fields: Any) -> dict[str, Any]:
    table = admin.services.replica.applied
    assert table is not None
    return {
        "serves": True, "ready": True, "follows": True, "epoch": table.epoch, "sequence": table.sequence,
        "rows": 7_000, "table_age_seconds": 1.0, "reported": time.time(), **fields,
    }  # fmt: skip


async def test_an_empty_service_says_what_to_do_next(admin: Admin) -> None:
    """Nothing published, no edge, no change, nothing asked for."""
    async with visiting(admin.port, BOOTSTRAP) as visitor:
        seen = await visitor.get("/overview")
    assert "Active 0 Withdrawn 0 Removed 0" in seen.text
    assert "Nothing is published yet." in seen.text
    assert "name their ops addresses in DOCSREDIRECT_EDGES" in seen.text
    assert "Nothing was changed through this process" in seen.text
    assert "No edge reports what it is asked for." in seen.text


async def test_rows_are_counted_by_their_state(admin: Admin) -> None:
    """A rule from a page named record that says null is no tombstone."""
    for project, fields in (
        ("a", {}),
        ("b", {"rules": {"record": None}}),
        ("c", {"state": "gone"}),
        ("d", {}),
        ("e", {}),
    ):
        await admin.put(record(project, **fields), CREATE)
    await admin.ask("DELETE", "projects/e", headers=ANY)
    async with visiting(admin.port, BOOTSTRAP) as visitor:
        seen = await visitor.get("/overview")
    assert "Active 3 Withdrawn 1 Removed 1" in seen.text
    table = admin.services.replica.applied
    assert table is not None
    assert f"Sequence {table.sequence} Epoch {table.epoch}" in seen.text
    assert "nothing waits to be published" in seen.text


async def test_last_changes_are_those_of_this_process(admin: Admin) -> None:
    """The last twenty, newest first, by whom; what changed nothing is none, and secrets are never among them."""
    token = await admin.new_token(["six"], label="<b>Lee</b>")
    await admin.put(record("six"), CREATE, token=token)
    await admin.put(record("six"), ANY, token=token)
    await admin.post("invitations", {"project": "markdown"})
    await admin.ask("DELETE", "projects/six", headers=ANY)
    lines = b'{"project":"seven","target":"https://seven.example.org/","path":"keep"}\n'
    await admin.post("import", body=lines, headers={"Content-Type": "application/jsonl"})
    async with visiting(admin.port, BOOTSTRAP) as visitor:
        seen = await visitor.get("/overview")
        changes = seen.text.partition("Last changes")[2]
        told = ["imported 1 new, 0 changed", "removed six, revision 2", "made an invitation for markdown",
                "set six, revision 1", "made a token for six"]  # fmt: skip
        assert [changes.index(words) for words in told] == sorted(changes.index(words) for words in told)
        assert changes.count("six, revision") == 2
        assert "<b>Lee" not in seen.html and "<b>Lee</b> (" in changes
        assert token not in seen.html
        for number in range(25):
            await admin.put(record(f"p{number}"), CREATE)
        changes = (await visitor.get("/overview")).text
        assert ("set p24" in changes, "set p5," in changes, "set p4," in changes) == (True, True, False)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "up to date"),
        ({"sequence": 0}, "1 behind"),
        ({"stale": True}, "stale It has not reached the store"),
        (
            {"reason": "shards/00 <b>is not</b> what it says", "refused_sequence": 9},
            "refuses the table shards/00 <b>is not</b>",
        ),
        ({"epoch": "fedcba9876543210"}, "another epoch It holds the epoch fedcba9876543210."),
        ({"ready": False, "problem": "The store does not answer."}, "not ready The store does not answer."),
        ({"reported": 0.0}, "silent It has not said for"),
    ],
)
async def test_processes_of_this_machine_are_judged_by_what_they_say(
    admin: Admin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], said: str
) -> None:
    """From the board, where there is one; the control is no edge."""
    monkeypatch.setenv(files.VARIABLE, str(tmp_path))
    await admin.put(record("six"), CREATE)
    await admin.services.refresh()
    Board(tmp_path, 0).write(state(0, **_held(admin, **fields)))
    Board(tmp_path, 1).write(state(1, role="control", **_held(admin)))
    async with visiting(admin.port, BOOTSTRAP) as visitor:
        seen = await visitor.get("/overview")
    assert f"this machine, worker 0 {said}" in seen.text
    assert "worker 1" not in seen.text
    assert "<b>is not" not in seen.html


async def test_edges_elsewhere_are_asked(tmp_path: Path) -> None:
    """One that is well, one that nobody listens at; what both sides were asked for is added up."""
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
    async with _ops(there) as url:
        gone = f"http://127.0.0.1:{free_port()}"
        store = FakeStore()
        async with running_admin(store, {"DOCSREDIRECT_EDGES": f"{url}/, {gone}"}) as admin:
            await admin.put(record("six"), CREATE)
            await admin.services.refresh()
            asked = {"missed": 5, "six": 90}
            Board(there, 0).write(state(0, pid=os.getppid(), **_held(admin, asked=asked)))
            with pytest.MonkeyPatch.context() as monkeypatch:
                monkeypatch.setenv(files.VARIABLE, str(here))
                Board(here, 0).write(state(0, **_held(admin, asked={"missed": 7, "rare": 2})))
                async with visiting(admin.port, BOOTSTRAP) as visitor:
                    seen = await visitor.get("/overview")
    assert f"{url} up to date 1 7,000" in seen.text
    assert f"{gone} not known It cannot be reached." in seen.text
    assert "missed 12 rare 2" in seen.text
    assert "/projects/missed" in seen.links
    assert "six 90" not in seen.text, "it has a redirect by now"


async def test_an_edge_of_this_machine_is_not_counted_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own ops address may be among the settings, the same for all machines."""
    monkeypatch.setenv(files.VARIABLE, str(tmp_path))
    async with _ops(tmp_path) as url, running_admin(FakeStore(), {"DOCSREDIRECT_EDGES": url}) as admin:
        await admin.put(record("six"), CREATE)
        await admin.services.refresh()
        Board(tmp_path, 0).write(state(0, **_held(admin, asked={"missed": 5})))
        async with visiting(admin.port, BOOTSTRAP) as visitor:
            seen = await visitor.get("/overview")
    assert "missed 5" in seen.text
    assert url not in seen.text


def _http(body: bytes, status: str = "200 OK", headers: bytes = b"") -> Callable[[asyncio.StreamWriter], Any]:
    def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 %b\r\nConnection: close\r\n%b\r\n" % (status.encode(), headers) + body)
        writer.close()

    return answer


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (lambda writer: None, "It did not answer within"),
        (lambda writer: writer.close(), "It cannot be reached."),
        (_http(b"no", "503 Service Unavailable"), "It answered 503"),
        (_http(b"", "302 Found", b"Location: http://127.0.0.1:1/\r\n"), "It answered 302"),
        (_http(b"[" * 100_000), "is not the status of an edge"),
        (_http(b'{"version":"1"}'), "is not the status of an edge"),
        (_http(b" " * (edges.MAX_BYTES + 1)), "Its answer is longer than"),
        (_http(b"not gzip", headers=b"Content-Encoding: gzip\r\n"), "is not the status of an edge"),
    ],
)
async def test_an_edge_that_does_not_say_how_it_is_holds_nobody_up(
    answer: Callable[[asyncio.StreamWriter], Any], problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it does instead: it is told of, within the time that one has, and nothing is followed or unpacked."""
    monkeypatch.setattr(edges, "SECONDS", 0.3)
    async with _answering(answer) as url:
        begin = time.monotonic()
        (edge,) = await edges.ask([url])
    assert time.monotonic() - begin < 2.0
    assert (edge.status, problem in str(edge.problem)) == (None, True)


async def test_only_names_are_taken_from_an_edge() -> None:
    """What is no normalised name is left out."""
    body = (
        b'{"version":"1","epoch":null,"sequence":3,"rows":1,"table_age_seconds":1.5,"stale":false,'
        b'"asked":{"good":4,"<script>":9,"Not.Normal":9},"new":1}'
    )
    async with _answering(_http(body)) as url:
        (edge,) = await edges.ask([url])
    assert edge.status is not None
    assert edge.status.asked == {"good": 4}


async def test_with_the_store_gone_the_overview_tells_what_was_seen_last(admin: Admin, store: FakeStore) -> None:
    """That is when it is needed most."""
    await admin.put(record("six"), CREATE)
    await admin.services.refresh()
    async with visiting(admin.port, BOOTSTRAP) as visitor:
        store.failing = ""
        seen = await visitor.get("/overview")
    assert seen.status == 200
    assert "The published table cannot be read now" in seen.text
    assert "Active 1" in seen.text


def test_edges_are_named_by_their_addresses() -> None:
    """Separated by commas or blanks, each once; all of the setting is refused where one is no address."""
    given = "http://10.0.0.1:9090/, https://ops.example.org/edge http://10.0.0.1:9090/"
    assert load({"DOCSREDIRECT_EDGES": given}).settings.edges == (
        "http://10.0.0.1:9090",
        "https://ops.example.org/edge",
    )
    many = " ".join(f"http://10.0.0.1:{port}" for port in range(1, MAX_EDGES + 2))
    for wrong in ("10.0.0.1:9090", "http://a?x", "mailto:a@example.org", "http://a ftp://b", many):
        with pytest.raises(InvalidSettings, match=r"DOCSREDIRECT_EDGES is .* Give "):
            load({"DOCSREDIRECT_EDGES": wrong})
