"""`serve` as processes: its modes, what it tells of itself over them all, the first token, and what it leaves."""

import asyncio
import json
import os
import re
import resource
import signal
import socket
import stat
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import click
import pytest
from structlog.testing import capture_logs

from docsredirect.cli import bootstrap, run_folder
from docsredirect.cli.run_folder import YOUNG_SECONDS
from docsredirect.cli.terminal import WrongUse
from docsredirect.domain.settings import load
from tests.support.http import Connection

SERVE = (sys.executable, "-m", "docsredirect", "serve")
FREE = dict.fromkeys(("DOCSREDIRECT_EDGE", "DOCSREDIRECT_ADMIN", "DOCSREDIRECT_OPS"), "127.0.0.1:0")
FAST = {"DOCSREDIRECT_POLL_SECONDS": "0.1"}


class Served:
    """A running `serve`: its process, its run folder's parent, and where it listens."""

    def __init__(self, process: asyncio.subprocess.Process, runs: Path) -> None:
        self.process = process
        self.runs = runs
        self.ports: dict[str, int] = {}
        self.said: list[str] = []

    @property
    def lines(self) -> list[dict[str, Any]]:
        """What was logged until now."""
        return [json.loads(line) for line in self.said if line.startswith("{")]

    async def until(self, event: str, times: int = 1) -> list[dict[str, Any]]:
        """Read on until `event` was logged so many times in all, and return the lines that did."""
        assert self.process.stderr is not None
        async with asyncio.timeout(40):
            while len(found := [line for line in self.lines if line["event"] == event]) < times:
                line = await self.process.stderr.readline()
                assert line, f"it ended before {event}: {self.said}"
                self.said.append(line.decode())
        return found

    async def ask(self, path: str, *, face: str = "ops", method: str = "GET") -> Any:
        """Return the JSON, or else the text, that a face answers."""
        connection = await Connection.open(self.ports[face])
        response = await connection.get(path, host="localhost", method=method)
        await connection.close()
        is_json = (response.header("content-type") or "").endswith("json")
        return json.loads(response.body) if is_json else response.body.decode()

    async def status(self, until: Callable[[Any], bool]) -> Any:
        """Return the status as soon as it is as wanted."""
        async with asyncio.timeout(30):
            while not until(found := await self.ask("/-/status")):
                await asyncio.sleep(0.05)
        return found

    async def metric(self, name: str, **labels: str) -> float:
        """Return the value of a metric of ours, 0 where it is not there."""
        shown = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
        line = f"docsredirect_{name}{{{shown}}} " if shown else f"docsredirect_{name} "
        found = [each for each in (await self.ask("/-/metrics")).splitlines() if each.startswith(line)]
        return float(found[0].removeprefix(line)) if found else 0.0

    async def metric_is(self, value: float, name: str, **labels: str) -> None:
        """Wait until a metric has a value."""
        async with asyncio.timeout(20):
            while await self.metric(name, **labels) != value:
                await asyncio.sleep(0.1)

    async def edge_asked(self, times: int, path: str = "/six/") -> None:
        """Ask the edge, each time on a new connection, so that every worker gets some."""
        for _ in range(times):
            connection = await Connection.open(self.ports["edge"])
            await connection.get(path)
            await connection.close()

    async def stop(self) -> int:
        """Send SIGTERM and return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(15):
            return await self.process.wait()


@asynccontextmanager
async def serving(
    folder: Path, *arguments: str, processes: int = 2, before: str = "", **environ: str
) -> AsyncIterator[Served]:
    """Run `serve` over a store in `folder`, and `before` it some Python, until so many processes serve."""
    runs = folder / "runs"
    runs.mkdir(exist_ok=True)
    common = {**FREE, **FAST, "DOCSREDIRECT_STORE": str(folder / "store"), "TMPDIR": str(runs)}
    command = (sys.executable, "-c", f"{before}\nfrom docsredirect.cli import main\nmain()", "serve")
    process = await asyncio.create_subprocess_exec(
        *(command if before else SERVE), *arguments, env={**os.environ, **common, **environ}, start_new_session=True,
        stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    served = Served(process, runs)
    try:
        control = "--admin-only" in arguments
        await served.until("control serves")
        await served.until("worker serves", processes - 1) if not control else None
        served.ports = {line["face"]: line["port"] for line in served.lines if line["event"] == "listening"}
        yield served
    finally:
        if process.returncode is None:
            process.kill()
        async with asyncio.timeout(15):
            await process.communicate()


async def _refused(*arguments: str, **environ: str) -> tuple[int | None, str]:
    """Run a `serve` that does not start, and return its exit code and what it says."""
    process = await asyncio.create_subprocess_exec(
        *SERVE, *arguments, env={**os.environ, **FREE, **environ}, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(20):
        _, errors = await process.communicate()
    return process.returncode, errors.decode()


@pytest.mark.parametrize(
    ("flags", "mode", "faces", "roles"),
    [
        ((), "all", {"edge", "admin", "ops"}, {"worker", "control"}),
        (("--edge-only",), "edge-only", {"edge", "ops"}, {"worker", "control"}),
        (("--admin-only",), "admin-only", {"admin", "ops"}, {"control"}),
    ],
)
async def test_a_mode_opens_its_listeners_and_no_other(
    tmp_path: Path, flags: tuple[str, ...], mode: str, faces: set[str], roles: set[str]
) -> None:
    """Ops is there in every mode, says which one it is, and is ready when those can be answered who it is for."""
    async with serving(tmp_path, *flags, "--sample") as served:
        assert set(served.ports) == faces
        told = await served.status(lambda found: found["sequence"] == 1)
        assert (told["mode"], told["rows"], told["stale"]) == (mode, 68, False)
        assert {process["role"] for process in told["processes"]} == roles
        assert await served.ask("/-/health/ready") == {"ready": True}
        if "edge" in faces:
            await served.edge_asked(1)
        if "admin" in faces:
            assert "openapi" in await served.ask("/-/api/v1/openapi.json", face="admin")
        said = "".join(served.said)
        for face, path in (("admin", "/-/api/v1"), ("ops", "/-/status")):
            assert (f"http://127.0.0.1:{served.ports.get(face)}{path}" in said) is (face in faces)
        assert await served.stop() == 0
        for port in served.ports.values():
            with socket.socket() as probe:
                assert probe.connect_ex(("127.0.0.1", port)) != 0


async def test_both_modes_at_once_are_wrong_use() -> None:
    """Exit 2, and a sentence."""
    code, errors = await _refused("--edge-only", "--admin-only")
    assert (code, "--edge-only and --admin-only exclude each other." in errors) == (2, True)


@pytest.mark.parametrize("variable", ["DOCSREDIRECT_ADMIN", "DOCSREDIRECT_OPS"])
async def test_a_port_that_is_taken_is_named_with_its_setting(tmp_path: Path, variable: str) -> None:
    """No traceback: the address, and what to set."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        code, errors = await _refused(**{variable: address, "DOCSREDIRECT_STORE": str(tmp_path / "store")})
    said = f"Error: Cannot listen on {address}: Address already in use. Set {variable} to another host:port.\n"
    assert (code, errors) == (1, said)
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("usable", ["wanted", "memory", "system"])
def test_the_run_folder_is_made_in_the_first_place_that_takes_it(
    tmp_path: Path, usable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TMPDIR, memory, the system's folder for temporary files: in this order, and without a word."""
    places = {name: tmp_path / name for name in ("wanted", "memory", "system")}
    for name in list(places)[list(places).index(usable) :]:
        places[name].mkdir()
    monkeypatch.setenv("TMPDIR", str(places["wanted"]))
    monkeypatch.setattr(run_folder, "_MEMORY", str(places["memory"]))
    monkeypatch.setattr(tempfile, "tempdir", str(places["system"]))
    with capture_logs() as logs:
        assert Path(run_folder.make()).parent == places[usable]
    assert logs == []


_NO_PLACE = """
import tempfile
from docsredirect.cli import run_folder
run_folder._MEMORY = tempfile.tempdir = "/proc/none"
"""


async def test_without_a_run_folder_the_service_serves(tmp_path: Path) -> None:
    """It says what is not to be had; edge and admin side answer, die and are replaced as ever, and nothing is left."""
    async with serving(tmp_path, "--sample", before=_NO_PLACE, TMPDIR=str(tmp_path / "gone")) as served:
        (said,) = await served.until("metrics and status stay empty, and ops is never ready")
        assert (said["level"], f"{tmp_path / 'gone'}: No such file" in said["reason"]) == ("warning", True)
        assert "TMPDIR" in said["remedy"]
        await served.edge_asked(1)
        assert "openapi" in await served.ask("/-/api/v1/openapi.json", face="admin")
        assert await served.ask("/-/health/live") == {"live": True}
        assert (await served.ask("/-/status"))["processes"] == []
        assert await served.ask("/-/metrics") == ""
        served.process.send_signal(signal.SIGHUP)
        await served.until("processes replaced")
        await asyncio.sleep(1.5)  # a sample is taken each second
        assert await served.stop() == 0
        assert served.process.stderr is not None
        served.said += (await served.process.stderr.read()).decode().splitlines()
        assert "what was counted is not reported" not in "".join(served.said)
        assert list(served.runs.iterdir()) == []


async def test_processes_may_hold_as_many_connections_as_the_system_allows(tmp_path: Path) -> None:
    """The soft limit of descriptors, 1,024 in most places, is raised to the hard one before there are processes."""
    most = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 4_096)
    assert most > 512
    before = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (256, {most}))"
    async with serving(tmp_path, before=before) as served:
        pids = [(await served.until(f"{role} serves"))[0]["pid"] for role in ("worker", "control")]
        for pid in pids:
            assert resource.prlimit(pid, resource.RLIMIT_NOFILE) == (most, most)
        held = [await Connection.open(served.ports["edge"]) for _ in range(400)]
        await served.edge_asked(1, "/-/health/live")
        for connection in held:
            await connection.close()


