"""What bytes of every kind get: a clear answer, nothing of the request in it, and nothing logged as an error."""

import asyncio
import html
import re
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from tests.support.edges import connected, publish, record, running_edge
from tests.support.http import Connection, Response, exchange
from tests.support.stores import FakeStore

HOST = b"Host: pythonhosted.org\r\n"
TARGET = "https://six.example.org/docs/"


async def _store() -> FakeStore:
    store = FakeStore()
    await publish(store, [record("six", TARGET), record("old", "https://old.example.org/", state="gone")])
    return store


def _request(line: bytes, *headers: bytes) -> bytes:
    return line + b" HTTP/1.1\r\n" + (b"".join(headers) or HOST) + b"\r\n"


REFUSED = {
    "no Host": (b"GET /six/ HTTP/1.1\r\n\r\n", 400),
    "no Host, HTTP/1.0": (b"GET /six/ HTTP/1.0\r\n\r\n", 400),
    "two Host lines": (_request(b"GET /six/", HOST, HOST), 400),
    "two Host lines, alike": (
        _request(b"GET /six/", b"Host: pythonhosted.org\r\n", b"hOST: pythonhosted.org\r\n"),
        400,
    ),
    "a Host that is none": (_request(b"GET /six/", b"Host: a b\r\n"), 400),
    "a Host with a user": (_request(b"GET /six/", b"Host: x@pythonhosted.org\r\n"), 400),
    "a raw blank": (_request(b"GET /six/a b"), 400),
    "a raw control": (_request(b"GET /six/\x01"), 400),
    "a raw NUL": (_request(b"GET /six/\x00"), 400),
    "a raw DEL": (_request(b"GET /six/\x7f"), 400),
    "a raw tab": (_request(b"GET /six/\t"), 400),
    "raw UTF-8": (_request("GET /six/é".encode()), 400),
    "raw bytes": (_request(b"GET /six/\xff\xfe"), 400),
    "a bare LF": (b"GET /six/ HTTP/1.1\nHost: pythonhosted.org\n\n", 400),
    "a space before the colon": (_request(b"GET /six/", HOST, b"X : y\r\n"), 400),
    "a folded header": (_request(b"GET /six/", HOST, b"X: y\r\n z\r\n"), 400),
    "a NUL in a header": (_request(b"GET /six/", HOST, b"X: \x00\r\n"), 400),
    "no slash in front": (_request(b"GET six/"), 400),
    "nothing but a query": (_request(b"GET ?x"), 400),
    "an asterisk": (_request(b"GET *"), 400),
    "another scheme": (_request(b"GET ftp://pythonhosted.org/six/"), 400),
    "a port that is none": (_request(b"GET /six/", b"Host: pythonhosted.org:99999\r\n"), 400),
    "a malformed authority": (_request(b"GET http://[::1/six/"), 400),
    "no authority": (_request(b"GET http:///six/"), 400),
    "a user in the authority": (_request(b"GET http://x@pythonhosted.org/six/"), 400),
    "a method nobody knows": (_request(b"SPAM /six/"), 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "a body on GET": (_request(b"GET /six/", HOST, b"Content-Length: 5\r\n") + b"hello", 400),
    "a chunked body on GET": (_request(b"GET /six/", HOST, b"Transfer-Encoding: chunked\r\n") + b"0\r\n\r\n", 400),
    "a body on HEAD": (_request(b"HEAD /six/", HOST, b"Content-Length: 5\r\n") + b"hello", 400),
    "both lengths": (
        _request(b"GET /six/", HOST, b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") + b"0\r\n\r\n",
        400,
    ),
    "a header of 20 KB": (_request(b"GET /six/", HOST, b"X: " + b"y" * 20_000 + b"\r\n"), 400),
    "200 headers": (_request(b"GET /six/", HOST, *(b"X%d: y\r\n" % n for n in range(200))), 400),
    "9 KiB of path": (_request(b"GET /six/" + b"a" * 9_216), 414),
    "8 KiB of path and query": (_request(b"GET /six/" + b"a" * 4_096 + b"?" + b"b" * 4_096), 414),
    "40 KB of path": (_request(b"GET /six/" + b"a" * 40_000), 414),
    "too long, for a host that is not ours": (_request(b"GET /six/" + b"a" * 9_216, b"Host: example.org\r\n"), 414),
    "too long, and malformed": (b"GET /six/" + b"a" * 9_216 + b" HTTP/1.1\r\n\r\n", 400),
    "a Location over 8,000 bytes": (_request(b"GET /six/" + b"a" * 7_990), 414),
    "another host": (_request(b"GET /six/", b"Host: example.org\r\n"), 421),
    "an empty host": (_request(b"GET /six/", b"Host:\r\n"), 421),
    "a host below one of ours": (_request(b"GET /six/", b"Host: x.pythonhosted.org\r\n"), 421),
    "another host in the request line": (_request(b"GET http://example.org/six/"), 421),
    "POST to another host": (_request(b"POST /six/", b"Host: example.org\r\n"), 421),
    "POST": (_request(b"POST /six/"), 405),
    "POST with a body": (_request(b"POST /six/", HOST, b"Content-Length: 5\r\n") + b"hello", 405),
    "PUT": (_request(b"PUT /six/"), 405),
    "DELETE": (_request(b"DELETE /six/"), 405),
    "OPTIONS": (_request(b"OPTIONS /six/"), 405),
    "OPTIONS *": (_request(b"OPTIONS *"), 405),
    "TRACE": (_request(b"TRACE /six/"), 405),
    "CONNECT": (_request(b"CONNECT example.org:443"), 405),
    "POST to a page of ours": (_request(b"POST /robots.txt"), 405),
}


@pytest.mark.parametrize(("data", "status"), REFUSED.values(), ids=REFUSED.keys())
async def test_a_request_that_is_refused_gets_a_clear_error(data: bytes, status: int) -> None:
    """The status says why, nothing may keep the answer, it repeats nothing and nothing is logged as an error."""
    with capture_logs() as logs:
        async with running_edge(await _store()) as port:
            response = await exchange(port, data)
    assert response is not None
    assert response.status == status
    assert response.header("cache-control") == "no-store"
    assert response.header("location") is None
    assert response.header("allow") == ("GET, HEAD" if status == 405 else None)
    assert b"six" not in response.body
    assert [log for log in logs if log["log_level"] in ("error", "critical")] == []


ANSWERED = {
    "no slash": (b"GET /six", TARGET),
    "slashes before the name": (b"GET ///six//x", TARGET + "x"),
    "a host that looks like the path": (b"GET //evil.example/six", None),
    "an escaped slash in front": (b"GET /%2Fevil.example/six", None),
    "a backslash in front": (b"GET /\\evil.example/six", None),
    "an at sign": (b"GET /six/@evil.example", TARGET + "@evil.example"),
    "a fragment": (b"GET /six/x#y", TARGET + "x"),
    "escaped controls in the path": (b"GET /six/%0d%0aSet-Cookie:x", None),
    "escaped controls in the query": (b"GET /six/?%0d%0aSet-Cookie:x", TARGET + "?%0D%0ASet-Cookie:x"),
    "dot segments": (b"GET /six/../x", None),
    "markup": (b"GET /six/<script>", TARGET + "%3Cscript%3E"),
    "absolute form": (b"GET http://packages.python.org:80/six/x", TARGET + "x"),
    "absolute form, https": (b"GET HTTPS://PYTHONHOSTED.ORG/six/x?y", TARGET + "x?y"),
}


@pytest.mark.parametrize(("line", "location"), ANSWERED.values(), ids=ANSWERED.keys())
async def test_a_hostile_path_leads_to_the_record_s_host_or_nowhere(line: bytes, location: str | None) -> None:
    """Tricks with slashes, escapes and hosts get the record's own target or 404."""
    async with running_edge(await _store()) as port:
        response = await exchange(port, _request(line))
    assert response is not None
    assert response.status == (404 if location is None else 301)
    assert response.header("location") == location


_OURS = [
    "PythonHosted.org",
    "pythonhosted.org:8080",
    "pythonhosted.org.",
    "www.pythonhosted.org",
    "packages.python.org",
]
_LOOPBACK = ["localhost:1", "127.0.0.1", "[::1]:8080", "docs.localhost"]


@pytest.mark.parametrize("host", _OURS + _LOOPBACK)
async def test_a_host_is_ours_in_any_case_with_any_port_and_one_dot(host: str) -> None:
    """Legacy hosts and loopback names are served without a setting."""
    async with connected(await _store()) as connection:
        assert (await connection.get("/six/", host=host)).status == 301


async def test_more_hosts_and_any_host_are_a_setting() -> None:
    """DOCSREDIRECT_HOSTS adds hosts; * answers for any."""
    store = await _store()
    async with connected(store, {"DOCSREDIRECT_HOSTS": "docs.example.org"}) as connection:
        assert (await connection.get("/six/", host="docs.example.org")).status == 301
        assert (await connection.get("/six/", host="example.org")).status == 421
    async with connected(store, {"DOCSREDIRECT_HOSTS": "*"}) as connection:
        assert (await connection.get("/six/", host="anything.example")).status == 301


async def test_an_authority_in_the_request_line_beats_the_host_header() -> None:
    """RFC 9112, section 3.2.2."""
    async with connected(await _store()) as connection:
        response = await connection.get("http://pythonhosted.org/six/", host="example.org")
        assert response.status == 301


async def test_pipelined_requests_are_answered_in_order() -> None:
    """Several requests in one segment get their answers one after the other, on a connection that stays open."""
    async with connected(await _store()) as connection:
        connection.send(b"".join(_request(b"GET /six/%d" % n) for n in range(20)))
        for n in range(20):
            response = await connection.receive()
            assert response is not None
            assert response.header("location") == f"{TARGET}{n}"
        assert (await connection.get("/six/")).status == 301


async def test_a_request_in_pieces_is_answered_like_a_whole_one() -> None:
    """A request that arrives byte by byte gets the same answer."""
    async with connected(await _store()) as connection:
        for byte in _request(b"GET /six/x?y"):
            connection.send(bytes((byte,)))
        response = await connection.receive()
        assert response is not None
        assert response.header("location") == TARGET + "x?y"


async def test_the_connection_closes_after_a_malformed_request() -> None:
    """What follows a request that could not be read is not taken for another request."""
    async with connected(await _store()) as connection:
        connection.send(b"GET /six/\x00 HTTP/1.1\r\n" + HOST + b"\r\n" + _request(b"GET /six/"))
        response = await connection.receive()
        assert response is not None
        assert response.status == 400
        assert await connection.is_closed()


async def test_an_idle_connection_and_half_a_request_are_closed_in_time() -> None:
    """Who sends nothing, or never finishes a request, is let go after DOCSREDIRECT_KEEP_ALIVE_SECONDS."""
    async with running_edge(await _store(), {"DOCSREDIRECT_KEEP_ALIVE_SECONDS": "1"}) as port:
        idle, half = await Connection.open(port), await Connection.open(port)
        half.send(b"GET /six/ HTTP/1.1\r\nHost: pythonho")
        for connection in (idle, half):
            assert await connection.is_closed()
            await connection.close()


_PIECES = st.sampled_from(
    [b"/", b"//", b"six", b"SIX", b"%2e", b"..", b".", b"%2F", b"%5c", b"\\", b"@", b":", b"?", b"#", b"evil.example",
     b"http:", b"%0d%0a", b"\r\n", b"\n", b"\x00", b" ", b"\xc3\xa9", b"%00", b"%", b"%zz", b"<b>", b'"', b"'", b";",
     b"*", b"index.html", b"a" * 3_000, b"old", b"-", b"packages", b"robots.txt"]
)  # fmt: skip


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(_PIECES | st.binary(max_size=6), max_size=10))
async def test_no_bytes_at_all_get_a_5xx_or_a_redirect_elsewhere(pieces: list[bytes]) -> None:
    """Whatever stands in the request line: a 2xx, 3xx or 4xx, no header of the sender's, no host but the record's."""
    with capture_logs() as logs:
        async with running_edge(await _store()) as port:
            response = await exchange(port, _request(b"GET /" + b"".join(pieces)))
    assert response is not None
    assert response.status in (200, 301, 400, 404, 405, 410, 414, 421)
    location = response.header("location")
    assert (location is not None) == (response.status == 301)
    if location is not None:
        assert location.startswith(TARGET)
        assert urlsplit(location).netloc == "six.example.org"
        assert re.fullmatch(r"[!-~]+", location)
    assert response.header("set-cookie") is None
    assert b"<b>" not in response.body
    assert [log for log in logs if log["log_level"] == "error"] == []


def _escaped(response: Response, text: str) -> bool:
    return html.escape(text, quote=True).encode() in response.body.replace(b"&#34;", b"&quot;").replace(
        b"&#39;", b"&#x27;"
    )


@pytest.mark.parametrize("status", [404, 410])
async def test_request_text_in_a_page_is_escaped(status: int) -> None:
    """A page shows what was asked for as text, never as markup."""
    hostile = "/old/'\"><script>alert(1)</script>" if status == 410 else "/nothing/'\"><script>alert(1)</script>"
    async with connected(await _store()) as connection:
        response = await connection.get(hostile)
    assert response.status == status
    assert b"<script" not in response.body
    assert _escaped(response, hostile)


async def test_a_client_that_has_said_all_still_gets_its_answer() -> None:
    """Closing the sending side after a whole request does not lose the answer, and the connection ends after it."""
    async with connected(await _store()) as connection:
        connection.send(_request(b"GET /six/x"))
        connection.finish()
        response = await connection.receive()
        assert response is not None
        assert response.header("location") == TARGET + "x"
        assert await connection.is_closed()


async def test_a_client_that_does_not_read_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that nobody reads does not stay in memory for ever."""
    monkeypatch.setattr("docsredirect.wire.connections.WRITE_SECONDS", 0.2)
    async with connected(await _store()) as connection:
        connection.send(_request(b"GET /") * 20_000)
        await asyncio.sleep(1)
        answers = 0
        while await connection.receive() is not None:
            answers += 1
        assert 0 < answers < 20_000


async def test_a_version_that_is_not_http_1_is_refused() -> None:
    """HTTP/2.0 in clear text, without its preface, is no request that can be answered."""
    async with running_edge(await _store()) as port:
        response = await exchange(port, b"GET /six/ HTTP/2.0\r\n" + HOST + b"\r\n")
    assert response is None or response.status == 400
