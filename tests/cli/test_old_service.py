"""The stand-in for the old service behaves as that did: what `compare` and the move are tried against."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.support.http import Response, exchange
from tests.support.old_service import OldService, running_old_service

ROWS = [
    {"project_name": "Six", "include_path": True, "base_uri": "https://six.example.org"},
    {"project_name": "flat", "include_path": False, "base_uri": "https://flat.example.org/docs"},
]


def table(folder: Path, *rows: dict[str, object] | str) -> Path:
    """Write a redirects.txt."""
    path = folder / "redirects.txt"
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


async def get(
    port: int, target: str, host: str = "pythonhosted.org", proto: str = "https", method: str = "GET"
) -> Response:
    """Ask the stand-in."""
    head = f"{method} {target} HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-Proto: {proto}\r\n\r\n"
    response = await exchange(port, head.encode())
    assert response is not None
    return response


ANSWERS = [
    ("/Six/a/b.html", 302, "https://six.example.org/a/b.html"),
    ("/Six/", 302, "https://six.example.org/"),
    ("/Six", 302, "/Six/"),
    ("/unknown", 302, "/unknown/"),
    ("/six/", 404, None),
    ("//Six/", 404, None),
    ("/flat/a/b.html", 302, "https://flat.example.org/docs"),
    ("/Six/x?q=1", 302, "https://six.example.org/x"),
    ("/Six/a%2Fb%7E", 302, "https://six.example.org/a/b~"),
    ("/%2Fevil.example", 302, "//evil.example/"),
    ("/", 404, None),
]


@pytest.mark.parametrize(("target", "status", "location"), ANSWERS)
async def test_an_answer(target: str, status: int, location: str | None, tmp_path: Path) -> None:
    """302 to base and decoded path, by the exact name, in two hops without the slash; no query, no cache header."""
    async with running_old_service(OldService(table(tmp_path, *ROWS))) as port:
        response = await get(port, target)
    assert (response.status, response.header("location")) == (status, location)
    assert response.header("cache-control") is None


async def test_head_is_refused(tmp_path: Path) -> None:
    """405, where a checker of links would have liked to know."""
    async with running_old_service(OldService(table(tmp_path, *ROWS))) as port:
        assert (await get(port, "/Six/", method="HEAD")).status == 405


async def test_the_table_is_read_again_and_one_bad_line_freezes_it(tmp_path: Path) -> None:
    """A change is seen at the next poll. With a line that is no JSON, or without the file, the last table stays."""
    service = OldService(table(tmp_path, *ROWS), poll_seconds=0.02)
    async with running_old_service(service) as port:
        table(tmp_path, {**ROWS[0], "base_uri": "https://new.example.org"})
        await asyncio.sleep(0.2)
        assert (await get(port, "/Six/")).header("location") == "https://new.example.org/"
        table(tmp_path, *ROWS, "no json")
        await asyncio.sleep(0.2)
        assert (await get(port, "/Six/")).header("location") == "https://new.example.org/"
        (tmp_path / "redirects.txt").unlink()
        await asyncio.sleep(0.2)
        assert (await get(port, "/Six/")).header("location") == "https://new.example.org/"


async def test_without_a_table_everything_is_absent(tmp_path: Path) -> None:
    """A store that fails at the start makes 404 of every link."""
    async with running_old_service(OldService(tmp_path / "none")) as port:
        assert (await get(port, "/Six/")).status == 404


FRONT = [
    ("http", "pythonhosted.org", "https://pythonhosted.org/Six/x"),
    ("https", "packages.python.org", "http://www.pythonhosted.org/Six/x"),
    ("http", "packages.python.org", "http://www.pythonhosted.org/Six/x"),
    ("http", "www.pythonhosted.org", "http://pythonhosted.org/Six/x"),
    ("https", "pythonhosted.org", "https://six.example.org/x"),
]


@pytest.mark.parametrize(("proto", "host", "location"), FRONT)
async def test_the_front_forces_https_and_leads_from_host_to_host(
    proto: str, host: str, location: str, tmp_path: Path
) -> None:
    """A hop for http, and three for the oldest host; queries are stripped on the way."""
    async with running_old_service(OldService(table(tmp_path, *ROWS), front=True)) as port:
        assert (await get(port, "/Six/x?q", host, proto)).header("location") == location


async def test_the_front_serves_old_pages_and_keeps_404_for_a_day(tmp_path: Path) -> None:
    """Where the service knows nothing, a page of the bucket, if it is there; nothing from beside the bucket."""
    (tmp_path / "docs" / "old").mkdir(parents=True)
    (tmp_path / "docs" / "old" / "index.html").write_bytes(b"<p>old")
    (tmp_path / "secret").write_bytes(b"secret")
    service = OldService(table(tmp_path, *ROWS), front=True, old_docs=tmp_path / "docs")
    async with running_old_service(service) as port:
        page, absent, beside = [await get(port, path) for path in ("/old/", "/none/", "/%2e%2e/secret")]
    assert (page.status, page.body) == (200, b"<p>old")
    assert (absent.status, absent.header("cache-control")) == (404, "public, max-age=86400")
    assert beside.status == 404
