"""Many readers at once: edges are asked once for what may be kept, and nobody queues for what may not."""

import asyncio
import time
from typing import Literal

from tests.cdn.stage import ask
from tests.support import varnish
from tests.support.http import Response
from tests.support.old_docs import Page, Pages
from tests.support.varnish import running_varnish

pytestmark = varnish.NEEDED

CROWD = 100
DELAY = 0.2
"""Seconds that an edge takes for an answer here. One after the other, a crowd would take 20."""

LIFETIME = {"Surrogate-Control": "max-age=3600, stale-if-error=7200", "Surrogate-Key": "project/six docsredirect"}
REDIRECT = Page(b"", 301, {"Location": "https://six.example.org/", **LIFETIME})
RENEWED = Page(b"", 301, {"Location": "https://new.example.org/", **LIFETIME})
DENIED = Page(b"", 410, {"Surrogate-Control": "no-store", "Cache-Control": "no-store"})


async def _crowd(port: int) -> tuple[list[Response], float]:
    begun = time.monotonic()
    spellings = ("/six/", "/SIX", "//Six/", "/six")
    answers = await asyncio.gather(*(ask(port, spellings[number % 4]) for number in range(CROWD)))
    return answers, time.monotonic() - begun


async def test_a_crowd_for_what_is_cold_makes_one_request() -> None:
    """And for what was purged softly one more, of which all get the new answer."""
    async with (
        Pages({"/six/": REDIRECT}, missing=REDIRECT).running() as origin,
        running_varnish([origin.port]) as cache,
    ):
        origin.delay = DELAY
        answers, _ = await _crowd(cache.port)
        assert {answer.header("location") for answer in answers} == {"https://six.example.org/"}
        assert len(origin.asked) == 1
        origin.pages.clear()
        origin.missing = RENEWED
        await cache.purge("project/six")
        answers, _ = await _crowd(cache.port)
        assert {answer.header("location") for answer in answers} == {"https://new.example.org/"}
        assert len(origin.asked) == 2


async def test_a_crowd_for_what_may_not_be_kept_does_not_queue() -> None:
    """All of them are answered in the time of a few, and what may be kept afterwards is kept at once."""
    async with Pages().running() as origin, running_varnish([origin.port]) as cache:
        for page in (DENIED, Page(b"", 503), Page(b"", 301, {"Surrogate-Control": "no-store"})):
            origin.missing, origin.delay = page, DELAY
            answers, seconds = await _crowd(cache.port)
            assert {answer.status for answer in answers} == {page.status}
            assert seconds < DELAY * 10
            origin.missing, origin.delay = REDIRECT, 0.0
            told = [await ask(cache.port, "/six/") for _ in range(2)]
            assert [(answer.status, answer.header("x-cache")) for answer in told] == [(301, "MISS"), (301, "HIT")]
            await cache.purge("project/six", hard=True)


OUTAGES: list[tuple[Literal["503", "reset", "hang"], float]] = [("503", 2.0), ("reset", 2.0), ("hang", 3.0)]


async def test_a_crowd_for_what_is_stale_is_served_while_edges_fail() -> None:
    """Although health never tells: one reader tries, for 2 s at the most, and the others do not try again one after the
    other."""
    async with Pages(missing=REDIRECT).running() as origin, running_varnish([origin.port]) as cache:
        for failing, limit in OUTAGES:
            origin.failing, origin.missing, origin.delay = None, REDIRECT, DELAY
            await cache.purge("project/six", hard=True)
            await ask(cache.port, "/six/")
            await cache.purge("project/six")
            origin.failing = failing
            origin.asked.clear()
            answers, seconds = await _crowd(cache.port)
            assert {answer.header("location") for answer in answers} == {"https://six.example.org/"}
            assert (seconds < limit, len(origin.asked) < CROWD / 5) == (True, True), failing
            origin.failing, origin.missing = None, RENEWED
            assert (await ask(cache.port, "/six/")).header("location") == "https://new.example.org/"
