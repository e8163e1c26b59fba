"""What stands between the service and its store in a benchmark: it counts requests, and takes the store out of reach.

A front before S3 is a proxy on loopback that forwards bytes as they are, so signatures stay good. It runs on a loop
of its own in a thread, so that it goes on while a benchmark waits for a process.
"""

import asyncio
import re
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from typing import Any, NamedTuple

from tests.bench.places import Place

LOOPBACK = "127.0.0.1"
_CHUNK = 65_536
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Outage(Enum):
    """How a store is out of reach."""

    SILENT = "silent"
    """Connections are accepted, and nothing is answered."""
    RESET = "reset"
    """Connections are reset, those that are open at once."""


class Request(NamedTuple):
    """A request as it is counted: its method, the last part of its path, and whether it is conditional."""

    method: str
    path: str
    conditional: bool


class Front:
    """A proxy before the S3 server at `upstream_port`. `requests` counts what came from each connection's client."""

    def __init__(self, upstream_port: int) -> None:
        self._upstream_port = upstream_port
        self._outage: Outage | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self.requests: Counter[Request] = Counter()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="front", daemon=True)
        self._thread.start()
        self._server = self._do(asyncio.start_server(self._serve, LOOPBACK, 0))
        self.port: int = self._server.sockets[0].getsockname()[1]

    def set_outage(self, outage: Outage | None) -> None:
        """Take the store out of reach, or let it be reached again: on new connections."""

        async def change() -> None:
            self._outage = outage
            if outage is not Outage.SILENT:
                for writer in list(self._open):
                    _reset(writer)

        self._do(change())

    def close(self) -> None:
        """Reset what is open and end."""
        self.set_outage(Outage.RESET)
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5)

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._outage is Outage.RESET:
            _reset(writer)
            return
        self._open.add(writer)
        above: asyncio.StreamWriter | None = None
        try:
            above_reader, above = await asyncio.open_connection(LOOPBACK, self._upstream_port)
            self._open.add(above)
            await asyncio.gather(self._forward(reader, above), self._answer(above_reader, writer))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            for each in (writer, above):
                if each is not None:
                    self._open.discard(each)
                    each.close()

    async def _forward(self, reader: asyncio.StreamReader, above: asyncio.StreamWriter) -> None:
        """Forward requests one by one, counting them."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self._count(head)
                await self._write(above, head)
                length = _LENGTH.search(head)
                left = int(length.group(1)) if length else 0
                while left:
                    chunk = await reader.read(min(left, _CHUNK))
                    if not chunk:
                        return
                    left -= len(chunk)
                    await self._write(above, chunk)
        finally:
            with suppress(OSError, RuntimeError):
                above.write_eof()

    async def _answer(self, above: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await above.read(_CHUNK):
            await self._write(writer, chunk)
        writer.close()

    async def _write(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        while self._outage is Outage.SILENT:
            await asyncio.sleep(0.05)  # then the connection is reset
        writer.write(data)
        await writer.drain()

    def _count(self, head: bytes) -> None:
        method, target, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
        path = target.partition("?")[0].rpartition("/")[2]
        self.requests[Request(method, path, b"\r\nif-none-match:" in head.lower())] += 1


def _reset(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


@contextmanager
def cuttable(place: Place) -> Iterator[tuple[Place, Callable[[Outage | None], None]]]:
    """Give the place under which processes reach the store, and what takes it out of their reach and back.

    A folder is renamed away, whatever the kind of outage.
    """
    if place.folder is not None:
        folder, away = place.folder, place.folder.with_name("away")

        def rename(outage: Outage | None) -> None:
            source, goal = (away, folder) if outage is None else (folder, away)
            if source.exists():
                assert not goal.exists(), f"somebody made {goal} anew"
                source.rename(goal)

        try:
            yield place, rename
        finally:
            rename(None)
    else:
        with fronted(place) as (through, front):
            yield through, front.set_outage


@contextmanager
def fronted(place: Place) -> Iterator[tuple[Place, Front]]:
    """Give an S3 place as it is reached through a front, and the front."""
    front = Front(place.endpoint_port)
    try:
        yield place.through(front.port), front
    finally:
        front.close()
