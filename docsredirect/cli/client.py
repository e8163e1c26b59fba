"""The client of the admin API: one session a command, patient with a server that starts, repeating only what does no
harm twice. Knows the API's routes by the paths it is given.

The token goes to the one server that was named: redirects are not followed, and of a list's links only the cursor is
taken. Calls return when they are answered, so that a question to a person in between can be ended with Ctrl-C.
"""

import asyncio
import random
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import aiohttp
import click
import msgspec
from yarl import URL

from docsredirect import __version__
from docsredirect.cli import terminal
from docsredirect.cli.contact import Server, find_server
from docsredirect.cli.exchange import JSON, Answer, NoAnswer, NotOurs, receive, told
from docsredirect.domain.settings import Loaded

API = "/-/api/v1"
AGENT = f"docsredirect/{__version__} (command line)"

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 30.0
PLAIN = aiohttp.ClientTimeout(total=TOTAL_SECONDS, sock_connect=CONNECT_SECONDS)

RETRIES = 3
PATIENCE_SECONDS = 10.0
"""The longest `Retry-After` that is waited for. Who is asked to wait longer is told so at once."""

_FIRST_PAUSE_SECONDS = 0.2
_PERHAPS_DONE = "It may have been done all the same: look at what is there before you try again."


class Request(NamedTuple):
    """What is asked. `repeatable`: asking twice does no more than asking once."""

    method: str
    path: str
    query: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
    body: bytes | None = None
    media: str = JSON
    repeatable: bool = True
    timeout: aiohttp.ClientTimeout = PLAIN
    patience: float = PATIENCE_SECONDS


class Client:
    """Speaks to one admin side. Made by `connected`.

    All that asks raises `Problem` for a problem that the API tells of, `NotOurs` where something else answers, and
    `NoAnswer` where nobody does.
    """

    def __init__(self, runner: asyncio.Runner, session: aiohttp.ClientSession, server: Server) -> None:
        self._runner = runner
        self._session = session
        self._server = server

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Answer:
        """Read what is at `path`, below the API's root."""
        return self.send(Request("GET", path, query or {}))

    def write(self, method: str, path: str, value: object = None, headers: Mapping[str, str] | None = None) -> Answer:
        """Change a project. A key makes one change of all repetitions."""
        keyed = {**(headers or {}), "Idempotency-Key": uuid.uuid4().hex}
        return self.send(Request(method, path, {}, keyed, None if value is None else msgspec.json.encode(value)))

    def send(self, request: Request) -> Answer:
        """Send a request, again where that does no harm and may help, and return its answer."""
        try:
            return self._runner.run(self._send(request)).checked()
        except NoAnswer as error:
            if error.sent and request.method != "GET" and "dry_run" not in request.query:
                raise click.ClickException(f"{error.message} {_PERHAPS_DONE}") from error
            raise

    def pages(self, path: str, query: Mapping[str, str], size: int) -> Iterator[Answer]:
        """Give the pages of a list, one after the other, each of at most `size` items."""
        seen = {""}
        page = {**query, "limit": str(size)}
        while True:
            answer = self.get(path, page)
            yield answer
            cursor = answer.next_cursor()
            if cursor is None:
                return
            if cursor in seen:
                raise NotOurs(answer.url, "leads from one page of a list back to an earlier one")
            seen.add(cursor)
            page["cursor"] = cursor

    @contextmanager
    def stream(self, request: Request) -> Iterator[tuple[Answer, Iterator[bytes]]]:
        """Give an answer without its body, and the body piece by piece: an answer that breaks off raises."""
        response = self._runner.run(self._opened(request))
        try:
            if response.status != 200:
                self._runner.run(receive(response)).checked()
            if "Transfer-Encoding" not in response.headers and response.content_length is None:
                raise NotOurs(response.url, "does not say where its answer ends")
            yield Answer(response.url, response.status, response.headers, b""), self._pieces(response)
        finally:
            response.close()

    def _pieces(self, response: aiohttp.ClientResponse) -> Iterator[bytes]:
        with told(response.url):
            while piece := self._runner.run(response.content.readany()):
                yield piece

    async def _send(self, request: Request) -> Answer:
        for attempt in range(RETRIES):
            try:
                answer = await receive(await self._open(request))
                wait = _wait(answer, request)
                if wait is None:
                    return answer
            except NoAnswer as error:
                if not _is_worth_repeating(error, request):
                    raise
                wait = 0.0
            await asyncio.sleep(wait + _pause(attempt))
        return await receive(await self._open(request))

    async def _opened(self, request: Request) -> aiohttp.ClientResponse:
        """Return an answer whose body is still to come."""
        for attempt in range(RETRIES):
            try:
                return await self._open(request)
            except NoAnswer as error:
                if not _is_worth_repeating(error, request):
                    raise
            await asyncio.sleep(_pause(attempt))
        return await self._open(request)

    async def _open(self, request: Request) -> aiohttp.ClientResponse:
        root = str(self._server.url).rstrip("/")
        url = URL(f"{root}{API}{request.path}", encoded=True).with_query(request.query)
        headers = dict(request.headers)
        if request.body is not None:
            headers["Content-Type"] = request.media
        with told(url):
            return await self._session.request(
                request.method, url, headers=headers, data=request.body, allow_redirects=False, timeout=request.timeout
            )


@contextmanager
def connected(url: str | None = None, loaded: Loaded | None = None) -> Iterator[Client]:
    """Give a client of the admin side that the settings name, or that is at `url`. Raises as `find_server` does."""
    server = find_server(url, loaded)
    with terminal.new_runner() as runner:
        session = runner.run(_new_session(server))
        try:
            yield Client(runner, session, server)
        finally:
            runner.run(session.close())


async def _new_session(server: Server) -> aiohttp.ClientSession:
    headers = {
        "Authorization": f"Bearer {server.token}",
        "User-Agent": AGENT,
        "Accept-Encoding": "identity",  # what is bounded is what arrives, not what it unfolds to
    }
    return aiohttp.ClientSession(headers=headers, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar())


def _is_worth_repeating(error: NoAnswer, request: Request) -> bool:
    return error.again and (request.repeatable or not error.sent)


def _wait(answer: Answer, request: Request) -> float | None:
    """Return how many seconds a server that is not able now asks to be left alone; None: it is not asked again."""
    seconds = answer.retry_after or 0.0
    return seconds if answer.status == 503 and request.repeatable and seconds <= request.patience else None


def _pause(attempt: int) -> float:
    """Return the seconds before another attempt: spread, so that clients that failed together do not return so."""
    return _FIRST_PAUSE_SECONDS * (1 << attempt) * random.uniform(0.5, 1.5)  # noqa: S311
