"""The ops listener over a real socket: what it answers, to whom, and that it repeats nothing of a request."""

import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from docsredirect import __version__
from docsredirect.domain.settings import Address
from docsredirect.edge.listening import listen
from docsredirect.ops import server, status
from docsredirect.ops.server import Ops
from docsredirect.ops.status import ADMIN_ONLY, EDGE_ONLY, EVERYTHING, SILENT_SECONDS
from docsredirect.telemetry.board import Board, ProcessState
from docsredirect.telemetry.versions import versions
from tests.support.http import Connection, exchange
from tests.telemetry.test_sampling import state

ROUTES = ["/-/metrics", "/-/status", "/-/version", "/-/health/live", "/-/health/ready"]
HELD: dict[str, Any] = {
    "serves": True, "ready": True, "follows": True, "epoch": "0123456789abcdef", "sequence": 7, "complete": True,
    "rows": 70, "last_poll": "2026-01-01T00:00:00Z", "table_age_seconds": 1.0,
}  # fmt: skip


@asynccontextmanager
async def connected(folder: Path, mode: str = EVERYTHING) -> AsyncIterator[Connection]:
    """Run an ops listener over a run folder and give a connection to it."""
    listener = listen(Address("127.0.0.1", 0))
    port = listener.getsockname()[1]
    async with server.running(Ops(folder, mode=mode, store="file:///store"), listener):
        connection = await Connection.open(port)
        try:
            yield connection
        finally:
            await connection.close()


@pytest.mark.parametrize("path", ROUTES)
async def test_every_route_answers_get_and_head_to_any_host(tmp_path: Path, path: str) -> None:
    """HEAD says what GET would, without a body; nothing may keep the answer."""
    Board(tmp_path, 0).write(state(reported=time.time(), **HELD))
    async with connected(tmp_path) as connection:
        got = await connection.get(path, host="whoever.example.org")
        head = await connection.get(path, method="HEAD")
        assert (got.status, head.status, head.body) == (200, 200, b"")
        assert got.header("cache-control") == "no-store"
        assert got.header("server") == f"docsredirect/{__version__}"
        kind = "text/plain; version=0.0.4; charset=utf-8" if path == "/-/metrics" else "application/json"
        assert got.header("content-type") == head.header("content-type") == kind


@pytest.mark.parametrize(
    ("method", "path", "code", "allow"),
    [
        ("GET", "/", 404, None),
        ("GET", "/-/", 404, None),
        ("GET", "/-/status/", 404, None),
        ("GET", "/-/metrics%00", 404, None),
        ("GET", "/secret-in-the-path?and=in-the-query", 404, None),
        ("POST", "/nowhere", 404, None),
        ("POST", "/-/status", 405, "GET, HEAD"),
        ("DELETE", "/-/metrics", 405, "GET, HEAD"),
        ("PURGE", "/-/version", 405, "GET, HEAD"),
    ],
)
async def test_anything_else_is_a_problem(tmp_path: Path, method: str, path: str, code: int, allow: str | None) -> None:
    """RFC 9457, with what there is; nothing of the request stands in it."""
    async with connected(tmp_path) as connection:
        response = await connection.get(path, method=method)
    assert (response.status, response.header("allow")) == (code, allow)
    assert response.header("content-type") == "application/problem+json"
    told = json.loads(response.body)
    assert (told["status"], told["type"]) == (code, "about:blank")
    assert b"secret" not in response.body and b"PURGE" not in response.body


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"\x16\x03\x01SECRET\r\n\r\n", 400),
        (b"GET /-/status SECRET\r\n\r\n", 400),
        (b"GET /" + b"S" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET /-/status HTTP/1.1\r\nHost: x\r\nSECRET: " + b"S" * 40_000 + b"\r\n\r\n", 400),
        (b"GET /-/status HTTP/1.1\r\nHost: x\r\nSECRET\x00: 1\r\n\r\n", 400),
    ],
)
async def test_what_is_no_http_is_a_problem_too(
    tmp_path: Path, request_bytes: bytes, status: int, capfd: pytest.CaptureFixture[str]
) -> None:
    """400, or 414, without a byte of it in the answer or in the log."""
    listener = listen(Address("127.0.0.1", 0))
    async with server.running(Ops(tmp_path, mode=EVERYTHING, store=""), listener):
        response = await exchange(listener.getsockname()[1], request_bytes)
    assert response is not None
    assert (response.status, response.header("content-type")) == (status, "application/problem+json")
    assert b"SECRET" not in response.body and b"SSS" not in response.body
    assert "SECRET" not in "".join(capfd.readouterr())


async def test_the_version_is_what_the_command_prints(tmp_path: Path) -> None:
    """The same parts with the same numbers."""
    async with connected(tmp_path) as connection:
        assert json.loads((await connection.get("/-/version")).body) == versions()


