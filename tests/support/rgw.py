"""A real Ceph RGW, for tests of what S3 is like where it is not AWS: one node on loopback, its data in memory.

One is started for the whole run, when a test first asks for it. Its processes are killed at the end, by the kernel
too, should this process be: they hold nothing that anybody wants.
"""

import atexit
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Callable
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import botocore.session
import pytest

from tests.support import real_parts

_PROGRAMS = ("radosgw", "radosgw-admin", "ceph-mon", "ceph-osd", "ceph", "ceph-authtool", "monmaptool")
_COMMAND_SECONDS = 30
_START_SECONDS = 30.0
_TRIES = 3
"""Another program may take a port between its choice and its use."""

_CONFIGURATION = """\
[global]
fsid = {fsid}
mon initial members = a
mon host = v2:127.0.0.1:{mon_port}
public addr = 127.0.0.1
cluster addr = 127.0.0.1
run dir = {folder}
admin socket = {folder}/$cluster-$name.asok
pid file = {folder}/$name.pid
log file = {folder}/$name.log
crash dir = {folder}
keyring = {folder}/keyring
mon data = {folder}/mon
osd data = {folder}/osd
osd objectstore = memstore
memstore device bytes = 536870912
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd max object name len = 2048
mon allow pool size one = true
mon osd min in ratio = 0.1
paxos propose interval = 0.02
paxos min wait = 0.01
mon data avail crit = 1
mon data avail warn = 2
mon max pg per osd = 1000
osd class load list = *
osd class default list = *
[client.rgw]
rgw data = {folder}/rgw
rgw frontends = beast endpoint=127.0.0.1:{port} tcp_nodelay=1
rgw enable usage log = false
rgw thread pool size = 64
debug rgw = 0
"""

# Ceph's command line is a program of the system's Python, which must not see this one's modules.
_ALONE = {"PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"}

_Test = TypeVar("_Test", bound=Callable[..., object])


class User(NamedTuple):
    """Who may ask: the name, and the two halves of the credentials."""

    name: str
    access_key: str
    secret_key: str


def on_rgw(test: _Test) -> _Test:
    """Mark a test, or a class of them, as one that needs Ceph."""
    for program in _PROGRAMS:
        test = pytest.mark.real_part(program)(test)
    return test


@cache
def shared() -> "Rgw":
    """Return the gateway of this run, started now if it was not before."""
    for _ in range(_TRIES - 1):
        try:
            return Rgw()
        except (subprocess.SubprocessError, TimeoutError):
            continue
    return Rgw()


class Rgw:
    """A gateway that answers on `port`, at `endpoint`. `owner` may do everything in it."""

    def __init__(self) -> None:
        # Not a folder of pytest's: paths of Unix sockets are limited to 107 bytes.
        self._folder = Path(tempfile.mkdtemp(prefix="rgw-"))
        self._processes: list[subprocess.Popen[bytes]] = []
        self._session = botocore.session.get_session()
        self.port = _free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        atexit.register(self.stop)
        try:
            self._prepare(_free_port())
            self._start_cluster()
            self.owner = self.add_user("owner", "--caps=user-policy=*")
            self._start("radosgw", "-n", "client.rgw")
            self._wait()
        except BaseException:
            self.stop()
            raise

    def add_user(self, name: str, *options: str) -> User:
        """Make a user who may do nothing in what belongs to others, until a policy says so."""
        user = User(name, f"{name}-access-key", f"{name}-secret-key")
        keys = (f"--access-key={user.access_key}", f"--secret={user.secret_key}")
        self._run("radosgw-admin", "user", "create", f"--uid={name}", f"--display-name={name}", *keys, *options)
        return user

    def allow(self, user: User, policy: str) -> None:
        """Give a user a policy, as AWS attaches one to a role."""
        with closing(self._client("iam")) as client:
            client.put_user_policy(UserName=user.name, PolicyName="all", PolicyDocument=policy)

    def make_bucket(self, name: str) -> None:
        """Make an empty bucket of the owner's."""
        with closing(self._client("s3")) as client:
            client.create_bucket(Bucket=name)

    def _client(self, service: str) -> Any:
        return self._session.create_client(
            service,
            region_name="us-east-1",
            endpoint_url=self.endpoint,
            aws_access_key_id=self.owner.access_key,
            aws_secret_access_key=self.owner.secret_key,
        )

    def stop(self) -> None:
        """Kill what runs and remove what it left. Doing it twice does no harm."""
        atexit.unregister(self.stop)
        while self._processes:
            process = self._processes.pop()
            process.kill()
            process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _prepare(self, mon_port: int) -> None:
        for name in ("mon", "osd", "rgw"):
            (self._folder / name).mkdir()
        fsid = str(uuid.uuid4())
        text = _CONFIGURATION.format(fsid=fsid, folder=self._folder, port=self.port, mon_port=mon_port)
        (self._folder / "ceph.conf").write_text(text)
        keyring, everything = f"{self._folder}/keyring", ("--cap", "mon", "allow *", "--cap", "osd", "allow *")
        self._run("ceph-authtool", "--create-keyring", keyring, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
        for name in ("client.admin", "osd.0", "client.rgw"):
            self._run("ceph-authtool", keyring, "--gen-key", "-n", name, *everything)
        address = f"[v2:127.0.0.1:{mon_port}]"
        self._run("monmaptool", "--create", "--fsid", fsid, "--addv", "a", address, f"{self._folder}/monmap")

    def _start_cluster(self) -> None:
        files = ("--monmap", f"{self._folder}/monmap", "--keyring", f"{self._folder}/keyring")
        self._run("ceph-mon", "-i", "a", "--mkfs", *files)
        self._start("ceph-mon", "-i", "a")
        osd = str(uuid.uuid4())
        self._run("ceph", "osd", "new", osd, "0")
        self._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
        self._run("ceph", "osd", "crush", "add", "osd.0", "1.0", "root=default", "host=localhost")
        self._start("ceph-osd", "-i", "0")

    def _command(self, program: str, arguments: tuple[str, ...]) -> list[str]:
        return [real_parts.path_of(program), "--conf", f"{self._folder}/ceph.conf", *arguments]

    def _run(self, program: str, *arguments: str) -> None:
        with (self._folder / "commands.log").open("ab") as log:
            words = self._command(program, arguments)
            subprocess.run(words, env=_ALONE, stdout=log, stderr=log, timeout=_COMMAND_SECONDS, check=True)

    def _start(self, program: str, *arguments: str) -> None:
        words = self._command(program, ("--foreground", *arguments))
        if shutil.which("setpriv"):
            words = ["setpriv", "--pdeathsig", "KILL", *words]
        with (self._folder / "commands.log").open("ab") as log:
            self._processes.append(subprocess.Popen(words, env=_ALONE, stdout=log, stderr=log))

    def _wait(self) -> None:
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until and all(process.poll() is None for process in self._processes):
            try:
                with urllib.request.urlopen(self.endpoint, timeout=5):
                    return
            except OSError:
                time.sleep(0.05)
        raise TimeoutError((self._folder / "commands.log").read_text(errors="replace")[-2_000:])


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
