"""Projects without a redirect keep their old pages: what the cache makes of a 404 of the edges."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Literal, NamedTuple

import pytest

from tests.cdn.stage import Stage, ask, on_stage, where
from tests.support import varnish
from tests.support.edges import record
from tests.support.old_docs import Page, Pages
from tests.support.varnish import Varnish, running_varnish

pytestmark = varnish.NEEDED

BODY = b"<title>old documentation</title>" + b"x" * 2_000
HTML = {
    "Content-Type": "text/html", "ETag": '"1"', "Last-Modified": "Mon, 02 Jan 2017 00:00:00 GMT",
    "Cache-Control": "max-age=86400", "Set-Cookie": "a=b", "Strict-Transport-Security": "max-age=9", "Expires": "0",
    "Surrogate-Key": "theirs", "Surrogate-Control": "max-age=9", "xkey": "theirs", "Vary": "User-Agent", "Pragma": "x",
}  # fmt: skip
OLD_PAGES = {
    "/legacy/": Page(BODY, 200, HTML),
    "/Legacy/a%2Fb?q=%41&b": Page(b"raw", 200, HTML),
    "/legacy": Page(b"", 301, {"Location": "/legacy/"}),
    "/legacy/moved": Page(b"", 302, {"Location": "http://elsewhere.example.org/"}),
    "//evil.example": Page(b"", 301, {"Location": "//evil.example/"}),
    "/evil": Page(b"", 302, {"Location": "/\\evil.example/"}),
    "/legacy/403": Page(b"AccessDenied", 403),
    "/legacy/500": Page(b"broken", 500),
    "/six/": Page(b"old six", 200, HTML),
    "/gone/": Page(b"old gone", 200, HTML),
    "/packages/x": Page(b"a file", 200, HTML),
    "/_illegal/": Page(b"illegal", 200, HTML),
    "/legacy/%2e%2e/secret": Page(b"outside", 200, HTML),
    "/favicon.ico": Page(b"icon", 200, HTML),
}
RECORDS = [record(), record("gone", state="gone"), record("ruled", rules={"withdrawn": None})]
OURS_KEPT = "public, max-age=60"
OUR_404 = b"No documentation is known at this address"


Failing = Literal["503", "reset"] | None


class Scene(NamedTuple):
    """Varnish with edges and the server of old pages behind it."""

    cache: Varnish
    stage: Stage
    old: Pages


@asynccontextmanager
async def _scene(settings: dict[str, str] | None = None, **options: object) -> AsyncIterator[Scene]:
    async with Pages(OLD_PAGES).running() as old, on_stage(RECORDS, settings, old_docs=old.port, **options) as stage:
        yield Scene(stage.varnish, stage, old)


async def test_a_page_without_a_redirect_is_the_old_one() -> None:
    """Asked for raw as it came, kept, and told to browsers for a minute; with none of what concerns the old host."""
    async with _scene(environ={"DOCSREDIRECT_CDN_SECRET": "a-secret-of-the-tests-that-is-long-enough"}) as scene:
        for expected in ("MISS", "HIT"):
            page = await ask(scene.cache.port, "/legacy/", headers="Cookie: x=y\r\nX-CDN-Secret: mine\r\n")
            assert (page.status, page.body, page.header("x-cache")) == (200, BODY, expected)
            assert page.header("cache-control") == "public, max-age=60"
            assert {name for name, _ in page.headers} <= {
                "content-type", "etag", "last-modified", "cache-control", "content-length", "server", "date", "x-cache",
                "cache-status", "accept-ranges", "connection",
            }  # fmt: skip
        assert (await ask(scene.cache.port, "/Legacy/a%2Fb?q=%41&b")).body == b"raw"
        assert scene.old.targets() == ["/legacy/", "/Legacy/a%2Fb?q=%41&b"]
        assert all(asked.headers == {"host": "127.0.0.1"} for asked in scene.old.asked)


async def test_an_old_page_is_found_by_the_keys_of_its_project_and_of_everything() -> None:
    """Not by those that its own server gives it."""
    async with _scene() as scene:
        for key, again in (("theirs", False), ("project/six", False), ("project/legacy", True), ("docsredirect", True)):
            await ask(scene.cache.port, "/legacy/")
            scene.old.asked.clear()
            await scene.cache.purge(key, hard=True)
            await ask(scene.cache.port, "/legacy/")
            assert bool(scene.old.asked) == again, key


async def test_redirects_of_the_old_pages_pass_unless_they_are_made_from_the_request() -> None:
    """A Location that leads to another host without naming a scheme is one."""
    async with _scene() as scene:
        assert where(await ask(scene.cache.port, "/legacy")) == (301, "/legacy/")
        assert where(await ask(scene.cache.port, "/legacy/moved")) == (302, "http://elsewhere.example.org/")
        for target in ("//evil.example", "/evil"):
            answer = await ask(scene.cache.port, target)
            assert (where(answer), OUR_404 in answer.body) == ((404, None), True), target


OURS = {
    "/six/": 301, "/gone/": 410, "/ruled/withdrawn": 410, "/packages/x": 404, "/_illegal/": 404, "/favicon.ico": 404,
    "/legacy/%2e%2e/secret": 404, "/legacy/../secret": 404, "/legacy/a%00": 404, "/legacy/..%2Fsecret": 404,
    "/%2F": 404, "/legacy/x%0d%0aa": 404, "/legacy/?" + "q" * 8_190: 414, "/": 200, "/robots.txt": 200,
    "/legacy/#x": 404,
}  # fmt: skip


async def test_old_pages_are_asked_for_only_where_a_name_was_looked_up_and_not_found() -> None:
    """Not for what redirects, was withdrawn, is no name, has dot segments or controls, or is the service's own."""
    async with _scene() as scene:
        for target, status in OURS.items():
            assert (await ask(scene.cache.port, target)).status == status, target
        assert scene.old.asked == []


