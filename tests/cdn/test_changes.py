"""From the admin API to a reader behind a real Varnish: changes are purged, whatever was cached before."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.cdn.stage import Stage, ask, on_stage
from tests.support import varnish
from tests.support.admin import ANY, CREATE, running_admin
from tests.support.admin import record as raw
from tests.support.edges import record
from tests.support.http import Response
from tests.support.old_docs import Page, Pages
from tests.support.varnish import TOKEN

pytestmark = varnish.NEEDED

SECONDS = 5.0
"""Within which a change is seen, with the short polls of these tests: most of it is the margin before purging again."""


def _purging(stage: Stage) -> dict[str, str]:
    return {
        "DOCSREDIRECT_PURGE": f"varnish:http://127.0.0.1:{stage.varnish.port}",
        "DOCSREDIRECT_PURGE_TOKEN": TOKEN,
    }


async def _cached(stage: Stage, path: str, is_so: Callable[[Response], bool]) -> Response:
    """Ask until an answer comes from the cache that is as it should be."""
    async with asyncio.timeout(SECONDS):
        while True:
            response = await ask(stage.varnish.port, path)
            if response.header("x-cache") == "HIT" and is_so(response):
                return response
            await asyncio.sleep(0.02)


def _leads_to(target: str) -> Callable[[Response], bool]:
    return lambda response: response.header("location") == target


async def test_every_change_is_seen_through_the_cache() -> None:
    """A target that moves, a project that is withdrawn, removed and restored: each shows soon, although the answer
    before it was cached for a day and asked for all the time."""
    async with (
        on_stage([record("six", "https://a.example.org/")], {"DOCSREDIRECT_CDN_MAX_AGE": "86400"}) as stage,
        running_admin(stage.store, _purging(stage)) as admin,
    ):
        await _cached(stage, "/six/", _leads_to("https://a.example.org/"))
        await admin.put(raw("six", "https://b.example.org/"), ANY)
        await _cached(stage, "/SIX", _leads_to("https://b.example.org/"))
        await admin.put(raw("six", "https://b.example.org/", state="gone"), ANY)
        await _cached(stage, "/six/", lambda response: response.status == 410)
        await admin.ask("DELETE", "projects/six", headers=ANY)
        await _cached(stage, "/six/", lambda response: response.status == 404)
        await admin.post("projects/six/rollback", {"revision": 1})
        await _cached(stage, "/six/", _leads_to("https://a.example.org/"))


async def test_a_first_redirect_is_seen_over_a_cached_old_page() -> None:
    """The page of the old docs was in the cache, and so was the 404 behind it; both go with the project's key."""
    async with (
        Pages({"/six/deep.html": Page(b"an old page", 200)}).running() as old,
        on_stage([], old_docs=old.port) as stage,
        running_admin(stage.store, _purging(stage)) as admin,
    ):
        await _cached(stage, "/six/deep.html", lambda response: response.body == b"an old page")
        await admin.put(raw("six"), CREATE)
        await _cached(stage, "/six/deep.html", _leads_to("https://six.example.org/deep.html"))


async def test_a_project_is_withdrawn_with_store_and_admin_side_gone(tmp_path: Path) -> None:
    """The deny file of the edges, and `docsredirect purge` from anywhere: 410 through the cache, kept by nobody."""
    denied = tmp_path / "denied"
    denied.touch()
    settings = {"DOCSREDIRECT_DENY_FILE": str(denied), "DOCSREDIRECT_CDN_MAX_AGE": "86400"}
    async with on_stage([record("six", "https://a.example.org/")], settings) as stage:
        await _cached(stage, "/six/", _leads_to("https://a.example.org/"))
        stage.store.failing = ""
        denied.write_text("Six\n")
        async with asyncio.timeout(SECONDS):
            while (await ask(stage.edge, "/six/")).status != 410:
                await asyncio.sleep(0.02)
        assert (await ask(stage.varnish.port, "/six/")).status == 301
        done = await asyncio.to_thread(
            subprocess.run, [sys.executable, "-m", "docsredirect", "purge", "SIX"],
            env={"PATH": os.environ.get("PATH", ""), **_purging(stage)}, capture_output=True, text=True, timeout=30,
            check=False,
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (0, "The CDN was told to forget project/six.\n"), done.stderr
        withdrawn = await ask(stage.varnish.port, "/six/")
        assert (withdrawn.status, withdrawn.header("cache-control")) == (410, "no-store")
