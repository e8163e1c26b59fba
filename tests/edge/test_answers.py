"""What each answer carries: lifetimes, surrogate keys, bodies, and what happens while the table is stale or unknown."""

import asyncio
import html
import re
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from docsredirect.domain.routes import Route
from docsredirect.domain.settings import load
from docsredirect.domain.tables import Row, shard_of
from docsredirect.edge import lifetimes, server
from docsredirect.edge.lifetimes import TableState
from docsredirect.edge.pages import ARCHIVE
from docsredirect.service.lookups import Lookups
from docsredirect.service.publisher import Publisher
from tests.support.edges import connected, publish, record, running_edge
from tests.support.http import Connection, Response
from tests.support.stores import FakeStore

FRESH, STALE = TableState(stale=False, purging=False), TableState(stale=True, purging=False)
PURGED, STALE_PURGED = TableState(stale=False, purging=True), TableState(stale=True, purging=True)
LONG, SHORT = "max-age=86400, stale-if-error=604800", "max-age=300, stale-if-error=604800"
ABSENT, ABSENT_STALE = "max-age=300, stale-if-error=86400", "max-age=30, stale-if-error=86400"
HOUR, FIVE_MINUTES, MINUTE = "public, max-age=3600", "public, max-age=300", "public, max-age=60"


async def _store() -> FakeStore:
    store = FakeStore()
    await publish(
        store,
        [
            record("six"),
            record("temporary", "https://t.example.org/", status=302),
            record("withdrawn", state="gone"),
            record("ruled", rules={"private/*": None}),
        ],
    )
    return store


@pytest.mark.parametrize(
    ("status", "state", "browser", "cdn"),
    [
        (301, FRESH, HOUR, SHORT), (308, FRESH, HOUR, SHORT), (410, FRESH, HOUR, SHORT),
        (302, FRESH, FIVE_MINUTES, SHORT), (307, FRESH, FIVE_MINUTES, SHORT), (404, FRESH, MINUTE, ABSENT),
        (301, PURGED, HOUR, LONG), (308, PURGED, HOUR, LONG), (410, PURGED, HOUR, LONG),
        (302, PURGED, FIVE_MINUTES, LONG), (307, PURGED, FIVE_MINUTES, LONG), (404, PURGED, MINUTE, ABSENT),
        (301, STALE, MINUTE, SHORT), (302, STALE, MINUTE, SHORT), (410, STALE, MINUTE, SHORT),
        (404, STALE, MINUTE, ABSENT_STALE), (301, STALE_PURGED, MINUTE, SHORT),
        (404, STALE_PURGED, MINUTE, ABSENT_STALE),
    ],
)  # fmt: skip
def test_lifetimes_follow_the_status_and_the_state_of_the_table(
    status: int, state: TableState, browser: str, cdn: str
) -> None:
    """The table of lifetimes, row by row."""
    assert lifetimes.for_answer(status, state, load({}).settings.lifetimes) == (browser, cdn)


def _assert_kept(response: Response, browser: str, cdn: str, key: str, tag: str) -> None:
    assert response.header("cache-control") == browser
    assert response.header("surrogate-control") == response.header("cdn-cache-control") == cdn
    assert response.header("surrogate-key") == key
    assert response.header("cache-tag") == tag
    for name in ("etag", "vary", "set-cookie", "expires", "pragma"):
        assert response.header(name) is None