async def test_where_there_is_no_old_page_the_404_is_ours() -> None:
    """With our lifetime; with none where the old server failed, since there may be a page. It is asked once."""
    targets = {"/legacy/none": OURS_KEPT, "/legacy/403": OURS_KEPT, "/legacy/500": "no-store"}
    async with _scene() as scene:
        for _ in range(3):
            for target, keep in targets.items():
                answer = await ask(scene.cache.port, target)
                assert (answer.status, answer.header("cache-control")) == (404, keep), target
                assert OUR_404 in answer.body
        assert scene.old.targets() == list(targets)


async def test_without_a_server_of_old_pages_the_404_is_ours() -> None:
    """`backend old_docs none;`: nothing is restarted, and a second one is a hit."""
    async with on_stage(RECORDS, parameters={"max_restarts": "0"}) as stage:
        answers = [await ask(stage.varnish.port, "/legacy/") for _ in range(2)]
    assert [(answer.status, answer.header("x-cache")) for answer in answers] == [(404, "MISS"), (404, "HIT")]


@pytest.mark.parametrize("state", [{}, {"state": "gone"}])
async def test_a_first_redirect_over_a_kept_old_page_is_seen_at_once(state: dict[str, str]) -> None:
    """One soft purge of the project reaches our 404 and the old page; and both are back when it is removed."""
    async with _scene() as scene:
        for _ in range(2):
            assert (await ask(scene.cache.port, "/legacy/")).body == BODY
        await scene.stage.publish(record("Legacy", **state))
        await scene.cache.purge("project/legacy")
        assert (await ask(scene.cache.port, "/legacy/")).status == (410 if state else 301)
        scene.old.pages["/legacy/"] = Page(b"renewed")
        await scene.stage.remove("legacy")
        await scene.cache.purge("project/legacy")
        assert (await ask(scene.cache.port, "/legacy/")).status == 200


async def test_an_old_page_of_a_denied_project_is_not_shown(tmp_path: Path) -> None:
    """410 from the edges never falls back, whoever says so."""
    denied = tmp_path / "denied"
    denied.write_text("legacy\n", encoding="utf-8")
    async with _scene({"DOCSREDIRECT_DENY_FILE": str(denied)}) as scene:
        assert [(await ask(scene.cache.port, "/legacy/")).status for _ in range(2)] == [410, 410]
        assert scene.old.asked == []


