"""What the edge logs of its answers: only those that are not plain, few, and without a byte of the request."""

from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from docsredirect.edge import answers
from tests.support.edges import publish, record, running_edge
from tests.support.http import exchange
from tests.support.stores import FakeStore

OURS = b"Host: pythonhosted.org\r\n\r\n"


@pytest.fixture
def told() -> Iterator[list[Any]]:
    """Give what is logged."""
    with capture_logs() as lines:
        yield lines


async def _asked(*requests: bytes, **environ: str) -> list[int | None]:
    store = FakeStore()
    await publish(store, [record("six"), record("gone", state="gone")])
    found = []
    async with running_edge(store, environ) as port:
        for request in requests:
            response = await exchange(port, request)
            found.append(response and response.status)
    return found


@pytest.mark.parametrize(
    ("request_bytes", "line"),
    [
        (b"GET /six/ HTTP/1.1\r\n" + OURS, None),
        (b"HEAD /six/ HTTP/1.1\r\n" + OURS, None),
        (b"GET /gone/ HTTP/1.1\r\n" + OURS, None),
        (b"GET /nothing/ HTTP/1.1\r\n" + OURS, None),
        (b"GET / HTTP/1.1\r\n" + OURS, None),
        (b"POST /SECRET HTTP/1.1\r\n" + OURS, {"status": 405, "method": "POST", "host": "pythonhosted.org"}),
        (b"PROPFIND /six/ HTTP/1.1\r\n" + OURS, {"status": 405, "host": "pythonhosted.org"}),
        (b"SECRET /six/ HTTP/1.1\r\n" + OURS, {"status": 400}),
        (b"GET /SECRET?SECRET HTTP/1.1\r\nHost: SECRET.example.org\r\n\r\n", {"status": 421, "method": "GET"}),
        (
            b"GET /" + b"S" * 9_000 + b" HTTP/1.1\r\n" + OURS,
            {"status": 414, "method": "GET", "host": "pythonhosted.org"},
        ),
        (b"GET /SECRET HTTP/1.1\r\n\r\n", {"status": 400}),
        (b"SECRET\x00\r\n\r\n", {"status": 400}),
        (b"GET /SECRET\xff HTTP/1.1\r\n" + OURS, {"status": 400}),
    ],
)
async def test_only_what_is_not_a_plain_answer_is_told(
    told: list[Any], request_bytes: bytes, line: dict[str, Any] | None
) -> None:
    """The status, a method that is known, a host that is ours and the seconds: nothing else of the request."""
    await _asked(request_bytes)
    found = [each for each in told if each["event"] == "answer"]
    assert "SECRET" not in str(told)
    if line is None:
        assert found == []
        return
    (only,) = found
    assert 0 <= only.pop("seconds") < 5
    assert only == {"event": "answer", "log_level": "info", **line}


async def test_an_answer_that_cannot_be_known_is_told_with_its_seconds(told: list[Any]) -> None:
    """503 takes as long as the store was waited for."""
    store = FakeStore()
    store.failing = ""
    async with running_edge(store, wait=False) as port:
        response = await exchange(port, b"GET /six/ HTTP/1.1\r\n" + OURS)
    assert response is not None and response.status == 503
    assert [each["status"] for each in told if each["event"] == "answer"] == [503]


async def test_at_debug_level_every_answer_is_told(told: list[Any]) -> None:
    """Also the plain ones, at debug level, and without a limit."""
    asked = await _asked(*[b"GET /six/ HTTP/1.1\r\n" + OURS] * 15, DOCSREDIRECT_LOG_LEVEL="debug")
    found = [(each["status"], each["log_level"]) for each in told if each["event"] == "answer"]
    assert asked == [301] * 15
    assert [each for each in found if each[0] == 301] == [(301, "debug")] * 15


async def test_a_flood_is_told_of_in_few_lines(told: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten lines a second, and afterwards how many there would have been."""
    clock = [100.0]
    monkeypatch.setattr(answers.Answers.__init__, "__kwdefaults__", {"every": False, "clock": lambda: clock[0]})
    store = FakeStore()
    async with running_edge(store) as port:
        for _ in range(25):
            await exchange(port, b"POST / HTTP/1.1\r\n" + OURS)
        assert len([each for each in told if each["event"] == "answer"]) == answers.LINES_A_SECOND
        clock[0] += 1.0
        await exchange(port, b"POST / HTTP/1.1\r\n" + OURS)
    events = [each for each in told if each["event"].startswith("answer")]
    assert [each["event"] for each in events[10:]] == ["answers not told of", "answer"]
    assert events[10]["count"] == 15


async def test_a_plain_answer_is_only_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is looked at for a line that will not be written."""

    def told(*_: object) -> None:
        raise AssertionError("it was told of")

    monkeypatch.setattr(answers.Answers, "_tell", told)
    assert await _asked(*[b"GET /six/ HTTP/1.1\r\n" + OURS] * 3, b"GET /x/ HTTP/1.1\r\n" + OURS) == [301] * 3 + [404]
