"""The gate: where the CDN has a secret, the edge answers nobody who does not come through the CDN."""

import pytest

from tests.support.edges import connected, publish, record
from tests.support.http import Connection
from tests.support.stores import FakeStore

SECRET, NEXT = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"


async def _store() -> FakeStore:
    store = FakeStore()
    await publish(store, [record()])
    return store


async def _status(connection: Connection, line: str, *headers: str) -> tuple[int, str | None]:
    lines = "".join(f"{header}\r\n" for header in headers)
    connection.send(f"{line} HTTP/1.1\r\nHost: pythonhosted.org\r\n{lines}\r\n".encode("latin-1"))
    response = await connection.receive()
    assert response is not None
    return response.status, response.header("cache-control")


KEPT, REFUSED = (301, "public, max-age=3600"), (403, "no-store")
ASKED: list[tuple[str, tuple[str, ...], tuple[int, str | None]]] = [
    ("GET /six/", (f"X-CDN-Secret: {SECRET}",), KEPT),
    ("GET /six/", (f"x-cdn-secret: {NEXT}",), KEPT),
    ("GET /six/", (), REFUSED),
    ("GET /six/", ("X-CDN-Secret: ",), REFUSED),
    ("GET /six/", (f"X-CDN-Secret: {SECRET[:-1]}",), REFUSED),
    ("GET /six/", (f"X-CDN-Secret: {SECRET}x",), REFUSED),
    ("GET /six/", (f"X-CDN-Secret: {SECRET}, {NEXT}",), REFUSED),
    ("GET /six/", (f"X-CDN-Secret: {SECRET}", f"X-CDN-Secret: {SECRET}"), REFUSED),
    ("GET /six/", ("X-CDN-Secret: \xe9\xff",), REFUSED),
    ("GET /robots.txt", (), REFUSED),
    ("POST /six/", (), REFUSED),
    ("GET six", (), (400, "no-store")),
    (f"GET /{'x' * 9_000}", (), (414, "no-store")),
    ("GET /-/health/live", (), (200, "no-store")),
    ("GET /-/health/ready", ("X-CDN-Secret: wrong",), (200, "no-store")),
]


@pytest.mark.parametrize(("line", "headers", "answer"), ASKED)
async def test_only_who_shows_a_secret_is_answered(
    line: str, headers: tuple[str, ...], answer: tuple[int, str | None]
) -> None:
    """Either of two secrets lets in, while one takes the place of the other; health needs none; nothing is repeated."""
    async with connected(await _store(), {"DOCSREDIRECT_CDN_SECRET": f"{SECRET},{NEXT}"}) as connection:
        assert await _status(connection, line, *headers) == answer


async def test_without_a_secret_everybody_is_answered() -> None:
    """What somebody shows is not looked at."""
    async with connected(await _store()) as connection:
        assert await _status(connection, "GET /six/", "X-CDN-Secret: whatever") == KEPT
