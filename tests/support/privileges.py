"""Users of a bucket on a real Ceph RGW who may do what the policies of deploy/s3 say, and a note of what they ask for.

A policy names the bucket BUCKET and what its keys begin with PREFIX: whoever sets it up fills both in, and so do tests.
"""

import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from docsredirect.store.s3 import S3Store
from tests.support import rgw
from tests.support.rgw import User
from tests.support.s3 import lead_to

POLICIES = Path(__file__).parents[2] / "deploy" / "s3"
PREFIX = "docs/production"
OLD_PREFIX = "old"
"""Where the old service keeps its file, in the same bucket."""

Grant = tuple[str, str]
"""An action, and the part of a bucket that it is for, below PREFIX: ``shards/*``, or ``table.json``."""

_ACTIONS = {"HeadBucket": "s3:ListBucket", "ListObjectsV2": "s3:ListBucket"}
"""The actions that are called otherwise than the requests that need them."""


def policy(name: str, bucket: str = "BUCKET", prefix: str = PREFIX) -> str:
    """Return a policy that is shipped, filled in as its README says."""
    text = (POLICIES / f"{name}-policy.json").read_text(encoding="utf-8")
    return text.replace("BUCKET/PREFIX", f"{bucket}/{prefix}").replace("BUCKET", bucket)


def statements(name: str) -> list[dict[str, Any]]:
    """Return the statements of a policy as they are shipped."""
    found: list[dict[str, Any]] = json.loads((POLICIES / f"{name}-policy.json").read_text(encoding="utf-8"))[
        "Statement"
    ]
    return found


def grants(name: str) -> set[Grant]:
    """Return what a policy allows. What is for the whole bucket is for ``""``."""
    return {
        (action, resource.removeprefix("arn:aws:s3:::BUCKET").removeprefix("/PREFIX/"))
        for statement in statements(name)
        for action in statement["Action"]
        for resource in statement["Resource"]
    }


class Privileges:
    """An empty bucket, and users who may do in it what a policy says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.gateway = rgw.shared()
        self.bucket = f"bucket-{uuid.uuid4().hex}"
        self.url = f"s3://{self.bucket}/{PREFIX}"
        self._monkeypatch = monkeypatch
        self.gateway.make_bucket(self.bucket)

    def user(self, *names: str) -> User:
        """Make a user with all of the policies that are shipped under `names`."""
        texts = [json.loads(policy(name, self.bucket, OLD_PREFIX if name == "mirror" else PREFIX)) for name in names]
        return self.user_with({**texts[0], "Statement": [each for text in texts for each in text["Statement"]]})

    def user_with(self, document: object) -> User:
        """Make a user with a policy of the test's own, or with none."""
        user = self.gateway.add_user(f"user-{uuid.uuid4().hex}")
        if document is not None:
            self.gateway.allow(user, json.dumps(document))
        return user

    @asynccontextmanager
    async def opened_by(self, user: User, url: str | None = None) -> AsyncIterator[S3Store]:
        """Open the store as a user. Others may be open at the same time: this one has its credentials already."""
        lead_to(self._monkeypatch, self.gateway.endpoint, user)
        store = S3Store(url or self.url)
        try:
            await store._s3._opened_client()
            yield store
        finally:
            await store.close()


class Notes:
    """What a store has asked S3 for, probes too, as the grants that it takes."""

    def __init__(self) -> None:
        self.grants: set[Grant] = set()

    @classmethod
    async def of(cls, store: S3Store) -> "Notes":
        """Note what `store` asks for from now on."""
        notes = cls()
        client = await store._s3._opened_client()
        client.meta.events.register("provide-client-params.s3", notes._asked)
        client.meta.events.register("after-call.s3.GetObject", notes._answered)
        return notes

    def _asked(self, params: dict[str, Any], model: Any, **_: object) -> None:
        where = _part(params["Key"]) if "Key" in params else ""
        self.grants.add((_ACTIONS.get(model.name, f"s3:{model.name}"), where))
        if "IfMatch" in params:  # AWS lets only those replace an object under a condition who may read it
            self.grants.add(("s3:GetObject", where))

    def _answered(self, http_response: Any, **_: object) -> None:
        if http_response.status_code == 404:  # whoever may not list is told 403 instead
            self.grants.add(("s3:ListBucket", ""))


def _part(key: str) -> str:
    folder, slash, _ = key.removeprefix(f"{PREFIX}/").removeprefix(f"{OLD_PREFIX}/").partition("/")
    return f"{folder}/*" if slash else folder
