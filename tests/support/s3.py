"""S3 for tests: moto's server, a front before it that can do wrong, and the environment that leads to either.

moto's server is the only way: what moto patches in place does not reach aiobotocore. It checks no signatures.
"""

import logging
import urllib.request
from collections.abc import Awaitable, Callable
from functools import cache
from types import TracebackType
from typing import Any, Self

import aiohttp
import pytest
from aiobotocore.session import AioSession, get_session
from aiohttp import web
from moto import backends
from moto.server import ThreadedMotoServer

from tests.support.rgw import User

ANYBODY = User("anybody", "an-access-key", "a-secret-key")
"""A user where nobody checks."""

_HOP_BY_HOP = {"connection", "content-length", "host", "keep-alive", "transfer-encoding"}

Answer = Callable[[web.Request], Awaitable[web.StreamResponse | None]]


def lead_to(monkeypatch: pytest.MonkeyPatch, endpoint: str, user: User = ANYBODY) -> None:
    """Make the environment that of `user` at `endpoint`, with nothing of this machine's own configuration."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", user.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", user.secret_key)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("docsredirect.store.s3_client.get_session", _session)


def _session() -> AioSession:
    """Return a session of its own that reads S3's description from memory: a tenth of the time, for many clients."""
    session = get_session()
    session.register_component("data_loader", _loader())
    return session


@cache
def _loader() -> Any:
    return get_session().get_component("data_loader")


class Moto:
    """moto's S3 at `endpoint`, in a thread of this process."""

    def __init__(self) -> None:
        # A line for each request would bury what a failed test has to say.
        logging.getLogger("werkzeug").setLevel(logging.WARNING)
        # moto looks through its own folder for each request, which takes half of the time.
        names = frozenset(backends.list_of_moto_modules())
        backends.list_of_moto_modules = lambda: names
        server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        server.start()
        self.port = server.get_host_and_port()[1]
        self.endpoint = f"http://127.0.0.1:{self.port}"

    @classmethod
    @cache
    def shared(cls) -> Self:
        """Return the one of this run, started now if it was not before. Its thread ends with the process."""
        return cls()

    def reset(self) -> None:
        """Forget all that was stored."""
        self._ask("POST", "/moto-api/reset")

    def make_bucket(self, name: str) -> None:
        """Make an empty bucket."""
        self._ask("PUT", f"/{name}")

    def _ask(self, method: str, path: str) -> None:
        with urllib.request.urlopen(urllib.request.Request(self.endpoint + path, b"", method=method), timeout=10):
            pass


class Front:
    """A server at `endpoint`, while it is entered, that forwards to `upstream` all that it is not told to answer.

    `answer` is asked first and answers in the upstream's place, or returns None. `deaf_to` are headers of requests
    that it does not pass on, in lower case. `requests` lists method and path of all that came.
    """

    def __init__(self, upstream: str) -> None:
        self.answer: Answer | None = None
        self.deaf_to: set[str] = set()
        self.requests: list[tuple[str, str]] = []
        self.endpoint = ""
        self.port = 0
        self._upstream = upstream

    def count(self, method: str) -> int:
        """Return how many requests came with a method."""
        return sum(asked == method for asked, _ in self.requests)

    async def __aenter__(self) -> Self:
        application = web.Application(client_max_size=0)
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._client = aiohttp.ClientSession(auto_decompress=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()
        await self._client.close()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.method, request.raw_path))
        answer = await self.answer(request) if self.answer else None
        return answer or await self.forward(request)

    async def forward(self, request: web.Request) -> web.Response:
        """Return what the upstream answers."""
        dropped = _HOP_BY_HOP | self.deaf_to
        headers = {name: value for name, value in request.headers.items() if name.lower() not in dropped}
        asked = self._client.request(
            request.method, self._upstream + request.raw_path, headers=headers, data=await request.read()
        )
        async with asked as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP}
            return web.Response(status=answer.status, headers=kept, body=await answer.read())
