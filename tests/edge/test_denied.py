"""The deny file: what it says, how soon it holds, and that nothing stands against it."""

import asyncio
import os
import time
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from docsredirect.service.denied import Denied, parse
from tests.support.edges import connected, publish, record, running_edge
from tests.support.http import Connection, Response
from tests.support.stores import FakeStore

AT_ONCE = 2.0
"""Seconds within which a change holds here. Promised is half a second, where nothing else runs on the machine."""


async def _store() -> FakeStore:
    store = FakeStore()
    await publish(store, [record("six"), record("zope.interface"), record("other")])
    return store


def _environ(path: Path) -> dict[str, str]:
    return {"DOCSREDIRECT_DENY_FILE": str(path)}


async def _until(connection: Connection, target: str, status: int) -> float:
    """Return the seconds until `target` answers `status`."""
    begin = time.monotonic()
    async with asyncio.timeout(5):
        while (await connection.get(target)).status != status:
            await asyncio.sleep(0.01)
    return time.monotonic() - begin


def _assert_denied(response: Response, name: str) -> None:
    assert response.status == 410
    for header in ("cache-control", "surrogate-control", "cdn-cache-control"):
        assert response.header(header) == "no-store"
    assert response.header("surrogate-key") == f"project/{name} docsredirect"
    assert response.header("cache-tag") == f"project/{name},docsredirect"
    assert response.header("location") is None


@pytest.mark.parametrize(
    ("text", "names", "refused"),
    [
        (b"", set(), []),
        (b"six\n", {"six"}, []),
        (b"Six\r\n\r\n  Zope.Interface\t\r\n", {"six", "zope-interface"}, []),
        (b"\xef\xbb\xbfsix\nother", {"six", "other"}, []),
        (b"# all\n\nsix # case 12\n   #\n", {"six"}, []),
        (b"six\nno name\n\n-x\n\xff\xfe\nsix/docs\nother\n", {"six", "other"}, [2, 4, 5, 6]),
        (b"a" * 129 + b"\nsix", {"six"}, [1]),
    ],
)
def test_a_line_is_a_project_in_any_spelling(text: bytes, names: set[str], refused: list[int]) -> None:
    """Blank lines, blanks and comments are nothing; a line that is no name is told by number, and the rest holds."""
    parsed = parse(text.splitlines())
    assert (set(parsed.names), parsed.refused) == (names, refused)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "target", ["/zope.interface", "//Zope_Interface/", "/zope-interface/a/b.html?c", "/zope.interface)."]
)
async def test_every_path_of_a_denied_project_is_410_that_nothing_keeps(
    tmp_path: Path, target: str, method: str
) -> None:
    """In any spelling, from the first request on."""
    file = tmp_path / "denied"
    file.write_text("ZOPE.interface\n")
    async with connected(await _store(), _environ(file)) as connection:
        _assert_denied(await connection.get(target, method=method), "zope-interface")
        assert (await connection.get("/six/")).status == 301


async def test_a_project_that_nobody_knows_can_be_denied_too(tmp_path: Path) -> None:
    """The table has no say in it."""
    file = tmp_path / "denied"
    file.write_text("no-such\n")
    async with connected(await _store(), _environ(file)) as connection:
        _assert_denied(await connection.get("/no-such/x"), "no-such")
        assert (await connection.get("/no-such-either/x")).status == 404


async def test_it_holds_with_the_store_down_and_no_table(tmp_path: Path) -> None:
    """What is denied is 410 where everything else is 503."""
    file = tmp_path / "denied"
    file.write_text("six\n")
    store = await _store()
    store.failing = ""
    async with connected(store, _environ(file), wait=False) as connection:
        _assert_denied(await connection.get("/six/x"), "six")
        assert (await connection.get("/other/x")).status == 503
        file.write_text("six\nother\n")
        assert await _until(connection, "/other/x", 410) < AT_ONCE
        file.write_text("")
        assert await _until(connection, "/other/x", 503) < AT_ONCE


async def test_a_change_holds_at_once_however_it_is_written(tmp_path: Path) -> None:
    """Against entries that were just served: written in place, replaced by rename, or of the same size as before."""
    file = tmp_path / "denied"
    file.write_text("# none\n")
    async with connected(await _store(), _environ(file)) as connection:
        assert (await connection.get("/six/")).status == 301
        file.write_text("six\n")
        assert await _until(connection, "/six/", 410) < AT_ONCE
        (tmp_path / "new").write_text("other\n")
        (tmp_path / "new").rename(file)
        assert await _until(connection, "/other/", 410) < AT_ONCE
        assert (await connection.get("/six/")).status == 301
        times = (file.stat().st_atime_ns, file.stat().st_mtime_ns)
        file.write_text("sixes\n")
        os.utime(file, ns=times)
        assert await _until(connection, "/other/", 301) < AT_ONCE


