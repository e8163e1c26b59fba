"""What passes Varnish, and what does not: from readers to edges, and back."""

from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest
import pytest_asyncio

from tests.cdn.stage import ask, corpus, on_stage
from tests.support import varnish
from tests.support.edges import record
from tests.support.http import Connection, exchange
from tests.support.old_docs import Page, Pages
from tests.support.varnish import Varnish, running_varnish

# One Varnish for all that do not change how it is started.
pytestmark = [*varnish.NEEDED, pytest.mark.asyncio(loop_scope="module")]

SECRET = "a-secret-of-the-tests-that-is-long-enough"
LATER = "the-next-secret-of-the-tests-long-enough"
FOR_CACHES = {
    "Surrogate-Control": "max-age=3600, stale-if-error=7200",
    "Surrogate-Key": "project/six docsredirect",
    "Cache-Tag": "project/six,docsredirect",
    "CDN-Cache-Control": "max-age=3600",
    "Age": "1",
    "Via": "1.1 elsewhere",
    "X-Varnish": "1",
    "xkey": "project/other",
    "X-CDN-Secret": SECRET,
}
PAGE = Page(b"", 301, {"Location": "https://six.example.org/", "Cache-Control": "public, max-age=60", **FOR_CACHES})


class Shared(NamedTuple):
    """Varnish with an origin behind it, which has been asked nothing yet and of which nothing is kept."""

    port: int
    cache: Varnish
    origin: Pages


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[Shared]:
    """What the tests of this module share."""
    secret = {"DOCSREDIRECT_CDN_SECRET": SECRET}
    async with Pages().running() as origin, running_varnish([origin.port], environ=secret) as cache:
        yield Shared(cache.port, cache, origin)


@pytest_asyncio.fixture(loop_scope="module")
async def shared(running: Shared) -> Shared:
    """The same as new."""
    running.origin.pages = {"/six/": PAGE}
    running.origin.failing = None
    await running.cache.purge("project/six", "docsredirect", hard=True)
    running.origin.asked.clear()
    return running


async def test_what_is_meant_for_caches_stays_there(shared: Shared) -> None:
    """Neither a miss nor a hit shows it, and Varnish adds nothing of its own but two headers."""
    answers = [await ask(shared.port, "/six/") for _ in range(2)]
    answers += [await ask(shared.port, target) for target in ("/-/x", "/no-such-name")]
    shared.origin.failing = "503"
    answers.append(await ask(shared.port, "/unknown"))
    assert [answer.status for answer in answers] == [301, 301, 404, 404, 503]
    unwanted = {name.lower() for name in FOR_CACHES}
    for answer in answers:
        assert not unwanted & {name for name, _ in answer.headers}
        assert {"x-cache", "cache-status", "date"} <= {name for name, _ in answer.headers}
    assert answers[0].header("location") == "https://six.example.org/"


async def test_readers_are_told_what_the_cache_did(shared: Shared) -> None:
    """X-Cache, and Cache-Status in the form of RFC 9211: a miss, a hit with its lifetime and age, a renewal, a
    stand-in."""
    told = [await ask(shared.port, "/six/"), await ask(shared.port, "/six/")]
    await shared.cache.purge("project/six")
    told.append(await ask(shared.port, "/six/"))
    await shared.cache.purge("project/six")
    shared.origin.failing = "503"
    told.append(await ask(shared.port, "/six/"))
    assert [answer.header("x-cache") for answer in told] == ["MISS", "HIT", "MISS", "HIT"]
    status = [str(answer.header("cache-status")) for answer in told]
    assert status[0] == "docsredirect; fwd=uri-miss"
    assert status[1] in ('docsredirect; hit; ttl=3599; detail="age=0"', 'docsredirect; hit; ttl=3599; detail="age=1"')
    assert status[2] == "docsredirect; fwd=stale"
    assert status[3].startswith("docsredirect; hit; ttl=0; detail=")


async def test_browsers_keep_an_answer_from_the_cache_for_as_long_as_a_new_one(shared: Shared) -> None:
    """Its date is that of the moment: with an old one, and no age beside it, it would be stale on arrival."""
    dated = {**PAGE.headers, "Date": "Mon, 02 Nov 2026 00:00:00 GMT", "Age": "0"}
    shared.origin.pages["/six/"] = PAGE._replace(headers=dated)
    for _ in range(2):
        assert (await ask(shared.port, "/six/")).header("date") != dated["Date"]


METHODS = ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW", "get")


async def test_other_methods_are_refused_at_once(shared: Shared) -> None:
    """By Varnish, with what is allowed; no edge is asked."""
    for method in METHODS:
        for body in ("\r\n", "Content-Length: 3\r\n\r\nabc"):
            answer = await exchange(
                shared.port, f"{method} /six/ HTTP/1.1\r\nHost: pythonhosted.org\r\n{body}".encode()
            )
            assert answer is not None
            told = (answer.status, answer.header("allow"), answer.header("cache-control"))
            assert told == (405, "GET, HEAD", "no-store"), method
    assert shared.origin.asked == []


OURS = [
    "/-", "/-/", "/-/health/live", "/-/health/ready", "//-/health/ready", "/%2D/health/ready", "/%2d/",
    "/-//health/ready", "/-?x", "/-#x", "/-/health/ready?" + "x" * 8_200, "/-/" + "x" * 8_100, "http://pythonhosted.org/-/health/ready",
    "https://pythonhosted.org/-/health/ready", "HTTPS://localhost//-/health/ready", "https://pythonhosted.org/%2D/x",
    "/-/api/v1/projects", "/-/metrics",
]  # fmt: skip