async def test_metrics_are_those_of_all_workers_and_never_go_back(tmp_path: Path) -> None:
    """Two workers are summed; one that is killed, and all that are replaced, take nothing away."""
    async with serving(tmp_path, "--sample", "--edge-only", processes=3, DOCSREDIRECT_WORKERS="2") as served:
        await served.edge_asked(40)
        await served.metric_is(40, "edge_answers_total", status="301")
        assert await served.metric("processes", role="worker") == 2
        os.kill((await served.until("worker serves", 2))[0]["pid"], signal.SIGKILL)
        await served.until("worker serves", 3)
        assert await served.metric("edge_answers_total", status="301") == 40
        await served.edge_asked(10)
        await served.metric_is(50, "edge_answers_total", status="301")
        served.process.send_signal(signal.SIGHUP)
        asking = asyncio.create_task(served.edge_asked(30))
        await served.until("processes replaced")
        await asking
        await served.metric_is(80, "edge_answers_total", status="301")
        assert await served.metric("processes", role="worker") == 2
        assert await served.metric("processes", role="control") == 1
        assert await served.metric("process_starts_total", role="worker") == 5
        assert await served.metric("table_sequence", role="worker") == 1


async def test_the_run_folder_stays_small_and_is_gone_at_the_end(tmp_path: Path) -> None:
    """After ten replacements it holds no more files than after the first, and after SIGTERM there is none."""
    async with serving(tmp_path, "--edge-only") as served:
        (run,) = served.runs.iterdir()
        assert stat.S_IMODE(run.stat().st_mode) == 0o700
        counts = []
        for rounds in range(1, 11):
            served.process.send_signal(signal.SIGHUP)
            await served.until("processes replaced", rounds)
            await served.until("control ended", rounds)
            counts.append(len(list(run.iterdir())))
        assert max(counts) <= 3 * 6 + 1  # two processes and a successor: five metric files, a state and its draft
        assert counts[-1] <= counts[0] + 1
        assert len((await served.status(lambda _: True))["processes"]) == 2
        assert await served.stop() == 0
        assert list(served.runs.iterdir()) == []


