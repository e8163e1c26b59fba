"""What the containers of the Kubernetes manifests run: with settings that there are, answering the probes, for real.

The store is a real Ceph RGW, on which each side has the rights that its policy gives it, and no others.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import click
import pytest

from docsredirect.cli import main
from docsredirect.domain.errors import InvalidSettings
from docsredirect.domain.settings import MASK, SETTINGS, load
from tests.cli.test_serve import FREE, Served, serving
from tests.deploy.manifests import BASE, EXAMPLE, PLACEHOLDER, Pod, environment, of_kind, pod, pods
from tests.support.admin import record, running_admin
from tests.support.edges import running_edge
from tests.support.http import Connection, Response, exchange
from tests.support.privileges import Privileges
from tests.support.rgw import on_rgw
from tests.support.stores import FakeStore

PODS = {each.name: each for each in pods()}
every_pod = pytest.mark.parametrize("each", PODS.values(), ids=PODS)

SECRET = "a-secret-of-these-tests-that-is-long-enough"
FILLED_IN = {
    "AWS_ACCESS_KEY_ID": "an-access-key",
    "AWS_SECRET_ACCESS_KEY": "a-secret-key",
    "DOCSREDIRECT_STORE": "s3://bucket/prefix",
    "DOCSREDIRECT_ADMIN_URL": "https://admin.example.org",
    "DOCSREDIRECT_TRUSTED_PROXIES": "10.0.0.0/8",
    "DOCSREDIRECT_PURGE": "fastly:service",
    "DOCSREDIRECT_PURGE_TOKEN": SECRET,
    "DOCSREDIRECT_CDN_SECRET": SECRET,
    "DOCSREDIRECT_ADMIN_TOKEN": SECRET,
    "DOCSREDIRECT_SECRET": SECRET,
}
"""What an operator puts in the place of each placeholder."""

SECRETS = {setting.variable for setting in SETTINGS if setting.secret}


def filled_in(each: Pod) -> dict[str, str]:
    """Return the environment of a container as an operator completes it."""
    return {
        name: FILLED_IN[name] if PLACEHOLDER in text else text for name, text in environment(each.container).items()
    }


class TestSettings:
    @every_pod
    def test_every_variable_is_a_setting_with_a_value_that_holds(self, each: Pod) -> None:
        """Completed, the environment is taken without a problem, and without a warning of a slip."""
        assert load(filled_in(each)).warnings == []

    @pytest.mark.parametrize("folder", [BASE, EXAMPLE])
    @pytest.mark.parametrize("name", PODS)
    def test_every_placeholder_is_refused(self, folder: Path, name: str) -> None:
        """As shipped the service does not start, and names each setting that has to be completed, and no other."""
        variables = environment(pod(name, folder).container, folder)
        with pytest.raises(InvalidSettings) as raised:
            load(variables)
        told = {problem.partition(" is ")[0] for problem in raised.value.problems if " is " in problem}
        left = {variable for variable, text in variables.items() if PLACEHOLDER in text}
        assert told == {variable for variable in left if variable.startswith("DOCSREDIRECT_")}

    def test_a_placeholder_looks_like_nothing_else(self) -> None:
        """Every value of a secret that is shipped is the placeholder."""
        values = [text for secret in of_kind("Secret").values() for text in secret["stringData"].values()]
        assert values == [PLACEHOLDER] * len(values)
        assert MASK not in values

    @every_pod
    def test_secrets_come_from_secrets(self, each: Pod) -> None:
        """No secret stands in a ConfigMap or in a workload."""
        (mine,) = (source["secretRef"]["name"] for source in each.container["envFrom"] if "secretRef" in source)
        kept = set(of_kind("Secret")[mine]["stringData"])
        secret = {name for name in environment(each.container) if name in SECRETS or name.startswith("AWS_SECRET")}
        assert secret <= kept

    def test_an_edge_knows_nothing_with_which_something_can_be_changed(self) -> None:
        """It has credentials of its own, and no token, nor the CDN's; the admin side has no use for the edge's."""
        edge, admin = (set(environment(pod(name).container)) & SECRETS for name in ("edge", "admin"))
        assert edge == {"DOCSREDIRECT_CDN_SECRET"}
        assert admin == {"DOCSREDIRECT_ADMIN_TOKEN", "DOCSREDIRECT_PURGE_TOKEN", "DOCSREDIRECT_SECRET"}

    @every_pod
    def test_ports_are_the_ones_that_are_listened_on(self, each: Pod) -> None:
        """The settings listen on all addresses of the pod, at the ports that the container declares."""
        settings = load(filled_in(each)).settings
        face = settings.edge if each.name == "edge" else settings.admin
        assert {name: (port, "0.0.0.0") for name, port in each.ports.items()} == {
            "http": (face.port, face.host),
            "ops": (settings.ops.port, settings.ops.host),
        }

    @every_pod
    def test_the_command_is_one(self, each: Pod) -> None:
        """The arguments are a command's, and run the one face that the container is for."""
        name, *arguments = each.container["args"]
        whole = click.Context(main, **main.context_settings)
        command = main.get_command(whole, name)
        assert command is not None
        context = command.make_context(name, list(arguments), parent=whole)
        assert context.params == {"sample": False, "edge_only": each.name == "edge", "admin_only": each.name == "admin"}