def _summary(*states: ProcessState) -> status.Summary:
    return status.summary("1", EVERYTHING, "file:///store", states, 100.0)


def test_the_status_tells_of_the_process_that_is_furthest_behind() -> None:
    """The lowest sequence with its epoch and rows, the longest wait for a poll, and stale as soon as one is."""
    behind = {**HELD, "sequence": 6, "epoch": "fedcba9876543210", "rows": 60}
    slow = {**HELD, "table_age_seconds": 90.0, "last_poll": "2025-12-31T23:58:31Z", "stale": True}
    told = _summary(state(0, **HELD), state(1, **behind), state(2, **slow))
    assert (told.sequence, told.epoch, told.rows) == (6, "fedcba9876543210", 60)
    assert (told.table_age_seconds, told.last_poll, told.stale) == (90.0, "2025-12-31T23:58:31Z", True)
    assert (told.refused_sequence, told.reason) == (None, None)
    assert [process["seat"] for process in told.processes] == [0, 1, 2]
    assert told.processes[0]["reported_seconds_ago"] == 100.0


def test_the_status_tells_what_was_refused() -> None:
    """The highest sequence that a process has refused, and why, beside the one that is applied."""
    refusing = {**HELD, "refused_sequence": 8, "reason": "shards/00 does not have its hash", "refusals": 1}
    told = _summary(state(0, **HELD), state(1, **refusing))
    assert (told.sequence, told.refused_sequence, told.reason) == (7, 8, "shards/00 does not have its hash")


def test_the_status_of_processes_that_follow_nothing_has_no_table() -> None:
    """Nor has it where nobody has begun yet."""
    for states in ([], [state(0, role="control", serves=True, ready=True)], [state(0, follows=True)]):
        told = _summary(*states)
        assert (told.sequence, told.rows, told.last_poll, told.stale) == (None, None, None, False)


def test_the_status_adds_up_what_all_processes_were_asked_for_in_vain() -> None:
    """The names most asked for first, and no more than fifty."""
    many = {f"name-{number}": 2 for number in range(50)}
    told = _summary(state(0, asked={"six": 3, "pip": 4}), state(1, asked={"six": 2, **many}))
    assert list(told.asked.items())[:2] == [("six", 5), ("pip", 4)]
    assert len(told.asked) == 50


async def test_the_status_has_exactly_these_fields(tmp_path: Path) -> None:
    """What monitoring relies on."""
    Board(tmp_path, 0).write(state(reported=time.time(), **HELD))
    async with connected(tmp_path, EDGE_ONLY) as connection:
        told = json.loads((await connection.get("/-/status")).body)
    assert set(told) == {
        "version", "mode", "store", "epoch", "sequence", "refused_sequence", "reason", "table_age_seconds", "rows",
        "last_poll", "stale", "asked", "processes",
    }  # fmt: skip
    assert (told["version"], told["mode"], told["store"]) == (__version__, EDGE_ONLY, "file:///store")
    assert set(told["processes"][0]) == {
        "role", "seat", "pid", "started", "serves", "ready", "follows", "epoch", "sequence", "complete", "rows",
        "refusals", "refused_sequence", "reason", "problem", "stale", "last_poll", "table_age_seconds",
        "reported_seconds_ago",
    }  # fmt: skip
    assert told["processes"][0]["pid"] == os.getpid()


READY, CONTROL = {"ready": True, "serves": True, "reported": 100.0}, {"role": "control"}


@pytest.mark.parametrize(
    ("mode", "fields", "ready"),
    [
        (EVERYTHING, {**READY}, True),
        (EVERYTHING, {**READY, **CONTROL}, False),
        (EDGE_ONLY, {**READY}, True),
        (EDGE_ONLY, {**READY, **CONTROL}, False),
        (ADMIN_ONLY, {**READY, **CONTROL}, True),
        (EVERYTHING, {**READY, "ready": False}, False),
        (ADMIN_ONLY, {**READY, **CONTROL, "ready": False}, False),
        (EVERYTHING, {**READY, "reported": 100.0 - SILENT_SECONDS}, False),
    ],
)
def test_ready_is_who_can_answer_those_that_the_service_is_for(mode: str, fields: dict[str, Any], ready: bool) -> None:
    """Edges answer readers, and with --admin-only the control answers maintainers. Who is silent does not count."""
    assert status.is_ready(mode, [state(**fields)], 100.0) is ready
    assert not status.is_ready(mode, [], 100.0)


async def test_not_ready_is_503_and_live_all_the_same(tmp_path: Path) -> None:
    """A service that waits for its store must not be restarted for it."""
    async with connected(tmp_path) as connection:
        ready, live = await connection.get("/-/health/ready"), await connection.get("/-/health/live")
    assert (ready.status, json.loads(ready.body)) == (503, {"ready": False})
    assert (live.status, json.loads(live.body)) == (200, {"live": True})