async def test_the_run_folder_is_gone_also_when_the_parent_was_killed(tmp_path: Path) -> None:
    """The last process to end leaves nothing."""
    async with serving(tmp_path, processes=3, DOCSREDIRECT_WORKERS="2") as served:
        served.process.kill()
        async with asyncio.timeout(15):
            while list(served.runs.iterdir()):
                await asyncio.sleep(0.05)


async def test_what_a_killed_service_leaves_the_next_one_removes(tmp_path: Path) -> None:
    """Where every process was killed at once. What lives, is young, or is somebody else's stays."""
    async with serving(tmp_path) as first:
        (left,) = first.runs.iterdir()
        os.killpg(first.process.pid, signal.SIGKILL)
    async with serving(tmp_path) as second:
        (young,) = set(second.runs.iterdir()) - {left}
        long_ago = time.time() - 2 * YOUNG_SECONDS
        foreign = second.runs / "something-else"
        foreign.mkdir()
        for folder in (left, foreign):
            os.utime(folder, (long_ago, long_ago))
        async with serving(tmp_path) as third:
            assert left not in third.runs.iterdir()
            assert {young, foreign} < set(third.runs.iterdir())
        assert await second.ask("/-/health/live") == {"live": True}


def test_nothing_but_run_folders_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store beside them has a name like theirs, and is old, and nobody holds it."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(run_folder, "YOUNG_SECONDS", -1.0)
    store = tmp_path / "docsredirect-data"
    store.mkdir()
    (store / "table.json").write_text("{}")
    run_folder.make()
    assert (store / "table.json").exists()