@pytest.mark.parametrize(
    ("target", "status", "browser", "cdn", "key"),
    [
        ("/SIX/x", 301, HOUR, SHORT, "project/six docsredirect"),
        ("/temporary", 302, FIVE_MINUTES, SHORT, "project/temporary docsredirect"),
        ("/withdrawn/x", 410, HOUR, SHORT, "project/withdrawn docsredirect"),
        ("/ruled/private/x", 410, HOUR, SHORT, "project/ruled docsredirect"),
        ("/No.Such_one/x", 404, MINUTE, ABSENT, "project/no-such-one docsredirect"),
        ("/no-such-one).", 404, MINUTE, ABSENT, "project/no-such-one docsredirect"),
        ("/-illegal-/", 404, MINUTE, ABSENT, "docsredirect"),
        ("/six/../x", 404, MINUTE, ABSENT, "docsredirect"),
        ("/packages/source/s/six.tar.gz", 404, MINUTE, ABSENT, "docsredirect"),
        ("/favicon.ico", 404, MINUTE, ABSENT, "docsredirect"),
        ("/-/anything", 404, MINUTE, ABSENT, "docsredirect"),
    ],
)
async def test_an_answer_says_how_long_it_may_be_kept_and_what_purges_it(
    target: str, status: int, browser: str, cdn: str, key: str
) -> None:
    """Every redirect, 404 and 410 carries both lifetimes and the surrogate key of the name that was looked up."""
    async with connected(await _store()) as connection:
        response = await connection.get(target)
        assert response.status == status
        _assert_kept(response, browser, cdn, key, key.replace(" ", ","))


async def test_a_redirect_is_empty_and_head_says_what_get_would() -> None:
    """No body and no type on a redirect; HEAD has every header of GET, the length too, and no body."""
    async with connected(await _store()) as connection:
        for target in ("/six/", "/withdrawn/", "/no-such/", "/", "/robots.txt", "/sitemap.xml"):
            get = await connection.get(target)
            head = await connection.get(target, method="HEAD")
            without_date = [[item for item in each.headers if item[0] != "date"] for each in (get, head)]
            assert without_date[0] == without_date[1]
            assert head.status == get.status
            assert get.header("content-length") == str(len(get.body))
        redirect = await connection.get("/six/")
        assert (redirect.body, redirect.header("content-length")) == (b"", "0")
        assert redirect.header("content-type") is None


async def test_lifetimes_are_settings() -> None:
    """Each lifetime can be set."""
    environ = {"DOCSREDIRECT_BROWSER_MAX_AGE": "7", "DOCSREDIRECT_CDN_MAX_AGE": "8"}
    async with connected(await _store(), environ) as connection:
        response = await connection.get("/six/")
        assert response.header("cache-control") == "public, max-age=7"
        assert response.header("surrogate-control") == "max-age=8, stale-if-error=604800"


async def _until_status(connection: Connection, target: str, status: int) -> Response:
    async with asyncio.timeout(5):
        while True:
            response = await connection.get(target)
            if response.status == status:
                return response
            await asyncio.sleep(0.01)


async def test_a_table_that_is_held_outlives_the_store_and_its_answers_count_as_stale() -> None:
    """With the store gone, known names redirect and unknown ones are 404; both are kept for less long."""
    store = await _store()
    environ = {"DOCSREDIRECT_STALE_AFTER": "1"}
    async with connected(store, environ) as connection:
        await _until_status(connection, "/-/health/ready", 200)
        store.failing = ""
        async with asyncio.timeout(5):
            while (response := await connection.get("/six/")).header("cache-control") == HOUR:
                await asyncio.sleep(0.05)
        _assert_kept(response, MINUTE, SHORT, "project/six docsredirect", "project/six,docsredirect")
        response = await connection.get("/no-such/")
        assert response.status == 404
        _assert_kept(response, MINUTE, ABSENT_STALE, "project/no-such docsredirect", "project/no-such,docsredirect")
        assert (await connection.get("/-/health/ready")).status == 200
        store.failing = None
        async with asyncio.timeout(5):
            while (await connection.get("/six/")).header("cache-control") != HOUR:
                await asyncio.sleep(0.05)


