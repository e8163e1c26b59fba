"""Asking over real sockets: what goes over the wire, what is followed, and what a server may not do to us."""

import asyncio
import hashlib
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from docsredirect.asking.bases import parse_bases
from docsredirect.asking.client import MAX_BODY, Limits, asking
from docsredirect.asking.following import follow
from docsredirect.asking.in_order import in_order
from docsredirect.domain.hosts import HostRules
from docsredirect.domain.legacy_urls import parse_url
from docsredirect.domain.outcomes import Outcome, Problem
from tests.support.http import free_port

Answer = Callable[[str], bytes | None]
"""A server: the request target to the bytes of the answer; None: the connection is closed without one."""

QUICK = Limits(seconds=1.0)


class Served:
    """What a server got, request by request."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.requests: list[bytes] = []
        self.times: list[float] = []


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[Served]:
    """Answer each request for itself, then close."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            served.requests.append(head)
            served.times.append(asyncio.get_running_loop().time())
            body = answer(head.split(b" ")[1].decode("latin-1"))
            if body is not None:
                writer.write(body)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    served = Served(server.sockets[0].getsockname()[1])
    try:
        yield served
    finally:
        server.close()


def response(status: int, body: bytes = b"", *headers: str) -> bytes:
    """Return the bytes of an answer."""
    head = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers))
    return head.encode("utf-8") + b"\r\n" + body


def redirect(location: str, status: int = 301) -> bytes:
    """Return the bytes of a redirect."""
    return response(status, b"", f"Location: {location}")


async def ask(port: int, text: str, limits: Limits = QUICK) -> Outcome:
    """Ask a port for a URL and follow what it answers."""
    url = parse_url(text)
    assert url is not None
    async with asking(parse_bases([f"http://127.0.0.1:{port}"]), limits) as asker:
        return (await follow(asker, url, HostRules.of())).outcome


TARGETS = ["/six/x?q=1", "//six//x", "/six?", "/a%2fb%7E%zz?%20+", '/a"<>\\^`{|}[]', "/../six/./x", "/http://x/", "/?"]


@pytest.mark.parametrize("target", TARGETS)
async def test_the_request_target_goes_over_the_wire_as_it_stands_in_the_list(target: str) -> None:
    """Nothing is decoded, quoted, collapsed or dropped; the fragment alone stays at home."""
    async with serving(lambda _: response(404)) as served:
        await ask(served.port, f"http://www.pythonhosted.org{target}#fragment")
    (request,) = served.requests
    line, *headers = request.decode().split("\r\n")
    assert line == f"GET {target} HTTP/1.1"
    assert "Host: www.pythonhosted.org" in headers
    assert "X-Forwarded-Proto: http" in headers
    assert "Accept-Encoding: identity" in headers


LEADS = [
    ("https://s.org/x", Outcome(301, "https://s.org/x")),
    ("http://localhost/x", Outcome(301, "http://localhost/x")),
    ("https://docs.pythonhosted.org/", Outcome(301, "https://docs.pythonhosted.org/")),
    ("//evil.example/", Outcome(301, "//evil.example/", (), Problem.NOWHERE)),
    ("/\\evil.example/", Outcome(301, "/\\evil.example/", (), Problem.NOWHERE)),
    ("\\\\evil.example/", Outcome(301, "\\\\evil.example/", (), Problem.NOWHERE)),
    ("/\t/evil.com", Outcome(301, "/\t/evil.com", (), Problem.NOWHERE)),
    ("https://s.org/\tx", Outcome(301, "https://s.org/\tx", (), Problem.NOWHERE)),
    ("https:\t//evil.com/", Outcome(301, "https:\t//evil.com/", (), Problem.NOWHERE)),
    ("https://[evil/", Outcome(301, "https://[evil/", (), Problem.NOWHERE)),
    ("https://[::evil]/", Outcome(301, "https://[::evil]/", (), Problem.NOWHERE)),
    ("javascript:alert(1)", Outcome(301, "javascript:alert(1)", (), Problem.NOWHERE)),
    ("ftp://s.org/", Outcome(301, "ftp://s.org/", (), Problem.NOWHERE)),
    ("https:///x", Outcome(301, "https:///x", (), Problem.NOWHERE)),
    ("/a", Outcome(301, "/a", (), Problem.LOOP)),
    ("https://pythonhosted.org/a", Outcome(301, "https://pythonhosted.org/a", (), Problem.LOOP)),
]


@pytest.mark.parametrize(("location", "outcome"), LEADS)
async def test_where_a_redirect_leads(location: str, outcome: Outcome) -> None:
    """Elsewhere is the end; what no browser should be led to is a problem of its own."""
    async with serving(lambda _: redirect(location)) as served:
        assert await ask(served.port, "/a") == outcome


async def test_a_redirect_without_a_place_leads_nowhere() -> None:
    """No `Location` at all."""
    async with serving(lambda _: response(302)) as served:
        assert await ask(served.port, "/a") == Outcome(302, None, (), Problem.NOWHERE)


