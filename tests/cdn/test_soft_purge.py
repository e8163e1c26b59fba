"""Purging by key: who may, what it reaches, and that the next reader gets the new answer."""

import asyncio

import pytest

from tests.cdn.stage import ask, on_stage, where
from tests.support import varnish
from tests.support.edges import record
from tests.support.old_docs import Page, Pages
from tests.support.varnish import TOKEN, running_varnish

pytestmark = varnish.NEEDED

LONG_TIME = {"DOCSREDIRECT_CDN_MAX_AGE": "86400"}
OLD, NEW = "https://six.example.org/", "https://new.example.org/"


@pytest.mark.parametrize("hard", [False, True])
async def test_after_a_purge_the_next_reader_gets_the_new_answer(hard: bool) -> None:
    """Of every page and spelling of that project, and of no other; the old answer is never given once more."""
    async with on_stage([record(), record("other", "https://other.example.org/")], LONG_TIME) as stage:
        pages = ("/six/", "/SIX/a", "/six/a?q", "/other/")
        for page in pages:
            await ask(stage.varnish.port, page)
        await stage.publish(record(target=NEW))
        assert (await ask(stage.varnish.port, "/six/")).header("location") == OLD
        await stage.varnish.purge("project/six", hard=hard)
        after = [await ask(stage.varnish.port, page) for page in pages]
    assert [each.header("location") for each in after] == [NEW, f"{NEW}a", f"{NEW}a?q", "https://other.example.org/"]
    assert [each.header("x-cache") for each in after] == ["MISS", "MISS", "MISS", "HIT"]


async def test_a_first_redirect_and_a_removed_one_are_seen_after_a_purge() -> None:
    """404s are purged by the project's key too."""
    async with on_stage([record("other")], LONG_TIME) as stage:
        assert (await ask(stage.varnish.port, "/six/")).status == 404
        await stage.publish(record())
        await stage.varnish.purge("project/six")
        assert where(await ask(stage.varnish.port, "/six/")) == (301, OLD)


async def test_many_keys_are_purged_at_once() -> None:
    """As many as 6,000 bytes hold."""
    names = [f"project-number-{number}" for number in range(220)]
    keys = [f"project/{name}" for name in names]
    assert 5_000 < len(" ".join(keys)) <= 6_000
    page = Page(b"", 301, {"Surrogate-Control": "max-age=3600", "Location": OLD})
    pages = {
        f"/{name}/": page._replace(headers={**page.headers, "Surrogate-Key": f"project/{name} docsredirect"})
        for name in names
    }
    async with Pages(pages).running() as origin, running_varnish([origin.port]) as cache:
        for _ in range(2):
            for target in (f"/{names[0]}/", f"/{names[-1]}/"):
                await ask(cache.port, target)
        assert len(origin.asked) == 2
        await cache.purge(*keys)
        for target in (f"/{names[0]}/", f"/{names[-1]}/"):
            await ask(cache.port, target)
        assert len(origin.asked) == 4


REFUSED = [
    ("wrong token", f"X-Purge-Token: not-{TOKEN}\r\nXkey-Purge: project/six\r\n", 403),
    ("empty token", "X-Purge-Token:\r\nXkey-Purge: project/six\r\n", 403),
    ("no token", "Xkey-Softpurge: project/six\r\n", 403),
    ("two tokens", f"X-Purge-Token: a\r\nX-Purge-Token: {TOKEN}\r\nXkey-Purge: project/six\r\n", 403),
    ("no keys", f"X-Purge-Token: {TOKEN}\r\n", 400),
]


async def test_a_purge_without_the_token_or_keys_purges_nothing() -> None:
    """403, or 400 where it says nothing to purge; what is kept stays."""
    async with on_stage([record()]) as stage:
        await ask(stage.varnish.port, "/six/")
        for what, headers, status in REFUSED:
            for target in ("/", "/six/", "*"):
                response = await ask(stage.varnish.port, target, method="PURGE", headers=headers)
                assert (response.status, response.header("cache-control")) == (status, "no-store"), what
        assert (await ask(stage.varnish.port, "/six/")).header("x-cache") == "HIT"


@pytest.mark.parametrize("token", ["", None], ids=["empty", "unset"])
async def test_without_a_configured_token_no_purge_is_accepted(token: str | None) -> None:
    """Neither one that shows none, nor one that shows an empty one."""
    async with on_stage([record()], environ={"DOCSREDIRECT_PURGE_TOKEN": token}) as stage:
        await ask(stage.varnish.port, "/six/")
        for shown in ("", "X-Purge-Token:\r\n", "X-Purge-Token: x\r\n"):
            headers = f"{shown}Xkey-Purge: project/six\r\n"
            assert (await ask(stage.varnish.port, "/", method="PURGE", headers=headers)).status == 403
        assert (await ask(stage.varnish.port, "/six/")).header("x-cache") == "HIT"


async def test_a_refill_that_races_a_purge_is_undone_by_the_second() -> None:
    """An old answer that an edge began to give before the purge is kept; the service purges again once all edges have
    the change, and that reaches it."""
    old = Page(b"", 301, {"Surrogate-Control": "max-age=3600", "Surrogate-Key": "project/six", "Location": OLD})
    async with Pages({"/six/": old}).running() as origin, running_varnish([origin.port]) as cache:
        origin.delay = 0.3
        reading = asyncio.create_task(ask(cache.port, "/six/"))
        while not origin.asked:
            await asyncio.sleep(0.01)
        await cache.purge("project/six")
        assert (await reading).header("location") == OLD
        origin.pages["/six/"] = old._replace(headers={**old.headers, "Location": NEW})
        assert (await ask(cache.port, "/six/")).header("location") == OLD
        await cache.purge("project/six")
        assert (await ask(cache.port, "/six/")).header("location") == NEW