async def test_an_unknown_table_never_falls_back() -> None:
    """503 of the edges says nothing of whether there is a redirect."""
    async with Pages(missing=Page(b"", 503)).running() as edge, Pages(OLD_PAGES).running() as old:
        async with running_varnish([edge.port], old_docs=old.port) as cache:
            assert (await ask(cache.port, "/legacy/")).status == 503
            edge.pages["/legacy/"] = Page(b"", 404, {"Cache-Control": "no-store"})
            assert (await ask(cache.port, "/legacy/")).status == 404
        assert old.asked == []


OUTAGES: list[tuple[Failing, Failing]] = [
    (None, "503"), (None, "reset"), ("reset", None), ("reset", "503"), ("reset", "reset"), ("503", "reset"),
]  # fmt: skip


async def test_a_kept_old_page_outlives_its_server() -> None:
    """Purged softly, with the edges failing, or the server of old pages, or both, what is kept is given; the chain of
    restarts ends within Varnish's own limit of four."""
    absent = Page(OUR_404, 404, {
        "Surrogate-Control": "max-age=3600, stale-if-error=7200", "Surrogate-Key": "project/legacy docsredirect",
        "Cache-Control": OURS_KEPT,
    })  # fmt: skip
    async with AsyncExitStack() as stack:
        edge = await stack.enter_async_context(Pages(missing=absent).running())
        old = await stack.enter_async_context(Pages(OLD_PAGES).running())
        cache = await stack.enter_async_context(running_varnish([edge.port], old_docs=old.port))
        for outage in OUTAGES:
            edge.failing = old.failing = None
            await cache.purge("project/legacy", hard=True)
            for target in ("/legacy/", "/legacy/none"):
                await ask(cache.port, target)
            edge.failing, old.failing = outage
            await cache.purge("project/legacy")
            answers = [await ask(cache.port, target) for target in ("/legacy/", "/legacy/none", "/legacy/")]
            assert [answer.status for answer in answers] == [200, 404, 200], outage
            assert OUR_404 in answers[1].body


async def test_a_server_of_old_pages_that_does_not_answer_is_not_waited_for_again() -> None:
    """The first reader waits up to 5 s, then nobody for 10 s."""
    async with _scene() as scene:
        scene.old.failing = "reset"
        for target in ("/legacy/", "/legacy/", "/legacy/"):
            answer = await ask(scene.cache.port, target)
            assert (answer.status, answer.header("cache-control")) == (404, "no-store")
        assert len(scene.old.asked) == 1


async def test_parts_and_renewals_of_an_old_page_can_be_asked_for() -> None:
    """Range gives a part, If-None-Match and If-Modified-Since 304, HEAD the length: from a miss as from a hit."""
    asked = {
        "Range: bytes=10-19\r\n": (206, BODY[10:20]),
        "Range: bytes=-5\r\n": (206, BODY[-5:]),
        'If-None-Match: "1"\r\n': (304, b""),
        "If-Modified-Since: Mon, 02 Jan 2017 00:00:00 GMT\r\n": (304, b""),
        "Accept-Encoding: gzip\r\n": (200, BODY),
    }
    async with _scene() as scene:
        for headers, expected in asked.items():
            for _ in range(2):
                answer = await ask(scene.cache.port, "/legacy/", headers=headers)
                assert (answer.status, answer.body) == expected, headers
            await scene.cache.purge("project/legacy", hard=True)
        for _ in range(2):
            head = await ask(scene.cache.port, "/legacy/", method="HEAD")
            assert (head.status, head.header("content-length"), head.body) == (200, str(len(BODY)), b"")
        assert all("range" not in sent.headers and sent.method == "GET" for sent in scene.old.asked)


async def test_a_crowd_for_a_cold_old_page_asks_once() -> None:
    """Each server once, however many readers come together."""
    async with _scene() as scene:
        scene.old.delay = 0.2
        begun = time.monotonic()
        answers = await asyncio.gather(*(ask(scene.cache.port, "/legacy/") for _ in range(50)))
        assert {answer.body for answer in answers} == {BODY}
        assert scene.old.targets() == ["/legacy/"]
        assert time.monotonic() - begun < 1.5
