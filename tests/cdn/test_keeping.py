"""What Varnish keeps, and for how long; what it never keeps."""

import asyncio

from tests.cdn.stage import ask, on_stage, where
from tests.support import varnish
from tests.support.edges import record
from tests.support.old_docs import Page, Pages
from tests.support.varnish import running_varnish

pytestmark = varnish.NEEDED

LONG_TIME = "max-age=3600, stale-if-error=7200"
UNKNOWN = (503, "no-store", "30")
TAGS = "project/six docsredirect"


def _answer(status: int, surrogate: str | None, browser: str = "public, max-age=60", **headers: str) -> Page:
    given = {"Cache-Control": browser, "Surrogate-Key": TAGS, **headers}
    if surrogate is not None:
        given |= {"Surrogate-Control": surrogate, "CDN-Cache-Control": surrogate}
    return Page(b"", status, given)


REDIRECT = {"Location": "https://six.example.org/"}
KEPT = {
    **{f"/{status}": _answer(status, LONG_TIME, **REDIRECT) for status in (301, 302, 307, 308)},
    "/404": _answer(404, LONG_TIME),
    "/410": _answer(410, LONG_TIME),
    "/browsers-do-not": _answer(301, LONG_TIME, "no-store", **REDIRECT),
    "/": _answer(200, None, "public, max-age=3600"),
    "/robots.txt": _answer(200, None, "public, max-age=3600"),
}
NOT_KEPT = {
    **{f"/{status}": _answer(status, LONG_TIME) for status in (400, 405, 414, 421, 206, 201)},
    **{f"/plain-{status}": _answer(status, None, "no-store") for status in (400, 405, 414, 421)},
    "/denied": _answer(410, "no-store", "no-store", **{"Surrogate-Key": "project/denied docsredirect"}),
    "/no-store": _answer(301, "no-store", **REDIRECT),
    "/browsers-only": _answer(301, None, "public, max-age=3600", **REDIRECT),
    "/nothing-said": _answer(301, "stale-if-error=7200", **REDIRECT),
    "/zero": _answer(301, "max-age=0, stale-if-error=7200", **REDIRECT),
    "/200-no-store": _answer(200, None, "no-store"),
    "/200-nothing-said": _answer(200, None, "public"),
    "/cookie": _answer(301, LONG_TIME, **REDIRECT, **{"Set-Cookie": "a=b"}),
    "/vary": _answer(301, LONG_TIME, **REDIRECT, Vary="Accept"),
}


async def test_only_answers_that_are_the_same_for_everybody_are_kept() -> None:
    """Redirects, 404, 410 and the service's own pages are asked for once, everything else each time."""
    async with Pages({**KEPT, **NOT_KEPT}).running() as origin, running_varnish([origin.port]) as cache:
        for _ in range(3):
            for target, page in origin.pages.items():
                assert (await ask(cache.port, target)).status == page.status, target
        asked = origin.targets()
    assert {target: asked.count(target) for target in KEPT} == dict.fromkeys(KEPT, 1)
    assert {target: asked.count(target) for target in NOT_KEPT} == dict.fromkeys(NOT_KEPT, 3)


async def test_a_failure_is_not_kept() -> None:
    """Readers get 503 for 403 and 5xx, and the very next one the answer of an edge that is well again."""
    async with Pages().running() as origin, running_varnish([origin.port]) as cache:
        for status in (403, 500, 502, 503, 504):
            origin.pages["/six"] = _answer(status, LONG_TIME)
            failed = await ask(cache.port, "/six")
            assert (failed.status, failed.header("cache-control"), failed.header("retry-after")) == UNKNOWN
            origin.pages["/six"] = _answer(301, LONG_TIME, **REDIRECT)
            assert (await ask(cache.port, "/six")).status == 301, status
            await cache.purge("project/six", hard=True)


async def test_answers_that_may_not_be_kept_leave_nothing_behind() -> None:
    """The first answer that may be kept is, at once: no mark makes a name go to the edges for two minutes."""
    pages = Pages({"/six/": _answer(410, "no-store", "no-store")})
    async with pages.running() as origin, running_varnish([origin.port]) as cache:
        assert [(await ask(cache.port, "/six/")).status for _ in range(2)] == [410, 410]
        origin.pages["/six/"] = _answer(301, LONG_TIME, **REDIRECT)
        told = [(await ask(cache.port, "/six/")).header("x-cache") for _ in range(3)]
    assert told == ["MISS", "HIT", "HIT"]


async def test_the_lifetime_is_that_of_surrogate_control() -> None:
    """An answer for an hour in browsers and a second in CDNs is asked for again after a second."""
    page = _answer(301, "max-age=1, stale-if-error=60", "public, max-age=3600", **REDIRECT)
    pages = Pages({"/six/": page, "/": _answer(200, None, "public, max-age=1")})
    async with pages.running() as origin, running_varnish([origin.port]) as cache:
        for target in ("/six/", "/", "/six/", "/"):
            await ask(cache.port, target)
        assert origin.targets() == ["/six/", "/"]
        await asyncio.sleep(1.1)
        assert (await ask(cache.port, "/six/")).header("cache-control") == "public, max-age=3600"
        await ask(cache.port, "/")
    assert origin.targets() == ["/six/", "/", "/six/", "/"]


async def test_a_change_is_seen_when_the_lifetime_is_over() -> None:
    """With a real edge and no purging at all, readers get the new target after CDN_MAX_AGE seconds, and not before."""
    async with on_stage([record()], {"DOCSREDIRECT_CDN_MAX_AGE": "1"}) as stage:
        assert where(await ask(stage.varnish.port, "/six/")) == (301, "https://six.example.org/")
        await stage.publish(record(target="https://new.example.org/"))
        assert where(await ask(stage.varnish.port, "/SIX")) == (301, "https://six.example.org/")
        await asyncio.sleep(1.0)
        assert where(await ask(stage.varnish.port, "/Six")) == (301, "https://new.example.org/")
