"""The policies of deploy/s3, on a real Ceph RGW: what each lets a store do, what it does not, and why it is no less."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio

from docsredirect.domain.errors import NotModified, StoreUnavailable
from docsredirect.store.s3 import S3Store
from tests.store.contract import increment, keys_of
from tests.support.privileges import Privileges, policy
from tests.support.rgw import User, on_rgw
from tests.support.s3 import ANYBODY

KEYS = (
    "table.json",
    "purged.json",
    "tables/0123456789abcdef-1.json",
    "shards/00-aa.jsonl.gz",
    "projects/six.json",
    "history/six/1.json",
    "tokens/000000000000.json",
    "probes/left",
)
"""One of everything that a store holds."""

SOMEBODY_ELSES = ("another", "docs/another", "docs/production-2/projects/six.json")
"""What lies in the same bucket, outside the prefix."""

PUBLISHED = {"table.json", "shards/00-aa.jsonl.gz", "projects/six.json"}
REMOVABLE = {"tables/0123456789abcdef-1.json", "shards/00-aa.jsonl.gz", "probes/left"}

Ask = Callable[[S3Store, str], Awaitable[object]]

READ: Ask = lambda store, key: store.get(key)  # noqa: E731
# Past the probe of the store, which would be refused in the place of what comes after it.
WRITE: Ask = lambda store, key: store._put(key, b"written")  # noqa: E731
REMOVE: Ask = lambda store, key: store._remove(key)  # noqa: E731


async def allowed(store: S3Store, ask: Ask, keys: tuple[str, ...] = KEYS) -> set[str]:
    """Return the keys for which a request is done. All others are unavailable, because access to them is denied."""

    async def tell(key: str) -> str | None:
        try:
            await ask(store, key)
        except StoreUnavailable as error:
            return None if "403 AccessDenied" in str(error) else f"{key}: {error}"
        return key

    return {key for key in await asyncio.gather(*map(tell, keys)) if key is not None}


async def assert_unknown(store: S3Store, *asked: Awaitable[object]) -> list[str]:
    """Check that each request leaves unknown what it asked. Returns the sentences that say so."""
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert all(type(result) is StoreUnavailable for result in results), results
    return [str(result) for result in results]


@pytest_asyncio.fixture
async def privileges(monkeypatch: pytest.MonkeyPatch) -> Privileges:
    """A bucket in which the owner has put one of everything, and something of somebody else's beside it."""
    privileges = Privileges(monkeypatch)
    async with privileges.opened_by(privileges.gateway.owner) as store:
        for key in KEYS:
            await store.create(key, b"as it was")
    async with privileges.opened_by(privileges.gateway.owner, f"s3://{privileges.bucket}") as bucket:
        for key in SOMEBODY_ELSES:
            await bucket.create(key, b"as it was")
    return privileges


@on_rgw
class TestWhatEachMayDo:
    @pytest.mark.parametrize(
        ("name", "reads", "writes", "removes"),
        [
            ("edge", PUBLISHED, set(), set()),
            ("admin", set(KEYS), set(KEYS), REMOVABLE),
            ("backup", set(KEYS), set(), set()),
        ],
    )
    async def test_of_what_the_store_holds(
        self, privileges: Privileges, name: str, reads: set[str], writes: set[str], removes: set[str]
    ) -> None:
        """An edge reads what is published and writes nothing; the admin side writes all of it, and removes only what
        it can make again; a backup reads all of it."""
        async with privileges.opened_by(privileges.user(name)) as store:
            assert await allowed(store, READ) == reads
            assert await allowed(store, WRITE) == writes
            assert await allowed(store, REMOVE) == removes

    @pytest.mark.parametrize("name", ["edge", "admin", "backup"])
    async def test_of_what_is_somebody_elses(self, privileges: Privileges, name: str) -> None:
        """Nobody reads, writes or removes anything in the bucket outside the prefix."""
        async with privileges.opened_by(privileges.user(name), f"s3://{privileges.bucket}") as bucket:
            for ask in (READ, WRITE, REMOVE):
                assert await allowed(bucket, ask, SOMEBODY_ELSES) == set()

    @pytest.mark.parametrize("name", ["edge", "admin", "backup"])
    async def test_each_knows_what_is_absent(self, privileges: Privileges, name: str) -> None:
        """Whoever reads is told what is absent, what has not changed, what there is, and what time it is."""
        async with privileges.opened_by(privileges.user(name)) as store:
            stored = await store.get("table.json")
            assert stored is not None
            with pytest.raises(NotModified):
                await store.get("table.json", unless=stored.etag)
            assert await store.get("projects/other.json") is None
            assert await keys_of(store, "projects/") == ["projects/six.json"]
            assert await store.now() > 0

    async def test_the_admin_side_probes_and_compares_and_swaps(self, privileges: Privileges) -> None:
        """The admin's user may do what its first write takes: try the store, and leave nothing of that behind."""
        async with privileges.opened_by(privileges.user("admin")) as store:
            await store.create("projects/count.json", b"0")
            await increment(store, "projects/count.json")
            assert await keys_of(store, "probes/") == ["probes/left"]


