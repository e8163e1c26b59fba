"""The edges fail: what is kept stands in, and readers of known links notice nothing."""

import asyncio
import random
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Literal

from tests.cdn.spellings import respelled
from tests.cdn.stage import Reader, ask, corpus, store_of, where
from tests.support import varnish
from tests.support.edges import record, rows_of, running_edge
from tests.support.faultproxy import FaultProxy
from tests.support.http import Response, free_port
from tests.support.old_docs import Page, Pages
from tests.support.varnish import running_varnish

pytestmark = varnish.NEEDED

Failing = Literal["503", "reset"]
UNKNOWN = (503, "no-store", "30")
LOCATION = "https://six.example.org/"
TAGS = {"Surrogate-Key": "project/six docsredirect"}
REDIRECT = {"Location": LOCATION, "Cache-Control": "public, max-age=3600", **TAGS}
KEPT = Page(b"", 301, {"Surrogate-Control": "max-age=3600, stale-if-error=7200", **REDIRECT})
SHORT = Page(b"", 301, {"Surrogate-Control": "max-age=1, stale-if-error=7200", **REDIRECT})
BRIEF = Page(b"", 301, {"Surrogate-Control": "max-age=1, stale-if-error=1", **REDIRECT})
DURING = 2.0
"""Seconds of outage with a lifetime of one: in the same proportion as ten minutes to the 300 s of an unpurged CDN."""


async def test_no_known_link_fails_while_the_origin_is_down() -> None:
    """All edges gone for two lifetimes: every real URL, in random spellings, gets its answer all the time; half of
    the projects have been purged softly besides."""
    rows, dice, asked, wrong = rows_of("urls.jsonl"), random.Random(3), 0, []
    lifetimes = {"DOCSREDIRECT_CDN_MAX_AGE": "1", "DOCSREDIRECT_CDN_ABSENT_MAX_AGE": "1"}
    async with AsyncExitStack() as until_the_end, AsyncExitStack() as until_the_outage:
        edge = await until_the_outage.enter_async_context(running_edge(await store_of(corpus()), lifetimes))
        cache = await until_the_end.enter_async_context(running_varnish([edge]))
        reader = Reader(cache.port)
        for row in rows:
            await reader.get(respelled(row["url"], dice))
        await until_the_outage.aclose()
        await cache.purge(*(f"project/{each.name}" for each in corpus()[::2]))
        begun = time.monotonic()
        while time.monotonic() - begun < DURING:
            row = dice.choice(rows)
            response = await reader.get(respelled(row["url"], dice))
            asked += 1
            if where(response) != (row["status"], row["location"]):
                wrong.append((row["url"], where(response)))
        await reader.close()
    print(f"\nasked while the origin was down: {asked}; failed: {len(wrong)}")
    assert asked > len(rows)
    assert wrong == []


async def test_what_is_stale_stands_in_for_an_edge_that_fails() -> None:
    """At once, although health still says that it is well, and with the headers that it always had."""
    cases: list[tuple[Failing, str]] = [("503", "/purged"), ("reset", "/purged"), ("503", "/expired")]
    pages = {"/purged": KEPT, "/expired": SHORT._replace(headers={**SHORT.headers, "Surrogate-Key": "project/expired"})}
    async with Pages(pages).running() as origin, running_varnish([origin.port]) as cache:
        fresh = {target: await ask(cache.port, target) for target in pages}
        await asyncio.sleep(1.1)
        await cache.purge("project/six")
        for failing, target in cases:
            origin.failing, begun = failing, time.monotonic()
            stale = await ask(cache.port, target)
            assert time.monotonic() - begun < 1.0
            assert (stale.status, stale.header("x-cache")) == (301, "HIT"), failing
            assert _lasting(stale) == _lasting(fresh[target]), failing


def _lasting(answer: Response) -> list[tuple[str, str]]:
    return [pair for pair in answer.headers if pair[0] not in ("date", "x-cache", "cache-status")]


async def test_an_edge_that_is_not_well_is_not_asked() -> None:
    """Not for what is stale, and not for what is unknown."""
    async with Pages({"/six/": KEPT}).running() as origin, running_varnish([origin.port]) as cache:
        await ask(cache.port, "/six/")
        origin.well = False
        await asyncio.sleep(0.4)
        await cache.purge("project/six")
        answers = [await ask(cache.port, target) for target in ("/six/", "/other/", "/six/", "/other/")]
        assert [answer.status for answer in answers] == [301, 503, 301, 503]
        assert origin.targets() == ["/six/"]