async def test_what_is_unknown_is_503_and_never_404() -> None:
    """A store that fails from the start: live, not ready, and 503 with Retry-After until it answers."""
    store = await _store()
    store.failing = ""
    async with connected(store, wait=False) as connection:
        for target in ("/six/", "/no-such/", "/sitemap.xml"):
            response = await connection.get(target)
            assert (response.status, response.header("retry-after")) == (503, "30")
            assert response.header("cache-control") == "no-store"
            assert response.header("surrogate-key") is None
        assert (await connection.get("/-/health/live")).status == 200
        assert (await connection.get("/-/health/ready")).status == 503
        assert (await connection.get("/")).status == 200
        assert (await connection.get("/six/../x")).status == 404
        store.failing = None
        await _until_status(connection, "/six/", 301)
        await _until_status(connection, "/no-such/", 404)
        await _until_status(connection, "/-/health/ready", 200)


async def test_an_empty_store_that_answered_is_ready_and_knows_that_there_is_nothing() -> None:
    """Nothing published: 404 for every name, and ready."""
    async with connected(FakeStore()) as connection:
        await _until_status(connection, "/-/health/ready", 200)
        assert (await connection.get("/six/")).status == 404
        assert (await connection.get("/sitemap.xml")).status == 503


async def test_a_change_is_seen_without_a_restart() -> None:
    """A published change replaces the compiled entry of the name that it changed."""
    store = await _store()
    async with connected(store) as connection:
        await _until_status(connection, "/six/", 301)
        await publish(store, [record("six", "https://moved.example.org/")])
        async with asyncio.timeout(5):
            while (await connection.get("/six/")).header("location") != "https://moved.example.org/":
                await asyncio.sleep(0.01)
        assert (await connection.get("/temporary/")).header("location") == "https://t.example.org/"


async def test_before_anything_is_published_names_are_read_through() -> None:
    """A project whose object is there, but no table, is answered from its object."""
    store = await _store()
    del store.objects["table.json"]
    async with connected(store) as connection:
        response = await connection.get("/six/x")
        assert (response.status, response.header("location")) == (301, "https://six.example.org/x")
        assert (await connection.get("/no-such/")).status == 404