def with_list_rights(bucket: str, condition: dict[str, Any] | None) -> object:
    """Return the edge's policy with a condition on its right to list, or without that right."""
    document = json.loads(policy("edge", bucket))
    read, listing = document["Statement"]
    return {**document, "Statement": [read] if condition is None else [read, {**listing, "Condition": condition}]}


@on_rgw
class TestWhyListing:
    """The right to list is for the whole bucket, because nothing less tells what is absent."""

    async def test_without_it_nothing_is_absent(self, privileges: Privileges) -> None:
        """A user who may only get objects is told 403 for a missing one: unknown, not absent."""
        user = privileges.user_with(with_list_rights(privileges.bucket, None))
        async with privileges.opened_by(user) as store:
            assert await store.get("projects/six.json") is not None
            await assert_unknown(store, store.get("projects/other.json"), keys_of(store, "projects/"))

    async def test_with_it_for_a_folder_alone_nothing_is_absent(self, privileges: Privileges) -> None:
        """Reading names no prefix, so a right to list that is bound to one is none when something is missing."""
        condition = {"StringLike": {"s3:prefix": ["docs/production/*"]}}
        user = privileges.user_with(with_list_rights(privileges.bucket, condition))
        async with privileges.opened_by(user) as store:
            assert await keys_of(store, "projects/") == ["projects/six.json"]
            await assert_unknown(store, store.get("projects/other.json"), store.now())

    async def test_whoever_learns_what_is_absent_may_list_everything(self, privileges: Privileges) -> None:
        """The loosest condition that does tell what is absent also lets the whole bucket be listed: it protects
        nothing, so there is none."""
        condition = {"StringLikeIfExists": {"s3:prefix": ["docs/production/projects/*"]}}
        user = privileges.user_with(with_list_rights(privileges.bucket, condition))
        async with privileges.opened_by(user, f"s3://{privileges.bucket}") as bucket:
            assert await bucket.get("docs/production/projects/other.json") is None
            assert set(await keys_of(bucket, "")) > set(SOMEBODY_ELSES)


@on_rgw
class TestWhoIsNobody:
    async def test_without_a_policy_nothing_is_known(self, privileges: Privileges) -> None:
        """A user without a policy gets neither an object nor the news that there is none."""
        async with privileges.opened_by(privileges.user_with(None)) as store:
            assert await allowed(store, READ) == await allowed(store, WRITE) == await allowed(store, REMOVE) == set()
            await assert_unknown(store, store.get("projects/other.json"), keys_of(store, ""), store.now())

    async def test_wrong_credentials(self, privileges: Privileges) -> None:
        """A key that does not exist, or the wrong secret, is unavailable, and neither is in the message."""
        owner = privileges.gateway.owner
        for user in (User("nobody", *ANYBODY[1:]), owner._replace(secret_key="wrong-secret-key")):
            async with privileges.opened_by(user) as store:
                asked = [store.get("table.json"), store.get("projects/other.json"), store.put("probes/x", b"x")]
                sentences = await assert_unknown(store, *asked, keys_of(store, ""), store.now())
            assert not any(secret in sentence for secret in user[1:] for sentence in sentences)