NOT_OURS = ("/x/../-/health/ready", "/-%2Fhealth/ready", "/./-/health/ready", "/%252D/health/ready", "/%2D%2F")


async def test_nothing_below_the_service_s_own_path_is_seen_from_outside() -> None:
    """404 for health, metrics and anything else there, however it is written and for whatever host."""
    async with on_stage(corpus()) as stage:
        for host in ("pythonhosted.org", "localhost", "127.0.0.1", "elsewhere.example.org"):
            for target in OURS:
                answer = await ask(stage.varnish.port, target, host=host)
                assert (answer.status, b"ready" in answer.body, b"live" in answer.body) == (404, False, False), target
        # These are that path for an edge neither: ordinary legacy URLs.
        for target in NOT_OURS:
            assert (await ask(stage.varnish.port, target)).status == 404, target


DROPPED = (
    "Cookie: session=1\r\nAuthorization: Basic YTpi\r\nAccept: text/html\r\nAccept-Encoding: gzip, br\r\n"
    "Accept-Language: de\r\nUser-Agent: test\r\nReferer: https://example.org/\r\nOrigin: https://example.org\r\n"
    "Range: bytes=0-1\r\nIf-None-Match: \"x\"\r\nIf-Modified-Since: Mon, 02 Nov 2026 00:00:00 GMT\r\n"
    "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Proto: https\r\nForwarded: host=evil\r\n"
    "X-Original-URL: /x\r\nX-Rewrite-URL: /x\r\nX-Step: old\r\nX-Tags: project/x\r\nX-Key: x\r\nX-Segment: -\r\n"
    "X-Old-Failed: yes\r\nX-CDN-Secret: mine\r\nCache-Control: no-cache\r\nPragma: no-cache\r\nExpect: 100-continue\r\n"
    "Connection: X-Hop\r\nX-Hop: 1\r\nUpgrade: h2c\r\nVia: 1.1 x\r\n"
)  # fmt: skip


async def test_nothing_of_a_reader_goes_to_an_edge_but_host_and_url(shared: Shared) -> None:
    """No header that could make one reader's answer another's, and no body."""
    for body in ("Content-Length: 4\r\n\r\nabcd", "Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n"):
        for target in ("/six/", "/unknown/"):
            sent = f"GET {target} HTTP/1.1\r\nHost: pythonhosted.org\r\n{DROPPED}{body}"
            assert await exchange(shared.port, sent.encode()) is not None
        await shared.cache.purge("project/six", hard=True)
    assert len(shared.origin.asked) == 4
    for asked in shared.origin.asked:
        assert asked.headers == {"host": "pythonhosted.org", "x-cdn-secret": SECRET}
        assert asked.body == b""


async def test_cookies_and_the_like_get_the_same_answer_from_the_cache(shared: Shared) -> None:
    """A reader who sends them is served like any other, and cannot make the cache ask again."""
    for headers in ("", DROPPED.replace("Expect: 100-continue\r\n", ""), "Cache-Control: no-cache\r\n"):
        assert (await ask(shared.port, "/six/", headers=headers)).status == 301
    assert len(shared.origin.asked) == 1


@pytest.mark.parametrize("secrets", [SECRET, f" {SECRET} , {LATER}"])
async def test_an_edge_is_shown_the_secret(secrets: str) -> None:
    """The first of several, and never what a reader sends."""
    async with Pages().running() as origin:
        async with running_varnish([origin.port], environ={"DOCSREDIRECT_CDN_SECRET": secrets}) as cache:
            await ask(cache.port, "/a", headers="X-CDN-Secret: mine\r\n")
            await ask(cache.port, "/b")
        assert [asked.headers["x-cdn-secret"] for asked in origin.asked] == [SECRET, SECRET]


@pytest.mark.parametrize("secrets", [None, " , "])
async def test_without_a_secret_none_is_shown(secrets: str | None) -> None:
    """Not even one that a reader sends."""
    async with Pages().running() as origin:
        async with running_varnish([origin.port], environ={"DOCSREDIRECT_CDN_SECRET": secrets}) as cache:
            await ask(cache.port, "/a", headers="X-CDN-Secret: mine\r\n")
        assert ["x-cdn-secret" in asked.headers for asked in origin.asked] == [False]


async def test_an_edge_that_wants_the_secret_is_well_and_answers() -> None:
    """With the secret readers get their answers; without it nobody does, and health alone is told."""
    settings = {"DOCSREDIRECT_CDN_SECRET": f"{LATER},{SECRET}"}
    for environ, status in (({"DOCSREDIRECT_CDN_SECRET": SECRET}, 301), ({}, 503)):
        async with on_stage([record()], settings, environ=environ) as stage:
            assert (await ask(stage.varnish.port, "/six/")).status == status


async def test_a_request_without_a_host_is_malformed(shared: Shared) -> None:
    """Varnish does not make one up, which edges would answer for; two are refused."""
    for head in ("GET /six/ HTTP/1.1\r\n", "GET /six/ HTTP/1.0\r\n", "GET /six/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n"):
        answer = await exchange(shared.port, f"{head}\r\n".encode())
        assert answer is not None
        assert answer.status == 400
    assert shared.origin.asked == []


async def test_one_connection_serves_request_after_request(shared: Shared) -> None:
    """GET and HEAD, hits and misses, redirects and refusals."""
    connection = await Connection.open(shared.port)
    for method, target, status in (
        ("GET", "/six/", 301), ("HEAD", "/six/", 301), ("GET", "/unknown", 404), ("HEAD", "/unknown", 404),
        ("POST", "/six/", 405), ("GET", "/-/", 404), ("GET", "/six/", 301),
    ):  # fmt: skip
        assert (await connection.get(target, method=method)).status == status
    await connection.close()