async def test_a_living_folder_is_not_removed_however_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock says that somebody is there."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(run_folder, "YOUNG_SECONDS", -1.0)
    mine = run_folder.make()
    other = run_folder.make()
    assert {mine, other} == {str(path) for path in tmp_path.iterdir()}


async def test_a_control_that_is_killed_is_restarted_and_the_edge_answers_meanwhile(tmp_path: Path) -> None:
    """The two have nothing to do with each other but their parent."""
    async with serving(tmp_path, "--sample") as served:
        (first,) = await served.until("control serves")
        os.kill(first["pid"], signal.SIGKILL)
        again = asyncio.create_task(served.until("control serves", 2))
        while not again.done():
            connection = await Connection.open(served.ports["edge"])
            assert (await connection.get("/six/")).status == 301
            await connection.close()
            await asyncio.sleep(0.01)
        (death,) = await served.until("control died")
        assert (death["pid"], death["signal"], death["level"]) == (first["pid"], signal.SIGKILL, "error")
        assert await served.ask("/-/health/live") == {"live": True}
        told = await served.status(lambda found: len(found["processes"]) == 2)
        assert await again and told["processes"][-1]["pid"] == (await again)[1]["pid"]
        assert await served.metric("process_starts_total", role="control") == 2


async def test_replacing_the_control_drops_no_request_to_ops(tmp_path: Path) -> None:
    """Its successor answers on the same sockets before it ends."""
    async with serving(tmp_path, "--edge-only") as served:
        served.process.send_signal(signal.SIGHUP)
        replaced = asyncio.create_task(served.until("control ended"))
        answers = 0
        while not replaced.done():
            assert await served.ask("/-/health/live") == {"live": True}
            answers += 1
        assert answers > 10
        (first, second) = [line["pid"] for line in await served.until("control serves", 2)]
        assert first != second


async def test_a_refused_table_is_in_the_status(tmp_path: Path) -> None:
    """Its sequence and why, beside what is applied; and in the metrics."""
    async with serving(tmp_path, "--sample", "--edge-only") as served:
        await served.status(lambda found: found["sequence"] == 1)
        path = tmp_path / "store" / "table.json"
        table = json.loads(path.read_bytes())
        table["sequence"], table["epoch"] = 41, "0" * 16
        path.write_text(json.dumps(table))
        told = await served.status(lambda found: found["reason"] is not None)
        assert (told["sequence"], told["refused_sequence"]) == (1, 41)
        assert told["reason"].startswith("table.json is of epoch 0000000000000000, which does not follow ")
        await served.metric_is(1, "table_refusals_total")
        assert await served.metric("polls_total", outcome="refused") >= 1


