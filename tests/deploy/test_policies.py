"""The policies of deploy/s3 against the code: each side does its work with its own, and needs all that it allows.

The store is a real Ceph RGW, on which the edge and the admin side are two users at the same time.
"""

import asyncio
import json
import os
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import pytest
from aiohttp import web

from docsredirect.domain import projects, purges, tables, tokens
from docsredirect.service import reconciler
from docsredirect.service.mirror import Mirror
from docsredirect.service.reconciler import Reconciler
from docsredirect.service.replica import Replica
from docsredirect.service.writers import make_publisher
from docsredirect.store.s3 import S3Store
from tests.cli.commands import CLEAN, REPOSITORY, Cli
from tests.support import edges
from tests.support.admin import ANY, CREATE, Admin, record, running_admin
from tests.support.edges import connected
from tests.support.http import Connection
from tests.support.privileges import OLD_PREFIX, POLICIES, Notes, Privileges, grants, statements
from tests.support.rgw import User, on_rgw
from tests.support.stores import FakeStore

NAMES = sorted(path.name.removesuffix("-policy.json") for path in POLICIES.glob("*-policy.json"))
OBJECT_ACTIONS = {"s3:GetObject", "s3:PutObject", "s3:DeleteObject"}
SECONDS = 10.0
"""Within which an edge that polls all the time follows."""

KEYS = (
    tables.TABLE_KEY,
    tables.kept_key("0123456789abcdef", 1),
    f"shards/00-{'0' * 64}.jsonl.gz",
    purges.MARK_KEY,
    projects.key_of("six"),
    projects.history_key("six", 1),
    tokens.key_of("000000000000"),
    "probes/x",
)
"""One key of each kind of object that the code keeps in a store."""

JSON_LINES = {"Content-Type": "application/jsonl"}
PAGES = {f"page-{number}.html": "x" * 100 for number in range(200)}
"""Rules that make a history of three changes outgrow what a project carries along."""


class TestAsText:
    @pytest.mark.parametrize("name", NAMES)
    def test_it_only_allows(self, name: str) -> None:
        """A policy allows actions by name, on objects below the prefix, or to list the bucket that holds them."""
        for statement in statements(name):
            assert statement["Effect"] == "Allow"
            assert set(statement) == {"Sid", "Effect", "Action", "Resource"}
            if statement["Action"] == ["s3:ListBucket"]:
                assert statement["Resource"] == ["arn:aws:s3:::BUCKET"]
            else:
                assert set(statement["Action"]) <= OBJECT_ACTIONS
                assert all(each.startswith("arn:aws:s3:::BUCKET/PREFIX/") for each in statement["Resource"])

    def test_the_admin_side_reads_and_writes_every_kind_of_object(self) -> None:
        """No kind of object that the code keeps is missing from the admin side's policy, and none is made up."""
        kinds = {re.sub("/.*", "/*", key) for key in KEYS}
        for action in ("s3:GetObject", "s3:PutObject"):
            assert {where for granted, where in grants("admin") if granted == action} == kinds

    @pytest.mark.parametrize("name", NAMES)
    def test_it_is_explained(self, name: str) -> None:
        """What each policy is for stands beside it."""
        assert f"`{name}-policy.json`" in (POLICIES / "README.md").read_text(encoding="utf-8")


class Sides(NamedTuple):
    """One bucket as the edge and as the admin side have it open, each as a user of its own, and what each asked for."""

    edge: S3Store
    admin: S3Store
    asked_by_edge: Notes
    asked_by_admin: Notes


@asynccontextmanager
async def opened(privileges: Privileges) -> AsyncIterator[Sides]:
    """Open the store twice."""
    async with (
        privileges.opened_by(privileges.user("edge")) as edge,
        privileges.opened_by(privileges.user("admin")) as admin,
    ):
        yield Sides(edge, admin, await Notes.of(edge), await Notes.of(admin))


@pytest.fixture
def privileges(monkeypatch: pytest.MonkeyPatch) -> Privileges:
    """An empty bucket."""
    return Privileges(monkeypatch)


