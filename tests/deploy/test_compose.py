"""compose.yaml: of the right form, holding together, and what is in its containers run for real, on a Ceph RGW as the
store. No container engine is needed."""

import asyncio
import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import click
import jsonschema_rs
import pytest
import yaml  # type: ignore[import-untyped]

from docsredirect.cli import main
from docsredirect.cli.parent import GIVE_UP_SECONDS, KILL_SECONDS
from docsredirect.domain.settings import Settings, load
from tests.cli.test_serve import FREE, Served, serving
from tests.support import rgw
from tests.support.http import Connection
from tests.support.privileges import grants
from tests.support.rgw import Rgw, on_rgw

DEPLOY = Path(__file__).parents[2] / "deploy"
DOCUMENT: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = DOCUMENT["services"]
OURS = ["admin", "edge-1", "edge-2"]
EDGES = ["edge-1", "edge-2"]
IDENTITIES = json.loads((DEPLOY / "compose" / "seaweedfs.json").read_text(encoding="utf-8"))["identities"]

each_of_ours = pytest.mark.parametrize("name", OURS)


def settings_of(name: str) -> Settings:
    """Return what a container's environment says. Raises `InvalidSettings`."""
    loaded = load(SERVICES[name]["environment"])
    assert loaded.warnings == []
    return loaded.settings