async def test_odd_requests_make_no_labels(tmp_path: Path) -> None:
    """Whatever is sent to any face, a metric has only the labels that were thought of, and no byte of a request."""
    async with serving(tmp_path, "--sample") as served:
        for face in served.ports:
            for request in (
                b"PROPFIND /zzsecret/x HTTP/1.1\r\nHost: zzsecret.example.org\r\n\r\n",
                b"GET /-/api/v1/projects/zzsecret?zzsecret=1 HTTP/1.1\r\nHost: localhost\r\n"
                b"Authorization: Bearer zzsecret\r\n\r\n",
                b"zzsecret\r\n\r\n",
                b"GET /zzsecret/zzsecret HTTP/1.1\r\nHost: localhost\r\n\r\n",
            ):
                connection = await Connection.open(served.ports[face])
                connection.send(request)
                await connection.receive()
                await connection.close()
        await served.metric_is(1, "edge_answers_total", status="400")
        shown = await served.ask("/-/metrics")
        assert "zzsecret" not in shown
        found: dict[str, set[str]] = {}
        for key, value in re.findall(r'(\w+)="([^"]*)"', shown):
            found.setdefault(key, set()).add(value)
        templates = found.pop("route", set())
        assert all(re.fullmatch(r"other|/-/[a-z0-9./]*(\{[a-z]+\}[a-z/]*)*", each) for each in templates)
        assert found["role"] == {"worker", "control"}
        assert found.get("method", set()) <= {"GET", "other"}
        assert set(found) <= {"status", "method", "role", "outcome", "operation", "result", "reason", "le", "version",
                              "python"}  # fmt: skip


async def test_the_first_token_is_made_once_kept_and_printed_once(tmp_path: Path) -> None:
    """In the store's folder, for nobody else to read; the next start says nothing of it; the admin side takes it."""
    path = tmp_path / "store" / "admin-token"
    for start in (1, 2):
        async with serving(tmp_path) as served:
            token = path.read_text().strip()
            assert "".join(served.said).count(token) == (1 if start == 1 else 0)
            assert ("".join(served.said).count(str(path)) > 0) is (start == 1)
            assert await asyncio.to_thread(_status_with, served.ports["admin"], token) == 200
            assert await asyncio.to_thread(_status_with, served.ports["admin"], "x" * 43) == 401
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(token) >= 43


def _status_with(port: int, token: str) -> int:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/-/api/v1/projects", headers={"Authorization": f"Bearer {token}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            status: int = response.status
    except urllib.error.HTTPError as error:
        status = error.code
    return status


async def test_on_s3_the_first_token_must_be_set() -> None:
    """Exit 2 before anything is opened, with what to do; an edge needs none."""
    code, errors = await _refused(DOCSREDIRECT_STORE="s3://bucket/prefix")
    assert code == 2
    for word in ("DOCSREDIRECT_ADMIN_TOKEN", "openssl rand -hex 32", "--edge-only", "s3://bucket/prefix"):
        assert word in errors


async def test_an_edge_on_s3_starts_without_a_token(tmp_path: Path) -> None:
    """It writes nothing, so that there is nothing to protect."""
    unreachable = {
        "DOCSREDIRECT_STORE": "s3://bucket/prefix", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_EC2_METADATA_DISABLED": "true",
        "DOCSREDIRECT_STATE_DIR": str(tmp_path / "state"),
    }  # fmt: skip
    async with serving(tmp_path, "--edge-only", processes=2, **unreachable) as served:
        assert await served.ask("/-/health/live", face="edge") == {"live": True}
        assert await served.ask("/-/health/ready") == {"ready": False}
        assert (await served.ask("/-/status"))["store"] == "s3://bucket/prefix"


def _settings(store: Path | str, **environ: str) -> Any:
    return load({"DOCSREDIRECT_STORE": str(store), **environ}).settings


