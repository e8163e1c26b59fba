"""What each CDN is asked when something is to be purged, and what is done when it does not answer as it should."""

from typing import Any

import pytest

from docsredirect.cdn import open_purger
from docsredirect.domain.errors import PurgeFailed
from docsredirect.domain.settings import Purge
from tests.support.cdn_api import CdnApi, cdn_api

KEYS = ["project/six", "project/markdown"]
TOKEN = "a-token"


async def _purge(api: CdnApi, kind: str, keys: list[str], *, hard: bool = False) -> None:
    places = (api.url, f"{api.url}/second") if kind == "varnish" else ("an-id",)
    async with open_purger(Purge(kind, places), TOKEN, api.url) as purger:
        await purger.purge(keys, hard=hard)


ONE = ["project/six"]
CALLS: list[tuple[str, list[str], bool, list[tuple[str, str, dict[str, str | None], Any]]]] = [
    ("fastly", ONE, False, [
        ("POST", "/service/an-id/purge/project%2Fsix", {"fastly-key": TOKEN, "fastly-soft-purge": "1"}, None)]),
    ("fastly", ONE, True, [
        ("POST", "/service/an-id/purge/project%2Fsix", {"fastly-key": TOKEN, "fastly-soft-purge": None}, None)]),
    ("fastly", KEYS, False, [
        ("POST", "/service/an-id/purge", {"fastly-key": TOKEN, "fastly-soft-purge": "1"}, {"surrogate_keys": KEYS})]),
    ("cloudflare", ONE, False, [
        ("POST", "/zones/an-id/purge_cache", {"authorization": f"Bearer {TOKEN}"}, {"tags": ONE})]),
    ("varnish", KEYS, False, [
        ("PURGE", path, {"x-purge-token": TOKEN, "xkey-softpurge": " ".join(KEYS), "xkey-purge": None}, None)
        for path in ("/", "/second/")]),
    ("varnish", ONE, True, [
        ("PURGE", path, {"x-purge-token": TOKEN, "xkey-softpurge": None, "xkey-purge": ONE[0]}, None)
        for path in ("/", "/second/")]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "keys", "hard", "calls"), CALLS)
async def test_each_cdn_is_asked_in_its_own_words(
    kind: str, keys: list[str], hard: bool, calls: list[tuple[str, str, dict[str, str | None], Any]]
) -> None:
    """Method, path, headers and body are those of its documentation; every Varnish is asked."""
    async with cdn_api() as api:
        await _purge(api, kind, keys, hard=hard)
    got = sorted(api.asked, key=lambda asked: asked.path)
    assert [(asked.method, asked.path, asked.body) for asked in got] == [(m, path, body) for m, path, _, body in calls]
    for asked, (_, _, headers, _) in zip(got, calls, strict=True):
        assert {name: asked.headers.get(name) for name in headers} == headers


@pytest.mark.parametrize(("kind", "most"), [("fastly", 256), ("cloudflare", 30), ("varnish", 60)])
async def test_many_keys_go_in_batches_that_the_cdn_takes(kind: str, most: int) -> None:
    """None is left out or sent twice, and no batch is larger than the CDN takes, in number or in bytes."""
    keys = [f"project/{'x' * 100}-{number}" for number in range(700)]
    async with cdn_api() as api:
        await _purge(api, kind, keys)
    batches = [asked.keys for asked in api.asked if not asked.path.startswith("/second")]
    assert [key for batch in batches for key in batch] == keys
    assert max(map(len, batches)) <= most
    assert all(len(value) <= 6_100 for asked in api.asked for value in asked.headers.values())


@pytest.mark.parametrize("kind", ["fastly", "cloudflare", "varnish"])
@pytest.mark.parametrize("status", [0, 429, 500, 503])
async def test_a_purge_that_may_go_through_later_is_tried_again(kind: str, status: int) -> None:
    """After a connection that breaks off, too many requests or a fault of the CDN's, it is asked again."""
    async with cdn_api() as api:
        api.status, api.heals_after = status, 2
        await _purge(api, kind, ONE)
    assert len(api.asked) > 2


REFUSALS = [
    ("fastly", 401, b'{"msg": "Unauthorized"}', "answered 401 to a purge"),
    ("cloudflare", 403, b"no", "answered 403 to a purge: 'no'"),
    ("cloudflare", 200, b'{"success": false}', "not successful"),
    ("cloudflare", 200, b"<html>", "cannot be read"),
    ("varnish", 405, b"", "answered 405 to a purge"),
    ("fastly", 301, b"", "answered 301 to a purge"),
]


@pytest.mark.parametrize(("kind", "status", "body", "words"), REFUSALS)
async def test_a_purge_that_is_refused_is_told_at_once(kind: str, status: int, body: bytes, words: str) -> None:
    """A wrong token does not become right by asking again; the answer says where and what, without the token."""
    async with cdn_api() as api:
        api.status, api.body = status, body
        with pytest.raises(PurgeFailed) as failed:
            await _purge(api, kind, ONE)
    assert words in str(failed.value)
    assert TOKEN not in str(failed.value)
    assert not failed.value.again
    assert len(api.asked) == (2 if kind == "varnish" else 1)


async def test_a_cdn_that_is_not_there_is_told_in_time() -> None:
    """Nobody listens: after a few attempts within seconds, that is what is said."""
    async with cdn_api() as api:
        gone = CdnApi(api.url)
    with pytest.raises(PurgeFailed, match="cannot be reached"):
        await _purge(gone, "fastly", ONE)
