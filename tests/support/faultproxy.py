"""A TCP proxy on loopback that misbehaves on demand, for tests of what happens when a server behind it does."""

import asyncio
import socket
import struct
from types import TracebackType
from typing import Literal, Self

Mode = Literal["reset", "cut", "short", "blackhole"]

_NO_LINGER = struct.pack("ii", 1, 0)


class FaultProxy:
    """Listens on `port` while it is entered, and forwards to `upstream_port`.

    `mode` holds for connections and chunks from now on: "reset" ends each connection at once, "cut" after `keep` bytes
    of answers, "short" does the same in good order, and "blackhole" swallows all that is sent. `latency`, in seconds,
    delays each chunk of an answer. `connections` counts those that were accepted.
    """

    def __init__(self, upstream_port: int) -> None:
        self.mode: Mode | None = None
        self.latency = 0.0
        self.keep = 40
        self.connections = 0
        self.port = 0
        self._upstream_port = upstream_port
        self._serving: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for serving in self._serving:
            serving.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        await self._server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        serving = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.mode == "reset":
            _reset(writer)
            return
        try:
            answers, requests = await asyncio.open_connection("127.0.0.1", self._upstream_port)
        except OSError:
            _reset(writer)
            return
        try:
            await asyncio.gather(self._forward(reader, requests), self._answer(answers, writer))
        finally:
            writer.close()
            requests.close()

    async def _forward(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while chunk := await source.read(65_536):
                if self.mode != "blackhole":
                    sink.write(chunk)
                    await sink.drain()
        except OSError:
            pass
        finally:
            sink.close()

    async def _answer(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        left = self.keep
        try:
            while chunk := await source.read(65_536):
                await asyncio.sleep(self.latency)
                if self.mode == "blackhole":
                    continue
                ending = self.mode in {"cut", "short"}
                sink.write(chunk[:left] if ending else chunk)
                await sink.drain()
                left -= len(chunk)
                if ending and left <= 0:
                    if self.mode == "cut":
                        _reset(sink)
                    return
        except OSError:
            pass
        finally:
            sink.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    """End the connection with a RST, as a crashed or overloaded peer does."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    writer.transport.abort()
