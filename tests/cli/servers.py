"""What commands that speak HTTP are tried against: the real admin side, and servers that answer whatever they like."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

import uvloop

from docsredirect.admin import server
from docsredirect.domain.settings import load
from docsredirect.edge.listening import listen
from docsredirect.store import Store
from docsredirect.telemetry.metrics import Metrics
from tests.support.stores import FakeStore

TOKEN = "the-bootstrap-token-of-these-tests-0"


class HeldStore(FakeStore):
    """A store that answers no more after so many new objects, until it is let go."""

    def __init__(self, creations: int) -> None:
        super().__init__()
        self._left = creations
        self.held = threading.Event()
        self.let_go = threading.Event()

    async def create(self, key: str, body: bytes) -> str:
        """Put a new object, in its time."""
        self._left -= 1
        while self._left < 0 and not self.let_go.is_set():
            self.held.set()
            await asyncio.sleep(0.01)
        return await super().create(key, body)


@contextmanager
def admin_side(store: Store, **environ: str) -> Iterator[str]:
    """Run the admin side over `store` in a thread of its own, and give its URL."""
    settings = load({"DOCSREDIRECT_ADMIN": "127.0.0.1:0", "DOCSREDIRECT_POLL_SECONDS": "0.05", **environ}).settings
    listener = listen(settings.admin)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    started, loop = threading.Event(), uvloop.new_event_loop()
    end = asyncio.Event()

    async def serve() -> None:
        async with server.running(settings, store, listener, metrics=Metrics(), admin_token=TOKEN):
            started.set()
            await end.wait()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run, name="admin side")
    thread.start()
    assert started.wait(10), "the admin side did not start"
    try:
        yield url
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join(20)
        assert not thread.is_alive(), "the admin side did not end"


class Scripted(NamedTuple):
    """A server that answers with fixed bytes: its URL, and the requests that it got, as they were sent."""

    url: str
    requests: list[bytes]


@contextmanager
def answering(*answers: bytes | None) -> Iterator[Scripted]:
    """Answer one connection after the other, one request each, the last answer again and again. None: no answer."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.1)
    scripted = Scripted(f"http://127.0.0.1:{listener.getsockname()[1]}", [])
    ended = threading.Event()

    def serve() -> None:
        while not ended.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            with connection, suppress(OSError):
                connection.settimeout(5)
                scripted.requests.append(_request(connection))
                answer = answers[min(len(scripted.requests), len(answers)) - 1]
                connection.sendall(answer or b"")

    thread = threading.Thread(target=serve, name="scripted server")
    thread.start()
    try:
        yield scripted
    finally:
        ended.set()
        thread.join(10)
        listener.close()


def _request(connection: socket.socket) -> bytes:
    text = b""
    while b"\r\n\r\n" not in text:
        piece = connection.recv(65_536)
        if not piece:
            return text
        text += piece
    head, _, body = text.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    length = int(lengths[0].partition(b":")[2]) if lengths else 0
    while len(body) < length:
        body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body


def answer(body: bytes = b"{}", status: str = "200 OK", media: str = "application/json", *headers: str) -> bytes:
    """Return the bytes of an answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {media}", f"Content-Length: {len(body)}", "Connection: close"]
    return "\r\n".join([*lines, *headers, "", ""]).encode("latin-1") + body
