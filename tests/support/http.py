"""A small HTTP client that sends exactly the bytes it is given and hides nothing of what comes back."""

import asyncio
import socket
from typing import NamedTuple


class Response(NamedTuple):
    """One response as it was on the wire. Header names are in lower case, in order, repeated ones too."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the only header of that name, or None. Fails where there are several."""
        values = [value for key, value in self.headers if key == name.lower()]
        assert len(values) <= 1, f"{name} is there {len(values)} times"
        return values[0] if values else None


class Connection:
    """One connection to a port on loopback."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int) -> "Connection":
        """Connect."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._writer.write(data)

    def finish(self) -> None:
        """Say that nothing more will be sent."""
        self._writer.write_eof()

    async def receive(self, *, head: bool = False) -> Response | None:
        """Return the next whole response, or None where the server has closed. `head`: it answers a HEAD request."""
        async with asyncio.timeout(10):
            try:
                start = await self._reader.readuntil(b"\r\n\r\n")
                status_line, *lines = start[:-4].decode("latin-1").split("\r\n")
                headers = [(key.lower(), value.strip(" ")) for key, _, value in (line.partition(":") for line in lines)]
                length = int(dict(headers).get("content-length", "0"))
                body = b"" if head else await self._reader.readexactly(length)
            except (asyncio.IncompleteReadError, ConnectionResetError):
                return None
        return Response(int(status_line.split(" ")[1]), headers, body)

    async def get(self, target: str, *, host: str = "pythonhosted.org", method: str = "GET") -> Response:
        """Ask for `target`, which is sent as it is."""
        self.send(f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode("latin-1"))
        response = await self.receive(head=method == "HEAD")
        assert response is not None, "the server closed without an answer"
        return response

    async def is_closed(self) -> bool:
        """Wait for the server to close; False where it sends something instead."""
        async with asyncio.timeout(10):
            try:
                return await self._reader.read(1) == b""
            except ConnectionResetError:
                return True

    async def close(self) -> None:
        """Close from this side."""
        self._writer.close()


async def exchange(port: int, data: bytes) -> Response | None:
    """Send bytes on a new connection and return the first response; None where the server closes without one."""
    connection = await Connection.open(port)
    connection.send(data)
    try:
        return await connection.receive(head=data.startswith(b"HEAD "))
    finally:
        await connection.close()


def free_port() -> int:
    """Return a port of loopback that nobody listens on at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port