async def _is_answered(port: int, target: str) -> bool:
    connection = await Connection.open(port)
    try:
        async with asyncio.timeout(0.1):
            await connection.get(target)
    except TimeoutError:
        return False
    finally:
        await connection.close()
    return True


async def test_a_request_that_waits_for_the_store_while_its_project_is_denied_is_410(tmp_path: Path) -> None:
    """What was asked before the change is answered by what holds when it is answered."""
    file = tmp_path / "denied"
    file.write_text("")
    store = await _store()
    del store.objects["table.json"]
    async with running_edge(store, _environ(file)) as port:
        connection = await Connection.open(port)
        store.gate.clear()
        connection.send(b"GET /six/ HTTP/1.1\r\nHost: pythonhosted.org\r\n\r\n")
        async with asyncio.timeout(5):
            while store.count("get", "projects/six") == 0:
                await asyncio.sleep(0.005)
        file.write_text("six\n")
        async with asyncio.timeout(5):
            while not await _is_answered(port, "/six/"):
                pass
        store.gate.set()
        response = await connection.receive()
        await connection.close()
        assert response is not None
        _assert_denied(response, "six")


def _warnings(logs: list[MutableMapping[str, Any]]) -> list[MutableMapping[str, Any]]:
    return [log for log in logs if log["log_level"] == "warning"]


async def test_bad_lines_are_reported_once_by_number(tmp_path: Path) -> None:
    """However often the file is looked at."""
    file = tmp_path / "denied"
    file.write_text("six\nnot a name\nother\n/x\n")
    denied = Denied(str(file))
    with capture_logs() as logs:
        for _ in range(3):
            await denied.look()
    assert {"six", "other"} == {name for name in ("six", "other", "not a name", "x") if name in denied}
    (warning,) = _warnings(logs)
    assert (warning["lines"], warning["more"]) == ([2, 4], 0)


async def test_a_file_that_vanishes_or_cannot_be_read_keeps_what_was_read(tmp_path: Path) -> None:
    """Each reason is reported once, and so is its end."""
    file = tmp_path / "denied"
    file.write_text("six\n")
    denied = Denied(str(file))
    with capture_logs() as logs:
        await denied.look()
        file.unlink()
        for _ in range(3):
            await denied.look()
        file.mkdir()
        for _ in range(3):
            await denied.look()
        assert "six" in denied
        file.rmdir()
        os.mkfifo(file)
        await denied.look()
        assert "six" in denied
        file.unlink()
        file.write_text("other\n")
        await denied.look()
    assert "six" not in denied
    assert "other" in denied
    assert [log["reason"] for log in _warnings(logs)] == ["No such file or directory", "it is not a file"]
    assert {log["holds"] for log in _warnings(logs)} == {"what was read last"}
    assert [log["event"] for log in logs].count("deny file can be read again") == 1


async def test_a_file_that_never_was_denies_nothing_and_is_a_warning(tmp_path: Path) -> None:
    """And it holds as soon as it is there."""
    file = tmp_path / "denied"
    with capture_logs() as logs:
        async with connected(await _store(), _environ(file)) as connection:
            assert (await connection.get("/six/")).status == 301
            file.write_text("six\n")
            assert await _until(connection, "/six/", 410) < AT_ONCE
    (warning,) = _warnings(logs)
    assert (warning["file"], warning["holds"]) == (str(file), "nothing is denied")


async def test_a_disk_that_hangs_does_not_keep_the_rest_from_being_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The start goes on without the file, with a warning."""
    released = asyncio.Event()
    loop = asyncio.get_running_loop()

    def hang(_: str) -> tuple[int, ...]:
        asyncio.run_coroutine_threadsafe(released.wait(), loop).result(10)
        raise OSError("gone")

    monkeypatch.setattr("docsredirect.service.denied._signature", hang)
    monkeypatch.setattr("docsredirect.service.denied.FIRST_LOOK_SECONDS", 0.1)
    with capture_logs() as logs:
        async with connected(await _store(), _environ(tmp_path / "denied")) as connection:
            assert (await connection.get("/six/")).status == 301
            released.set()
    assert [log["reason"] for log in _warnings(logs)][:1] == ["it is not answered by the disk"]