async def test_the_new_answer_is_given_as_soon_as_an_edge_is_well_again() -> None:
    """Stale only until then: a soft purge is remembered through the outage."""
    async with Pages({"/six/": KEPT}).running() as origin, running_varnish([origin.port]) as cache:
        await ask(cache.port, "/six/")
        origin.failing = "503"
        await cache.purge("project/six")
        assert [(await ask(cache.port, "/six/")).header("location") for _ in range(3)] == [LOCATION] * 3
        origin.failing = None
        origin.pages["/six/"] = KEPT._replace(headers={**KEPT.headers, "Location": "https://new.example.org/"})
        assert (await ask(cache.port, "/six/")).header("location") == "https://new.example.org/"


async def test_an_answer_that_breaks_off_is_a_failure() -> None:
    """Half a page is neither given nor kept: the whole one that is stale stands in."""
    async with (
        running_edge(await store_of([record()])) as edge,
        FaultProxy(edge) as proxy,
        running_varnish([proxy.port], probe_seconds=0.5) as cache,
    ):
        whole = await ask(cache.port, "/unknown/")
        assert whole.status == 404
        await cache.purge("project/unknown")
        proxy.mode, proxy.keep = "cut", 900
        assert len(whole.body) > proxy.keep
        assert (await ask(cache.port, "/unknown/")).body == whole.body
        assert where(await ask(cache.port, "/another/")) == (503, None)


async def test_with_nothing_kept_readers_are_told_to_come_again() -> None:
    """503, kept by nobody, at once and in plain words; also once what was kept is too old to stand in."""
    async with Pages({"/six/": BRIEF}).running() as origin, running_varnish([origin.port, free_port()]) as cache:
        await ask(cache.port, "/six/")
        origin.failing = "reset"
        begun = time.monotonic()
        for target in ("/other/", "/", "/robots.txt", "/other/"):
            answer = await ask(cache.port, target)
            assert (answer.status, answer.header("cache-control"), answer.header("retry-after")) == UNKNOWN
            assert (answer.header("content-type"), len(answer.body) < 200) == ("text/plain; charset=utf-8", True)
        assert time.monotonic() - begun < 1.0
        await asyncio.sleep(2.2 - (time.monotonic() - begun))
        assert (await ask(cache.port, "/six/")).status == 503


async def test_one_edge_that_fails_is_not_noticed() -> None:
    """Also before its health has told: the other one is asked for what nobody has asked before."""
    pages = {f"/{number}": KEPT for number in range(40)}
    async with (
        Pages(pages).running() as good,
        Pages(pages).running() as bad,
        running_varnish([bad.port, good.port]) as cache,
    ):
        for number, target in enumerate(pages):
            bad.failing = "503" if number % 2 else "reset"
            assert (await ask(cache.port, target)).status == 301
        assert bad.asked


async def test_what_was_denied_never_stands_in(tmp_path: Path) -> None:
    """Once a reader has been told that a project is withdrawn, none of its pages comes back when the edges fail."""
    denied, port = tmp_path / "denied", free_port()
    denied.touch()
    settings = {"DOCSREDIRECT_DENY_FILE": str(denied), "DOCSREDIRECT_EDGE": f"127.0.0.1:{port}"}
    async with running_varnish([port]) as cache:
        async with running_edge(await store_of([record(), record("other")]), settings):
            await _until(cache.port, "/other/", 301)
            for target in ("/six/", "/six/a"):
                assert (await ask(cache.port, target)).status == 301
            denied.write_text("six\n", encoding="utf-8")
            await _until(port, "/six/", 410)
            await cache.purge("project/six")
            gone = await ask(cache.port, "/six/")
            assert (gone.status, gone.header("cache-control")) == (410, "no-store")
        answers = [await ask(cache.port, target) for target in ("/six/", "/six/a", "/other/")]
    assert [answer.status for answer in answers] == [503, 503, 301]


async def _until(port: int, target: str, status: int) -> None:
    async with asyncio.timeout(5):
        while (await ask(port, target)).status != status:
            await asyncio.sleep(0.02)