async def test_redirects_from_one_legacy_url_to_the_next_are_followed() -> None:
    """By path alone, relative or with another legacy host: each is asked of the same side with its own `Host`."""
    places = {
        "/six": "/six/",
        "/six/": "x?q",
        "/six/x?q": "http://PACKAGES.python.org:80/six/y",
        "/six/y": "https://s.org/y",
    }
    async with serving(lambda target: redirect(places[target], 302)) as served:
        outcome = await ask(served.port, "/six")
    assert outcome == Outcome(
        302,
        "https://s.org/y",
        (
            "https://pythonhosted.org/six/",
            "https://pythonhosted.org/six/x?q",
            "http://packages.python.org/six/y",
        ),
    )
    assert outcome.hops == 4
    assert [b"Host: packages.python.org\r\n" in request for request in served.requests] == [False, False, False, True]


async def test_a_circle_is_seen_and_a_chain_has_an_end() -> None:
    """What was asked already is not asked again, and after ten hops nothing is."""
    async with serving(lambda target: redirect("/b" if target == "/a" else "/a")) as served:
        outcome = await ask(served.port, "/a")
        assert (outcome.problem, outcome.via, len(served.requests)) == (
            Problem.LOOP,
            ("https://pythonhosted.org/b",),
            2,
        )
    async with serving(lambda target: redirect(target + "x")) as served:
        outcome = await ask(served.port, "/a")
        assert (outcome.problem, len(outcome.via), len(served.requests)) == (Problem.TOO_MANY_HOPS, 10, 11)


async def test_pages_are_told_apart_by_their_first_mebibyte() -> None:
    """Of a page the digest is kept; what is behind the first MiB is not even read."""
    body = b"x" * (3 * MAX_BODY)
    async with serving(lambda _: response(200, body)) as served:
        outcome = await ask(served.port, "/a", Limits(seconds=10.0))
    assert outcome == Outcome(200, None, (), None, hashlib.sha256(body[:MAX_BODY]).hexdigest())
    async with serving(lambda _: response(404, b"y")) as served:
        assert (await ask(served.port, "/a")).digest is None


# The HTTP library itself repeats a request whose connection closes without a byte: then there are four.
BROKEN = [
    (None, 4),
    (b"", 4),
    (b"nonsense\r\n\r\n", 2),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", 2),
    (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", 2),
]


@pytest.mark.parametrize(("answer", "requests"), BROKEN)
async def test_a_broken_answer_is_asked_for_once_more_and_then_told_of(answer: bytes | None, requests: int) -> None:
    """No answer, half of one, or what is no HTTP: asked for again, and then an outcome of its own kind."""
    async with serving(lambda _: answer) as served:
        assert await ask(served.port, "/a") == Outcome(None, None, (), Problem.BROKEN)
    assert len(served.requests) == requests


async def test_what_the_network_fails_once_is_answered() -> None:
    """The second request gets its answer, and nothing is told of the first."""
    answers = iter((None, response(410)))
    async with serving(lambda _: next(answers)) as served:
        assert await ask(served.port, "/a") == Outcome(410)


async def test_who_does_not_listen_cannot_be_reached() -> None:
    """A port that nobody listens on."""
    assert await ask(free_port(), "/a") == Outcome(None, None, (), Problem.UNREACHABLE)


async def test_a_black_hole_takes_as_long_as_it_is_given() -> None:
    """A server that takes the connection and says nothing: two requests in their time."""
    with socket.create_server(("127.0.0.1", 0)) as hole:
        begin = asyncio.get_running_loop().time()
        assert await ask(hole.getsockname()[1], "/a", Limits(seconds=0.3)) == Outcome(None, None, (), Problem.TIMEOUT)
        assert asyncio.get_running_loop().time() - begin < 2


async def test_a_body_that_never_ends_takes_as_long_as_it_is_given() -> None:
    """A page that comes byte by byte is cut by the clock."""

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        try:
            while not writer.is_closing():
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.02)
        except OSError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    outcome = await ask(server.sockets[0].getsockname()[1], "/a", Limits(seconds=0.3))
    server.close()
    assert outcome == Outcome(None, None, (), Problem.TIMEOUT)


async def test_a_rate_is_kept() -> None:
    """Twenty requests a second are no more, however many could be sent."""
    async with (
        serving(lambda _: response(404)) as served,
        asking(parse_bases([f"http://127.0.0.1:{served.port}"]), Limits(rate=20.0)) as asker,
    ):
        url = parse_url("/a")
        assert url is not None
        await asyncio.gather(*(asker.ask(url) for _ in range(7)))
    times = sorted(served.times)
    assert len(times) == 7
    assert times[-1] - times[0] > 6 / 20 - 0.05


async def test_results_come_in_order_and_only_so_many_are_worked_on() -> None:
    """A slow first one holds the results up, and not the work; more than are asked for are never begun."""
    begun: list[int] = []
    at_once = most = 0

    async def work(number: int) -> int:
        nonlocal at_once, most
        begun.append(number)
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.05 if number == 0 else 0.001)
        at_once -= 1
        return number

    found = []
    async for number in in_order(range(200), work, 4):
        found.append(number)
        if number == 100:
            break
    assert found == list(range(101))
    assert most == 4
    assert len(begun) < 101 + 4 * 16 + 1


async def test_an_error_ends_the_work() -> None:
    """What one item raises comes out, and the others are let go."""

    async def work(number: int) -> int:
        await asyncio.sleep(0.001)
        if number == 3:
            raise ValueError("three")
        return number

    results = in_order(range(1_000_000), work, 4)
    assert [await anext(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        await anext(results)
