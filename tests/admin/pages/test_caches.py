"""What pages say of the caches on the way: whether they are told of changes, and when readers see one."""

import asyncio

import pytest

from docsredirect.service import purging
from tests.support.admin import BOOTSTRAP, CREATE, record, running_admin
from tests.support.cdn_api import CdnApi, cdn_api
from tests.support.stores import FakeStore
from tests.support.visitor import Visitor, visiting


async def _until(visitor: Visitor, path: str, words: str) -> str:
    async with asyncio.timeout(10):
        while words not in (text := (await visitor.get(path)).text):
            await asyncio.sleep(0.02)
    return text


def _environ(api: CdnApi) -> dict[str, str]:
    return {
        "DOCSREDIRECT_PURGE": "cloudflare:a-zone",
        "DOCSREDIRECT_PURGE_TOKEN": "token",
        "DOCSREDIRECT_PURGE_API": api.url,
    }


async def test_pages_say_whether_caches_are_told(store: FakeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """While they are, a change is seen within seconds; when the CDN refuses, administrators see it, and maintainers are
    told the time that caches keep answers then."""
    monkeypatch.setattr(purging, "PROBE_SECONDS", 0.2)
    async with (
        cdn_api() as api,
        running_admin(store, _environ(api)) as admin,
        visiting(admin.port, BOOTSTRAP) as visitor,
    ):
        await admin.put(record("six"), CREATE)
        await _until(visitor, "/overview", "Caches are told of every change")
        told = await _until(visitor, "/projects/six/saved", "caches on the way are told")
        assert "within 1 second, because caches on the way are told of the change" in told
        api.status = 403
        await _until(visitor, "/overview", "not told of changes The CDN cannot be purged now")
        assert "within 5 minutes at most" in await _until(visitor, "/projects/six/saved", "at most")


async def test_without_a_cdn_nothing_else_is_said(store: FakeStore) -> None:
    """The overview says that caches are told of nothing, which is no fault."""
    async with running_admin(store) as admin, visiting(admin.port, BOOTSTRAP) as visitor:
        await admin.put(record("six"), CREATE)
        assert "Caches are told of nothing; they keep answers for minutes only" in (await visitor.get("/overview")).text