def lines(*names: str) -> bytes:
    """Return redirects of projects as JSON Lines."""
    return b"".join(json.dumps(record(name, f"https://{name}.example.org/")).encode() + b"\n" for name in names)


def command(privileges: Privileges, user: User) -> Cli:
    """Return the command line as it is with a user's credentials."""
    cli = Cli(REPOSITORY)
    cli.environment = {
        **CLEAN,
        "DOCSREDIRECT_STORE": privileges.url,
        "AWS_ENDPOINT_URL_S3": privileges.gateway.endpoint,
        "AWS_ACCESS_KEY_ID": user.access_key,
        "AWS_SECRET_ACCESS_KEY": user.secret_key,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": "127.0.0.1",
    }
    return cli


async def answer(edge: Connection, target: str) -> str | int:
    """Return where an old link leads, or the status where it leads nowhere."""
    response = await edge.get(target)
    return response.header("location") or response.status


async def follows(edge: Connection, target: str, expected: str | int) -> None:
    """Wait until an old link answers so."""
    async with asyncio.timeout(SECONDS):
        while await answer(edge, target) != expected:
            await asyncio.sleep(0.02)


@asynccontextmanager
async def purged() -> AsyncIterator[dict[str, str]]:
    """Run a CDN that takes every purge, and give the settings that name it."""

    async def take(request: web.BaseRequest) -> web.Response:
        return web.Response()

    runner = web.ServerRunner(web.Server(take))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        address = "http://{}:{}".format(*runner.addresses[0])
        yield {"DOCSREDIRECT_PURGE": f"varnish:{address}", "DOCSREDIRECT_PURGE_TOKEN": "a-token"}
    finally:
        await runner.cleanup()


async def keep_a_long_history(admin: Admin) -> None:
    """Change a project until its history moves out, then read that, and go back to what it tells of."""
    assert (await admin.put(record(rules=PAGES), CREATE)).status == 201
    for number in range(4):
        assert (await admin.put(record(rules={**PAGES, "n": f"{number}"}), ANY)).status == 200
    assert len((await admin.get("projects/six/history")).json["history"]) == 5
    assert (await admin.post("projects/six/rollback", {"revision": 1})).status == 200
    assert (await admin.ask("DELETE", "projects/six", headers=ANY)).status == 200


async def use_tokens(admin: Admin) -> None:
    """Issue a token, use and list it, and revoke it."""
    token = await admin.new_token(["six"])
    assert (await admin.put(record(), CREATE, token=token)).status == 201
    assert (await admin.post("invitations", {"project": "six"})).status == 201
    (issued, *_) = (await admin.get("tokens")).json["tokens"]
    assert (await admin.ask("DELETE", f"tokens/{issued['id']}")).status == 200