def test_the_setting_beats_the_file(tmp_path: Path) -> None:
    """With it, no file is made."""
    settings = _settings(tmp_path / "store", DOCSREDIRECT_ADMIN_TOKEN="s" * 32)
    assert bootstrap.admin_token(settings) == ("s" * 32, None)
    assert bootstrap.existing_admin_token(settings) == "s" * 32
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_a_token_is_made_once_in_the_folder(tmp_path: Path, form: str) -> None:
    """However the store is written; who asks only for one that exists makes none."""
    settings = _settings(form.format(tmp_path / "deep" / "store"))
    assert bootstrap.existing_admin_token(settings) is None
    made, path = bootstrap.admin_token(settings)
    assert path == tmp_path / "deep" / "store" / "admin-token"
    assert bootstrap.admin_token(settings) == (made, None)
    assert bootstrap.existing_admin_token(settings) == made


async def test_who_loses_the_race_reads_what_the_winner_wrote(tmp_path: Path) -> None:
    """One of many makes the token, all have it, and nothing else is left in the folder."""
    settings = _settings(tmp_path / "store")
    tokens = await asyncio.gather(*(asyncio.to_thread(bootstrap.admin_token, settings) for _ in range(16)))
    assert len({token.token for token in tokens}) == 1
    assert sum(token.made_in is not None for token in tokens) == 1
    assert [path.name for path in (tmp_path / "store").iterdir()] == ["admin-token"]


@pytest.mark.parametrize("failing", ["fsync", "link"])
def test_a_token_that_could_not_be_kept_leaves_no_file(
    tmp_path: Path, failing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start that breaks off leaves nothing that the next one would stumble over."""
    settings = _settings(tmp_path / "store")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, failing, fail)
        with pytest.raises(OSError, match="No space left"):
            bootstrap.admin_token(settings)
    assert list((tmp_path / "store").iterdir()) == []
    assert bootstrap.admin_token(settings).made_in is not None


@pytest.mark.parametrize("text", ["", "short\n", "a" * 31, "é" * 40, "a b" * 20])
def test_a_file_without_a_token_is_wrong_use(tmp_path: Path, text: str) -> None:
    """It is named, with the two ways out."""
    path = tmp_path / "admin-token"
    path.write_text(text)
    with pytest.raises(WrongUse, match=re.escape(f"{path} holds no token")) as raised:
        bootstrap.admin_token(_settings(tmp_path))
    assert isinstance(raised.value, click.ClickException)
    assert "DOCSREDIRECT_ADMIN_TOKEN" in raised.value.message


async def test_a_file_without_a_token_does_not_keep_the_edge_from_starting(tmp_path: Path) -> None:
    """A crash may have left it, or a person. It is said; the edge answers, and the admin side refuses everybody."""
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "admin-token").touch()
    async with serving(tmp_path, "--sample") as served:
        said = await served.until("no bootstrap token", 2)
        assert all("holds no token" in line["reason"] and "Remove it" in line["reason"] for line in said)
        await served.edge_asked(1)
        assert await asyncio.to_thread(_status_with, served.ports["admin"], "x" * 43) == 401


async def test_an_admin_side_alone_does_not_start_with_a_file_without_a_token(tmp_path: Path) -> None:
    """Exit 2: it is there for nothing else, and a person is told what to do."""
    path = tmp_path / "admin-token"
    path.touch()
    code, errors = await _refused("--admin-only", DOCSREDIRECT_STORE=str(tmp_path))
    assert code == 2
    assert f"{path} holds no token" in errors
    assert "Remove it to have one made" in errors


async def test_a_store_that_cannot_be_used_does_not_keep_the_edge_from_starting(tmp_path: Path) -> None:
    """There is no first token then, which is said; the edge and ops answer."""
    (tmp_path / "store").write_text("no folder")
    async with serving(tmp_path) as served:
        assert await served.ask("/-/health/live", face="edge") == {"live": True}
        assert len(await served.until("no bootstrap token was made")) == 1
        assert await served.ask("/-/health/ready") == {"ready": False}