async def test_a_thousand_requests_for_one_cold_name_make_one_store_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read-through is single-flight: counted on a store that holds its answers back until all have asked."""
    asked: list[str] = []
    read_through = Lookups.read_through

    async def count(self: Lookups, name: str) -> Route | None:
        asked.append(name)
        return await read_through(self, name)

    monkeypatch.setattr(Lookups, "read_through", count)
    store = await _store()
    del store.objects["table.json"]
    async with running_edge(store) as port:
        connections = [await Connection.open(port) for _ in range(1_000)]
        store.gate.clear()
        store.requests.clear()
        for connection in connections:
            connection.send(b"GET /six/ HTTP/1.1\r\nHost: pythonhosted.org\r\n\r\n")
        async with asyncio.timeout(10):
            while len(asked) < 1_000:
                await asyncio.sleep(0.01)
        store.gate.set()
        responses = await asyncio.gather(*(connection.receive() for connection in connections))
        for connection in connections:
            await connection.close()
    assert [response and response.status for response in responses] == [301] * 1_000
    assert store.count("get", "projects/") == 1


async def test_with_a_table_no_request_asks_the_store() -> None:
    """Hot, cold and unknown names cost no store request once the table is held."""
    store = await _store()
    async with connected(store, {"DOCSREDIRECT_POLL_SECONDS": "3600"}) as connection:
        await _until_status(connection, "/-/health/ready", 200)
        store.requests.clear()
        for number in range(500):
            assert (await connection.get(f"/random-{number}/x")).status == 404
            assert (await connection.get("/six/x")).status == 301
        assert store.requests.total() == 0


async def test_a_damaged_project_is_503_and_no_other_notices() -> None:
    """Without a table, an object that cannot be read is unknown, and reported."""
    store = await _store()
    del store.objects["table.json"]
    await store.put("projects/six.json", b'{"format": 1, "name": "six"')
    with capture_logs() as logs:
        async with connected(store) as connection:
            assert (await connection.get("/six/")).status == 503
            assert (await connection.get("/temporary/")).status == 302
    assert [log["project"] for log in logs if log["event"] == "read-through failed"] == ["six"]


async def test_a_damaged_shard_leaves_what_was_held_and_the_others_go_on() -> None:
    """Rows of the damaged shard keep their last good state; a change in another shard is taken."""
    store = await _store()
    async with connected(store) as connection:
        await _until_status(connection, "/six/", 301)
        before = {key for key in store.objects if key.startswith("shards/")}
        original = store.put

        async def put_damaged(key: str, body: bytes) -> str:
            return await original(key, body[:-9] if key.startswith(f"shards/{shard_of('six'):02x}") else body)

        store.put = put_damaged  # type: ignore[method-assign]
        await publish(
            store, [record("six", "https://moved.example.org/"), record("temporary", "https://new.example.org/")]
        )
        assert {key for key in store.objects if key.startswith("shards/")} > before
        async with asyncio.timeout(5):
            while (await connection.get("/temporary/")).header("location") != "https://new.example.org/":
                await asyncio.sleep(0.01)
        assert (await connection.get("/six/")).header("location") == "https://six.example.org/"
        ready = await connection.get("/-/health/ready")
        assert ready.status == 200
        assert b'"complete":false' in ready.body
        assert b"does not hold what its name says" in ready.body


async def test_a_page_of_errors_speaks_plainly_and_stands_alone() -> None:
    """404, 410 and the front page load nothing, run nothing, and tell a maintainer what to do."""
    async with connected(await _store(), {"DOCSREDIRECT_ADMIN_URL": "https://admin.example.org/"}) as connection:
        for target in ("/", "/no-such/", "/withdrawn/"):
            page = (await connection.get(target)).body.decode()
            assert '<a href="https://admin.example.org/">' in page
            assert not re.search(r"<(script|link|img|iframe)|src=|@import|url\(", page)
            assert len(page) < 4_096
    async with connected(await _store()) as connection:
        assert "Send the operators" in (await connection.get("/no-such/")).body.decode()


async def test_an_exception_of_ours_is_500_without_words_about_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault in the program is logged, and the client is told no more than that."""
    with capture_logs() as logs:
        async with connected(await _store()) as connection:
            monkeypatch.setattr("docsredirect.edge.app.resolve", lambda *_: 1 / 0)
            response = await connection.get("/six/")
            assert response.status == 500
            assert response.header("cache-control") == "no-store"
            assert b"division" not in response.body
            assert await connection.is_closed()
    assert [log["event"] for log in logs if log["log_level"] == "error"] == ["request failed"]


async def test_a_tombstone_is_404() -> None:
    """A row without a record answers as if the redirect had never been."""
    store = await _store()
    async with connected(store) as connection:
        assert (await connection.get("/six/")).status == 301
        await Publisher(store, new_epoch=lambda: "0" * 16).publish([Row("six", 2, "etag", None)])
        await _until_status(connection, "/six/", 404)
        assert (await connection.get("/temporary/")).status == 302


def _links(page: str) -> list[str]:
    return [html.unescape(link) for link in re.findall(r'<a href="([^"]*)"', page)]


