"""Reading what is sent: a body that stands still, and one that is full of what nobody asked for."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from docsredirect.admin import reading
from docsredirect.admin.errors import BodyTooSlow, InvalidBody
from docsredirect.domain.faults import MAX_FAULTS

HEAD = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n"


class Reader:
    """A server that reads one body, and what came of it: bytes, or why not."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.outcome: asyncio.Future[bytes | str] = asyncio.get_running_loop().create_future()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Read the body."""
        assert isinstance(request, web.Request)
        try:
            self.outcome.set_result(await reading.read_body(request, 1_000, self.seconds))
        except BodyTooSlow as error:
            self.outcome.set_result(str(error))
        return web.Response()


@asynccontextmanager
async def sending(seconds: float) -> AsyncIterator[tuple[Reader, asyncio.StreamWriter]]:
    """Run a reader that gives a body so many seconds, and send it a head."""
    reader, application = Reader(seconds), web.Application()
    application.router.add_post("/", reader.handle)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    _, writer = await asyncio.open_connection(*runner.addresses[0])
    writer.write(HEAD)
    try:
        yield reader, writer
    finally:
        writer.close()
        await runner.cleanup()


@pytest.mark.parametrize("first", [b"", b"12345"], ids=["nothing came", "half came"])
async def test_a_body_that_stands_still_is_given_up(first: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long before its time is over: an import that was cut off must not keep the turn of the others."""
    monkeypatch.setattr(reading, "STALL_SECONDS", 0.2)
    async with sending(60.0) as (reader, writer), asyncio.timeout(10):
        writer.write(first)
        assert await reader.outcome == "No byte of the body came for 0.2 seconds."


async def test_a_body_that_comes_slowly_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as it goes on, it may take longer than it may stand still."""
    monkeypatch.setattr(reading, "STALL_SECONDS", 1.0)
    begin = time.monotonic()
    async with sending(60.0) as (reader, writer), asyncio.timeout(20):
        for number in range(10):
            writer.write(b"%d" % number)
            await asyncio.sleep(0.2)
        assert await reader.outcome == b"0123456789"
        assert time.monotonic() - begin > 1.5


async def test_a_body_that_goes_on_and_on_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole has its own time, whatever comes."""
    monkeypatch.setattr(reading, "STALL_SECONDS", 1.0)
    async with sending(0.5) as (reader, writer), asyncio.timeout(10):
        for number in range(6):
            writer.write(b"%d" % number)
            await asyncio.sleep(0.1)
        assert await reader.outcome == "The body did not come within 0.5 seconds."


async def test_ten_seconds_are_what_a_body_may_stand_still() -> None:
    """Less than it may take, and more than a network needs to try again."""
    assert reading.STALL_SECONDS == 10.0 < reading.BODY_SECONDS < reading.IMPORT_SECONDS


def test_a_body_full_of_unknown_fields_is_refused_with_the_first() -> None:
    """A hundred of them, how many more there are, and what is missing."""
    fields = reading.Fields({f"x{number}": 1 for number in range(50_000)}, ("name",))
    fields.need("name", reading.text("name"))
    with pytest.raises(InvalidBody) as caught:
        fields.check()
    faults = caught.value.faults
    assert [fault.code for fault in faults] == [*["unknown-field"] * MAX_FAULTS, "more-faults", "missing"]
    assert "49900 more" in faults[MAX_FAULTS].detail