class TestForm:
    def test_it_is_a_compose_file(self) -> None:
        """It is valid under the schema of the Compose specification."""
        file = resources.files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
        schema = jsonschema_rs.validator_for(json.loads(file.read_text(encoding="utf-8")))
        assert [f"{fault.instance_path}: {fault.message}" for fault in schema.iter_errors(DOCUMENT)] == []
        assert not schema.is_valid({**DOCUMENT, "services": {"store": {"imagge": "x"}}})

    def test_what_it_names_is_there(self) -> None:
        """Files that are mounted or built from exist, volumes are declared, and services wait for services."""
        for name, service in SERVICES.items():
            for volume in service.get("volumes", ()):
                source = volume.partition(":")[0]
                assert (DEPLOY / source).exists() if source.startswith(".") else source in DOCUMENT["volumes"], name
            assert set(service.get("depends_on", {})) < set(SERVICES)
        built = SERVICES["varnish"]["build"]
        assert (DEPLOY / built["context"] / built["dockerfile"]).is_file()
        assert (DEPLOY / SERVICES["admin"]["build"] / "Dockerfile").is_file()

    def test_only_this_machine_reaches_it(self) -> None:
        """What is published is Varnish and the admin side, on loopback: the secrets are known to everybody."""
        published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
        assert published == {"varnish": ["127.0.0.1:8000:8000"], "admin": ["127.0.0.1:8081:8081"]}

    @pytest.mark.parametrize("name", [*OURS, "bucket", "varnish"])
    def test_a_container_may_do_nothing(self, name: str) -> None:
        """It has no rights, cannot get any, and writes only where a volume is."""
        service = SERVICES[name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "/tmp" in service["tmpfs"]


class TestHolds:
    @each_of_ours
    def test_settings(self, name: str) -> None:
        """Every variable is a setting, its value holds, and the container has the time to end that it needs."""
        settings = settings_of(name)
        needed = settings.shutdown_seconds + KILL_SECONDS + GIVE_UP_SECONDS
        assert needed <= float(SERVICES[name]["stop_grace_period"].removesuffix("s"))

    @each_of_ours
    def test_the_command_is_one(self, name: str) -> None:
        """What is run is a command with its options, of the one face that the container is for."""
        called, *arguments = SERVICES[name]["command"]
        whole = click.Context(main, **main.context_settings)
        command = main.get_command(whole, called)
        assert command is not None
        context = command.make_context(called, list(arguments), parent=whole)
        assert (context.params["edge_only"], context.params["admin_only"]) == (name in EDGES, name == "admin")

    def test_the_admin_side_asks_each_edge(self) -> None:
        """Each edge is in DOCSREDIRECT_EDGES, with the port at which it answers ops for all addresses."""
        named = {f"http://{name}:{settings_of(name).ops.port}" for name in EDGES}
        assert set(settings_of("admin").edges) == named
        assert {settings_of(name).ops.host for name in EDGES} == {"0.0.0.0"}

    def test_the_admin_side_purges_varnish(self) -> None:
        """The instance, its port and the token are those of the container."""
        settings, varnish = settings_of("admin"), SERVICES["varnish"]
        (port,) = re.findall(r'"-a", ":(\d+)"', (DEPLOY / "compose" / "varnish.Dockerfile").read_text(encoding="utf-8"))
        assert settings.purge is not None
        assert (settings.purge.kind, settings.purge.places) == ("varnish", (f"http://varnish:{port}",))
        assert settings.purge_token == varnish["environment"]["DOCSREDIRECT_PURGE_TOKEN"]
        assert varnish["ports"] == [f"127.0.0.1:8000:{port}"]

    def test_edges_let_in_varnish_alone(self) -> None:
        """Edges ask for the secret that Varnish shows them."""
        shown = SERVICES["varnish"]["environment"]["DOCSREDIRECT_CDN_SECRET"]
        assert [settings_of(name).cdn_secret for name in EDGES] == [(shown,), (shown,)]

    def test_varnish_asks_each_edge(self) -> None:
        """The backends are the edges, at the port that they listen on, and nothing that is not there."""
        text = (DEPLOY / "varnish" / "backends.vcl").read_text(encoding="utf-8")
        code = re.sub(r"#.*|//.*", "", text)
        found = re.findall(r'\.host\s*=\s*"([^"]+)";\s*\.port\s*=\s*"([^"]+)";', code)
        assert {(name, str(settings_of(name).edge.port)) for name in EDGES} == set(found)

    def test_each_side_has_the_rights_that_it_needs(self) -> None:
        """The store knows both users; the edge's may do there what the policy for S3 lets it do, and no more."""
        keys = {each["name"]: each["credentials"] for each in IDENTITIES}
        for name, user in (("admin", "admin"), ("bucket", "admin"), ("edge-1", "edge"), ("edge-2", "edge")):
            variables = SERVICES[name]["environment"]
            told = {"accessKey": variables["AWS_ACCESS_KEY_ID"], "secretKey": variables["AWS_SECRET_ACCESS_KEY"]}
            assert keys[user] == [told]
        place = settings_of("edge-1").store.removeprefix("s3://")
        bucket = place.partition("/")[0]
        # SeaweedFS takes what does not end in an asterisk for the name of a bucket.
        readable = {
            f"Read:{place}/{where.rstrip('*')}*" for action, where in grants("edge") if action == "s3:GetObject"
        }
        assert {each["name"]: set(each["actions"]) for each in IDENTITIES} == {
            "edge": readable | {f"List:{bucket}"},
            "admin": {f"Admin:{bucket}"},
        }

    def test_all_use_one_store(self) -> None:
        """Both sides and the bucket's maker mean the same bucket, at the port of the store."""
        places = {(service["DOCSREDIRECT_STORE"], service["AWS_ENDPOINT_URL_S3"]) for service in _ours_and_bucket()}
        assert places == {(settings_of("admin").store, "http://store:8333")}


def _ours_and_bucket() -> list[dict[str, str]]:
    return [SERVICES[name]["environment"] for name in (*OURS, "bucket")]


def made(gateway: Rgw, store: str) -> subprocess.CompletedProcess[str]:
    """Run what makes the bucket."""
    script = DEPLOY / "compose" / "bucket.py"
    variables = SERVICES["bucket"]["environment"] | on(gateway, store)
    return subprocess.run(
        [sys.executable, str(script)], env=variables, capture_output=True, text=True, timeout=60, check=False
    )


def on(gateway: Rgw, store: str) -> dict[str, str]:
    """Return what leads to a store that is here, instead of the container's."""
    return {
        "AWS_ENDPOINT_URL_S3": gateway.endpoint,
        "AWS_ACCESS_KEY_ID": gateway.owner.access_key,
        "AWS_SECRET_ACCESS_KEY": gateway.owner.secret_key,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "DOCSREDIRECT_STORE": store,
        "NO_PROXY": "127.0.0.1",
    }


@asynccontextmanager
async def started(name: str, folder: Path, gateway: Rgw, store: str) -> AsyncIterator[Served]:
    """Start what is in a container."""
    folder.mkdir()
    there = FREE | on(gateway, store) | {"DOCSREDIRECT_STATE_DIR": str(folder / "state"), "DOCSREDIRECT_PURGE": ""}
    variables = {**SERVICES[name]["environment"], **there}
    async with serving(folder, *SERVICES[name]["command"][1:], processes=2, before="", **variables) as served:
        yield served


@on_rgw
class TestForReal:
    def test_the_bucket_is_made_once(self) -> None:
        """It is made where there is none, left alone where there is one, and whatever else happens is said."""
        gateway, store = rgw.shared(), f"s3://bucket-{uuid.uuid4().hex}/local"
        for _ in range(2):
            done = made(gateway, store)
            assert (done.returncode, done.stderr) == (0, "")
        refused = made(gateway, "s3://No-Bucket-Is-Called-So/local")
        assert refused.returncode == 1
        assert "No-Bucket-Is-Called-So could not be made" in refused.stderr
        assert "Traceback" not in refused.stderr

    async def test_it_serves_the_sample(self, tmp_path: Path) -> None:
        """With what the containers are started with, the admin side fills the store with the sample, and an edge
        answers Varnish, and nobody else, for it."""
        gateway, store = rgw.shared(), f"s3://bucket-{uuid.uuid4().hex}/local"
        assert made(gateway, store).returncode == 0
        async with (
            started("admin", tmp_path / "admin", gateway, store),
            started("edge-1", tmp_path / "edge", gateway, store) as edge,
            asyncio.timeout(20),
        ):
            secret = SERVICES["varnish"]["environment"]["DOCSREDIRECT_CDN_SECRET"]
            while (answered := await asked(edge, f"X-CDN-Secret: {secret}\r\n")) == 404:
                await asyncio.sleep(0.05)
            assert (answered, await asked(edge, "")) == (301, 403)


async def asked(edge: Served, headers: str) -> int:
    """Return what a page of the sample is answered with."""
    connection = await Connection.open(edge.ports["edge"])
    connection.send(f"GET /pyenchant/download.html HTTP/1.1\r\nHost: localhost:8000\r\n{headers}\r\n".encode())
    response = await connection.receive()
    await connection.close()
    assert response is not None
    return response.status