@on_rgw
class TestAtWork:
    async def test_the_edge(self, privileges: Privileges) -> None:
        """With its own policy alone an edge reads through before there is a table, tells what is absent, and follows
        what the admin side publishes. It needs all that its policy allows."""
        async with opened(privileges) as sides, connected(sides.edge) as edge:
            change = projects.Change(edges.record(), 1.0, edges.AUTHOR, "an-operation")
            unpublished = projects.revise(None, "six", change).project
            assert await answer(edge, "/nobody/") == 404
            await sides.admin.create(projects.key_of("six"), projects.encode(unpublished))
            assert await answer(edge, "/six/a.html") == "https://six.example.org/a.html"
            async with running_admin(sides.admin) as admin:
                assert (await admin.put(record("seven", "https://seven.example.org/"), CREATE)).status == 201
                await follows(edge, "/seven/a.html", "https://seven.example.org/a.html")
                assert (await admin.ask("DELETE", "projects/seven", headers=ANY)).status == 200
                await follows(edge, "/seven/a.html", 404)
            assert sides.asked_by_edge.grants == grants("edge")

    async def test_the_admin_side(self, privileges: Privileges, monkeypatch: pytest.MonkeyPatch) -> None:
        """With its own policy alone the admin side writes, publishes, keeps history, issues tokens, imports,
        purges, reconciles and removes what is left over. It needs all that its policy allows."""
        async with privileges.opened_by(privileges.gateway.owner) as owner:
            await owner.create("probes/left-by-one-that-was-killed", b"x")
        monkeypatch.setattr(reconciler, "KEPT_SECONDS", -SECONDS)
        monkeypatch.setattr(reconciler, "KEPT_TABLES", 0)
        async with opened(privileges) as sides:
            async with purged() as cdn, running_admin(sides.admin, cdn) as admin:
                await keep_a_long_history(admin)
                await use_tokens(admin)
                imported = await admin.post("import", body=lines("six", "seven"), headers=JSON_LINES)
                assert imported.json["created"] == 1
                async with asyncio.timeout(SECONDS):
                    while ("s3:PutObject", purges.MARK_KEY) not in sides.asked_by_admin.grants:
                        await asyncio.sleep(0.02)
            reconciling = Reconciler(sides.admin, make_publisher(sides.admin))
            await reconciling.reconcile()
            await reconciling.reconcile()  # shards go once no kept table names them any more
            left = {listed.key.partition("/")[0] async for listed in sides.admin.list_objects("")}
            assert left == {"table.json", "purged.json", "shards", "projects", "history", "tokens"}
            assert sides.asked_by_admin.grants == grants("admin")

    async def test_the_commands(self, privileges: Privileges) -> None:
        """With the admin side's policy what is run by hand works: import, restore, reconcile, export. With the
        edge's, whatever only reads does, and nothing else."""
        run = command(privileges, privileges.user("admin"))
        run("import", "-", stdin=lines("six"))
        run("import", "-", stdin=lines("six", "seven"))
        run("restore", "--sequence", "1")
        run("reconcile", "--new-epoch")
        assert [row["project"] for row in run("export").rows] == ["six"]
        read = command(privileges, privileges.user("edge"))
        assert [row["project"] for row in read("export").rows] == ["six"]
        assert "403 AccessDenied" in read("import", "-", stdin=lines("eight"), fails=True).err

    async def test_the_mirror(self, privileges: Privileges) -> None:
        """With its policy the old service's file is begun, kept as it was, and rewritten, and what it cannot say is
        listed. That takes all that the policy allows."""
        table, old = FakeStore(), f"s3://{privileges.bucket}/{OLD_PREFIX}"
        await edges.publish(table, [edges.record()])
        replica = Replica(table, clock=time.monotonic)
        await replica.poll()
        async with privileges.opened_by(privileges.user("mirror"), old) as store:
            notes = await Notes.of(store)
            assert (await Mirror(store, "redirects.txt", replica).write()).written
            await edges.publish(table, [edges.record(path="clean", rules={"a": "b"})])
            assert len((await Mirror(store, "redirects.txt", replica).write()).lost) > 0
            assert notes.grants == grants("mirror")
        async with privileges.opened_by(privileges.gateway.owner, old) as store:
            left = [listed.key async for listed in store.list_objects("")]
        assert left == ["redirects.txt", "redirects.txt.before", "redirects.txt.lost.jsonl"]

    async def test_a_backup(self, privileges: Privileges) -> None:
        """What the backup's policy reads is a whole store: an edge runs on a copy of it."""
        async with opened(privileges) as sides, running_admin(sides.admin) as admin:
            assert (await admin.put(record(), CREATE)).status == 201
        copy = f"s3://{privileges.bucket}/copy"
        async with (
            privileges.opened_by(privileges.user("backup")) as saved,
            privileges.opened_by(privileges.gateway.owner, copy) as restored,
        ):
            async for listed in saved.list_objects(""):
                stored = await saved.get(listed.key)
                assert stored is not None
                await restored.put(listed.key, stored.body)
            async with connected(restored) as edge:
                assert await answer(edge, "/six/") == "https://six.example.org/"
