"""The stores that a benchmark runs on: a folder, moto's server, a real Ceph RGW, or one that the command line names."""

import asyncio
import atexit
import functools
import itertools
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from aiobotocore.session import get_session

from docsredirect.store import open_store
from tests.bench import prepared
from tests.support import rgw
from tests.support.http import free_port

_S3_ETAG_DIGITS = 32
_numbers = itertools.count(1)


class Place(NamedTuple):
    """A store for one measurement, and the environment in which processes find it."""

    kind: str
    url: str
    environ: dict[str, str]

    @property
    def folder(self) -> Path | None:
        """The store's folder, where it is one."""
        return Path(self.url.removeprefix("file://")) if self.url.startswith("file://") else None

    @property
    def endpoint_port(self) -> int:
        """The port of loopback where an S3 store answers."""
        return int(self.environ["AWS_ENDPOINT_URL_S3"].rpartition(":")[2])

    def through(self, port: int) -> "Place":
        """Return the same S3 store, reached through another port of loopback."""
        return self._replace(environ={**self.environ, "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{port}"})


@contextmanager
def place_with(kind: str, count: int) -> Iterator[Place]:
    """Give a store of a kind (see `Options.store`) that holds a table of `count` projects, or, for 0, nothing.

    What moto and RGW hold goes with them, at the end of the run; what a named store holds stays.
    """
    if kind == "directory":
        with prepared.folder_with(count) as folder:
            yield Place(kind, folder.as_uri(), {})
        return
    place = _made(kind)
    if count:
        with environment(place.environ):
            asyncio.run(_fill(place.url, count))
    yield place


@contextmanager
def environment(environ: Mapping[str, str]) -> Iterator[None]:
    """Set variables of this process while the context lasts."""
    before = {name: os.environ.get(name) for name in environ}
    os.environ.update(environ)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


async def _fill(url: str, count: int) -> None:
    async with open_store(url) as store:
        await prepared.write_table(store, count, etag_digits=_S3_ETAG_DIGITS)


def _made(kind: str) -> Place:
    if kind == "rgw":
        server = rgw.shared()
        endpoint, owner = server.endpoint, server.owner
        access, secret = owner.access_key, owner.secret_key
    elif kind == "moto":
        endpoint, access, secret = f"http://127.0.0.1:{_moto()}", "testing", "testing"
    else:
        names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
        named = next((os.environ[name] for name in names if name in os.environ), None)
        return Place(kind, kind, {} if named is None else {"AWS_ENDPOINT_URL_S3": named})
    environ = {
        "AWS_ENDPOINT_URL_S3": endpoint,
        "AWS_ACCESS_KEY_ID": access,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    bucket = f"docsredirect-bench-{next(_numbers)}"
    with environment(environ):
        asyncio.run(_make_bucket(endpoint, bucket))
    return Place(kind, f"s3://{bucket}/prefix", environ)


async def _make_bucket(endpoint: str, bucket: str) -> None:
    async with get_session().create_client("s3", endpoint_url=endpoint) as client:
        await client.create_bucket(Bucket=bucket)


@functools.cache
def _moto() -> int:
    """Return the port of a moto server of this run, in a process of its own that ends with this one."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    atexit.register(process.kill)
    for _ in range(300):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/moto-api/data.json", timeout=5):
                return port
        except OSError:
            time.sleep(0.1)
    raise TimeoutError("moto's server does not answer")