class TestProbes:
    """Probes come from the node, with the pod's address as Host, and show no secret."""

    @pytest.mark.parametrize("probe", ["startupProbe", "livenessProbe", "readinessProbe"])
    @every_pod
    async def test_it_is_answered(self, each: Pod, probe: str) -> None:
        """200, at the port that the probe names, of an edge that lets in nobody but the CDN, and of the admin side."""
        asked = each.container[probe]["httpGet"]
        assert asked["port"] == "http"
        variables = {"DOCSREDIRECT_ADMIN_URL": "https://admin.example.org"}
        if each.name == "edge":
            async with running_edge(FakeStore(), {**variables, "DOCSREDIRECT_CDN_SECRET": SECRET}) as port:
                response = await probed(port, asked["path"])
        else:
            async with running_admin(FakeStore(), variables) as admin:
                response = await probed(admin.port, asked["path"])
        assert response.status == 200, response

    async def test_who_has_no_table_is_alive_and_not_ready(self) -> None:
        """An edge that starts while the store is down gets no requests, and is not restarted for it."""
        store, container = FakeStore(), pod("edge").container
        store.failing = ""
        async with running_edge(store, wait=False) as port:
            live = await probed(port, container["livenessProbe"]["httpGet"]["path"])
            ready = await probed(port, container["readinessProbe"]["httpGet"]["path"])
        assert (live.status, ready.status) == (200, 503)


async def probed(port: int, path: str) -> Response:
    """Ask as the kubelet does."""
    response = await exchange(port, f"GET {path} HTTP/1.1\r\nHost: 10.1.2.3:{port}\r\n\r\n".encode())
    assert response is not None
    return response


@asynccontextmanager
async def started(name: str, folder: Path, privileges: Privileges) -> AsyncIterator[Served]:
    """Start what is in a container, as a user with its policy; what is the cluster's is replaced by what is here."""
    each, user, mine = pod(name), privileges.user(name), folder / name
    (mine / "state").mkdir(parents=True)
    variables = filled_in(each) | {
        **FREE,
        "AWS_ENDPOINT_URL_S3": privileges.gateway.endpoint,
        "AWS_ACCESS_KEY_ID": user.access_key,
        "AWS_SECRET_ACCESS_KEY": user.secret_key,
        "NO_PROXY": "127.0.0.1",
        "DOCSREDIRECT_STORE": privileges.url,
        "DOCSREDIRECT_DENY_FILE": str(mine / "projects.txt"),
        "DOCSREDIRECT_STATE_DIR": str(mine / "state"),
        "TMPDIR": str(mine / "runs"),
        "DOCSREDIRECT_EDGES": "",
        "DOCSREDIRECT_PURGE": "",
    }
    async with serving(mine, *each.container["args"][1:], processes=2, before="", **variables) as served:
        yield served


@on_rgw
class TestForReal:
    async def test_both_sides_start_and_work(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The commands of the containers, with their environments and on a real store with the shipped rights: what is
        written at the admin side is answered by the edge, and what the deny file says goes first."""
        privileges = Privileges(monkeypatch)
        async with started("admin", tmp_path, privileges) as admin, started("edge", tmp_path, privileges) as edge:
            assert await put(admin, record()) == 201
            await answers(edge, 301)
            assert (await edge.ask("/-/health/ready"))["ready"] is True
            (tmp_path / "edge" / "projects.txt").write_text("six\n", encoding="utf-8")
            await answers(edge, 410)
            assert [line for line in (*admin.lines, *edge.lines) if line["level"] == "error"] == []


async def put(admin: Served, body: Mapping[str, object]) -> int:
    """Create a redirect through the API of a running admin side, and return the status."""
    text = json.dumps(body).encode()
    head = (
        f"PUT /-/api/v1/projects/{body['project']} HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {SECRET}\r\nIf-None-Match: *\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(text)}\r\n\r\n"
    )
    response = await exchange(admin.ports["admin"], head.encode() + text)
    assert response is not None
    return response.status


async def answers(edge: Served, status: int) -> None:
    """Wait until a running edge answers so to what comes from the CDN."""
    request = f"GET /six/ HTTP/1.1\r\nHost: pythonhosted.org\r\nX-CDN-Secret: {SECRET}\r\n\r\n".encode()
    async with asyncio.timeout(20):
        connection = await Connection.open(edge.ports["edge"])
        while True:
            connection.send(request)
            response = await connection.receive()
            assert response is not None
            if response.status == status:
                break
            await asyncio.sleep(0.05)
        await connection.close()