@pytest.mark.parametrize(
    ("target", "host", "archived"),
    [
        ("/No.Such/x.html", "pythonhosted.org", "pythonhosted.org/No.Such/x.html"),
        ("/no-such/x", "packages.python.org", "packages.python.org/no-such/x"),
        ("/no-such/x?y=z", "localhost:8080", "pythonhosted.org/no-such/x"),
        ("//no-such//x%7e", "www.pythonhosted.org", "www.pythonhosted.org/no-such/x~"),
        ("/no-such/\"'><script>&", "pythonhosted.org", "pythonhosted.org/no-such/%22'%3E%3Cscript%3E&"),
        ("/no-such/@example.org/", "pythonhosted.org", "pythonhosted.org/no-such/@example.org/"),
        ("/no-such/" + "&" * 200, "pythonhosted.org", None),
        ("/withdrawn/x", "pythonhosted.org", "pythonhosted.org/withdrawn/x"),
        ("/ruled/private/x", "pythonhosted.org", "pythonhosted.org/ruled/private/x"),
    ],
)
async def test_a_reader_is_shown_where_to_look(target: str, host: str, archived: str | None) -> None:
    """The project's page on the index, and the archive's copy of that very URL, behind addresses that are fixed."""
    environ = {
        "DOCSREDIRECT_INDEX_URL": "https://index.example.org/",
        "DOCSREDIRECT_ADMIN_URL": "https://a.example.org/",
    }
    async with connected(await _store(), environ) as connection:
        page = (await connection.get(target, host=host)).body.decode()
    name = target.strip("/").partition("/")[0].replace(".", "-").lower()
    links = _links(page)
    assert f"https://index.example.org/project/{name}/" in links
    there = [link.removeprefix(ARCHIVE) for link in links if link.startswith("https://web.archive.org/")]
    assert there == [archived] * (archived is not None)
    assert "https://a.example.org/" in links
    assert "<script" not in page
    assert len(page.encode()) < 4_096


@pytest.mark.parametrize(
    "target", ["/-illegal-/x", "/no-such/../x", "/no-such/%0d%0aX", "/packages/source/s/six", "/favicon.ico"]
)
async def test_what_is_no_project_is_looked_for_nowhere(target: str) -> None:
    """No link is made of a path that is nobody's."""
    async with connected(await _store(), {"DOCSREDIRECT_INDEX_URL": "https://index.example.org"}) as connection:
        response = await connection.get(target)
    assert response.status == 404
    assert _links(response.body.decode()) == ["/"]


async def test_without_an_index_none_is_linked() -> None:
    """It is a setting."""
    async with connected(await _store()) as connection:
        links = _links((await connection.get("/no-such/")).body.decode())
        assert [link for link in links if "/project/" in link] == []
        assert _links((await connection.get("/")).body.decode()) == []


async def test_the_longest_page_stays_small() -> None:
    """The longest name, and a path whose every character grows when it is escaped."""
    environ = {
        "DOCSREDIRECT_INDEX_URL": "https://index.example.org",
        "DOCSREDIRECT_ADMIN_URL": "https://a.example.org/",
    }
    async with connected(await _store(), environ) as connection:
        for length in (50, 93, 94, 200, 7_000):
            page = (await connection.get("/" + "x" * 128 + "/" + "'" * length)).body
            assert len(page) < 4_096, length


async def test_what_the_operators_deny_is_not_pointed_at(tmp_path: Path) -> None:
    """Neither at the index nor in the archive: they have their reasons."""
    (tmp_path / "denied").write_text("six\n", encoding="utf-8")
    environ = {
        "DOCSREDIRECT_INDEX_URL": "https://index.example.org",
        "DOCSREDIRECT_DENY_FILE": str(tmp_path / "denied"),
    }
    async with connected(await _store(), environ) as connection:
        page = (await _until_status(connection, "/six/x", 410)).body.decode()
    assert "The operators of this service have withdrawn" in page
    assert _links(page) == ["/"]


async def test_names_asked_for_in_vain_are_counted_and_nothing_else_is() -> None:
    """Normalised names that answered 404, also before a table is held; no path, no redirect, no 410."""
    store = await _store()
    settings = load({"DOCSREDIRECT_EDGE": "127.0.0.1:0", "DOCSREDIRECT_POLL_SECONDS": "0.05"}).settings
    listener = server.listen(settings.edge)
    async with server.running(settings, store, listener) as edge:
        connection = await Connection.open(listener.getsockname()[1])
        targets = [
            "/No.Such/secret?x=y",
            "/no_such).",
            "/six/x",
            "/withdrawn/",
            "/-illegal-/",
            "/packages/x",
            "/six/../x",
        ]
        for target in targets * 3:
            await connection.get(target)
        await connection.close()
        assert edge.asked.top(10) == {"no-such": 6}
