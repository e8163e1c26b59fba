"""The whole table over the API: what a URL answers and why, lists page by page, the export, and imports."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import pytest

from docsredirect.admin import reading, tables
from docsredirect.domain.names import normalise
from docsredirect.store import DirectoryStore, Store
from tests.admin.test_errors import head
from tests.support.admin import ANY, CREATE, Admin, Answer, record, running_admin
from tests.support.edges import publish, rows_of
from tests.support.edges import record as checked
from tests.support.http import Connection
from tests.support.stores import FakeStore

LINES = {"Content-Type": "application/jsonl"}
SIX = record("six")


def lines(*rows: object) -> bytes:
    """Return rows as JSON Lines; bytes stay as they are."""
    return b"".join(row if isinstance(row, bytes) else json.dumps(row).encode() + b"\n" for row in rows)


async def bring(admin: Admin, body: bytes, query: str = "", **options: Any) -> Answer:
    """Import lines."""
    return await admin.ask("POST", f"import{query}", body=body, **{"headers": LINES, **options})


def counts(answer: Answer) -> dict[str, int]:
    """Return what an import came to, without zeroes."""
    assert answer.status == 200, answer
    return {name: answer.json[name] for name in ("created", "changed", "unchanged", "refused") if answer.json[name]}


def faults(answer: Answer) -> list[str]:
    """Return the faults of an import, as ``line pointer code``."""
    return [f"{each['line']} {each['pointer']} {each['code']}" for each in answer.json["errors"]]


async def walk(admin: Admin, path: str | None) -> AsyncIterator[Answer]:
    """Follow a list's links as a client does."""
    while path is not None:
        page = await admin.get(path)
        assert page.status == 200
        yield page
        link = page.headers.get("link")
        assert link is None or link.endswith('>; rel="next"')
        path = None if link is None else link.removeprefix("<").partition(">")[0]


# --- import and export


@pytest.mark.parametrize("kind", ["memory", "directory"])
async def test_what_is_exported_is_what_was_imported(tmp_path: Path, kind: str) -> None:
    """Every real redirect of the sample, sorted by normalised name; and brought back it changes nothing."""
    store: Store = FakeStore() if kind == "memory" else DirectoryStore(tmp_path)
    sample = rows_of("redirects.jsonl")
    async with running_admin(store) as admin:
        brought = await bring(admin, lines(*reversed(sample)))
        assert counts(brought) == {"created": len(sample)}
        exported = await admin.get("export")
        assert exported.headers["content-type"] == "application/jsonl; charset=utf-8"
        rows = [json.loads(line) for line in exported.body.splitlines()]
        assert rows == sorted(rows, key=lambda row: normalise(row["project"]) or "")
        assert {row["project"]: row for row in rows} == {each["project"]: _full(each) for each in sample}
        assert counts(await bring(admin, exported.body)) == {"unchanged": len(sample)}
        assert (await admin.get("export")).body == exported.body
        await admin.ask("DELETE", f"projects/{sample[0]['project']}", headers=ANY)
        assert (await admin.get("export")).body.count(b"\n") == len(sample) - 1
    await store.close()


def _full(row: dict[str, Any]) -> dict[str, Any]:
    made = checked(**row)
    return {"project": made.project, "target": made.target, "path": made.path, "status": made.status,
            "state": made.state, **({"rules": made.rules} if made.rules else {})}  # fmt: skip


async def test_an_export_of_nothing_is_empty(admin: Admin) -> None:
    """And a table of nothing is one."""
    assert (await admin.get("export")).body == b""
    assert (await admin.get("projects")).json == {"projects": []}


async def test_a_long_export_is_streamed(admin: Admin, store: FakeStore) -> None:
    """It begins before it is all made, and shows one state of the table, whatever is written meanwhile."""
    await publish(store, (checked(f"project-{n:05d}") for n in range(20_000)))
    connection = await Connection.open(admin.port)
    connection.send(head("GET /-/api/v1/export"))
    await asyncio.sleep(0.2)
    assert counts(await bring(admin, lines(record("project-19999", "https://new.example.org/")))) == {"changed": 1}
    received = await _rest(connection)
    assert b"Transfer-Encoding: chunked" in received
    assert received.count(b'"project":') == 20_000
    assert b"new.example.org" not in received
    assert b"new.example.org" in (await admin.get("export")).body


async def _rest(connection: Connection) -> bytes:
    received = b""
    async with asyncio.timeout(20):
        while not received.endswith(b"\r\n0\r\n\r\n"):
            received += await connection._reader.read(65_536)
    await connection.close()
    return received


async def test_bad_lines_are_told_by_number_and_the_rest_goes_in(admin: Admin) -> None:
    """Blank lines count, and are no fault; every fault of a line is told."""
    body = lines(
        SIX,
        b"\n",
        b"{no json}\n",
        {"project": "seven", "target": "nowhere", "path": "deep"},
        b'{"project": "a", "project": "b"}\n',
        {"project_name": "Old_One", "include_path": True, "base_uri": "https://old.example.org/"},
        b"[]\r\n",
        record("http", "http://plain.example.org/"),
    )
    answer = await bring(admin, body)
    assert counts(answer) == {"created": 3, "refused": 4}
    assert faults(answer) == [
        "3  malformed",
        "4 /path choice",
        "4 /target url-scheme",
        "5  malformed",
        "7  type",
    ]
    assert [(each["line"], each["code"]) for each in answer.json["warnings"]] == [(8, "plain-http")]
    assert (await admin.get("projects/old-one")).json["path"] == "keep"


async def test_lines_that_contradict_each_other_are_all_refused(admin: Admin) -> None:
    """Names equal under PEP 503 are one project: which is meant is not ours to choose. Saying the same twice is not."""
    body = lines(record("Six"), record("SIX", "https://b.example.org/"), record("a_b"), record("a.b"))
    answer = await bring(admin, body)
    assert counts(answer) == {"created": 1, "unchanged": 1, "refused": 2}
    assert faults(answer) == ["1  conflict", "2  conflict"]
    assert (await admin.get("projects/six")).status == 404


async def test_an_import_never_touches_what_it_does_not_name(admin: Admin) -> None:
    """And what it changes has its author and reason in the history."""
    await admin.put(SIX, CREATE)
    said = {"X-Reason": "the old file", "On-Behalf-Of": "Ada"}
    assert counts(await bring(admin, lines(record("seven")), headers={**LINES, **said})) == {"created": 1}
    assert (await admin.get("projects/six")).json["meta"]["revision"] == 1
    [entry] = (await admin.get("projects/seven/history")).json["history"]
    assert (entry["by"], entry["reason"], entry["on_behalf_of"]) == ("bootstrap token", "the old file", "Ada")


async def test_only_new_leaves_redirects_alone(admin: Admin) -> None:
    """Tombstones are no redirects."""
    await admin.put(SIX, CREATE)
    await admin.put(record("seven"), CREATE)
    await admin.ask("DELETE", "projects/seven", headers=ANY)
    new = [record(name, "https://new.example.org/") for name in ("six", "seven", "eight")]
    assert counts(await bring(admin, lines(*new), "?only_new=true")) == {"created": 2, "unchanged": 1}
    assert (await admin.get("projects/six")).json["target"] == SIX["target"]
    assert (await admin.get("projects/seven")).json["meta"]["revision"] == 3


async def test_a_dry_run_imports_nothing(admin: Admin, store: FakeStore) -> None:
    """The same report, and not one write."""
    await admin.put(SIX, CREATE)
    body = lines(record("six", "https://new.example.org/"), record("seven"), b"x\n")
    was, before = dict(store.objects), sum(store.count(each) for each in ("create", "replace", "put", "delete"))
    dry = await bring(admin, body, "?dry_run=true")
    assert (counts(dry), dry.json["dry_run"]) == ({"created": 1, "changed": 1, "refused": 1}, True)
    assert store.objects == was
    assert sum(store.count(each) for each in ("create", "replace", "put", "delete")) == before
    real = await bring(admin, body)
    assert (counts(real), real.json["dry_run"]) == (counts(dry), False)


async def test_a_bad_import_into_a_large_table_needs_force(admin: Admin, store: FakeStore) -> None:
    """More than a fifth of over 1,000 rows: a dry run says so, and nothing is written without force."""
    await publish(store, (checked(f"project-{n}") for n in range(1_001)))
    many = lines(*(record(f"project-{n}", "https://new.example.org/") for n in range(201)))
    dry = await bring(admin, many, "?dry_run=true")
    assert (counts(dry), dry.json["needs_force"]) == ({"changed": 201}, True)
    refused = await bring(admin, many)
    assert refused.code == "422 import-refused"
    assert "201 of 1001" in refused.json["detail"]
    assert (await admin.get("projects/project-0")).json["meta"]["revision"] == 1
    few = lines(*(record(f"project-{n}", "https://new.example.org/") for n in range(200)), record("added"))
    assert counts(await bring(admin, few)) == {"changed": 200, "created": 1}
    forced = await bring(admin, many, "?force=true")
    assert (counts(forced), forced.json["needs_force"]) == ({"changed": 1, "unchanged": 200}, False)


async def test_an_import_is_published_once_and_is_idempotent(admin: Admin, store: FakeStore) -> None:
    """The table is swapped once for all; brought again, nothing is."""
    body = lines(*(record(f"project-{n}") for n in range(300)))
    assert counts(await bring(admin, body)) == {"created": 300}
    assert store.count("create", "table.json") + store.count("replace", "table.json") == 1
    was = dict(store.objects)
    assert counts(await bring(admin, body)) == {"unchanged": 300}
    assert store.objects == was


@pytest.mark.parametrize("kind", ["application/jsonl", "application/x-ndjson", "text/plain; charset=utf-8",
                                  "application/octet-stream"])  # fmt: skip
async def test_what_lines_may_be_called(admin: Admin, kind: str) -> None:
    """JSON Lines have no registered type; `redirects.txt` is a text."""
    assert counts(await bring(admin, lines(SIX), headers={"Content-Type": kind})) == {"created": 1}


@pytest.mark.parametrize("headers", [{"Content-Type": "application/json"}, {"Content-Type": "text/csv"},
                                     {**LINES, "Content-Encoding": "gzip"}])  # fmt: skip
async def test_what_is_no_lines(admin: Admin, headers: dict[str, str]) -> None:
    """Said by its type, before it is read."""
    assert (await bring(admin, lines(SIX), headers=headers)).code == "415 wrong-content-type"


async def _chunks(data: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def test_an_import_has_a_largest_size(admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    """64 MiB; declared or found while it comes. Nothing of one that is too large goes in."""
    assert reading.MAX_IMPORT == 64 * 1024 * 1024
    two = lines(SIX, record("seven"))
    monkeypatch.setattr(reading, "MAX_IMPORT", len(two) - 1)
    assert (await bring(admin, two)).code == "413 body-too-large"
    chunked = await admin.ask("POST", "import", body=_chunks(two, 20), headers=LINES)
    assert chunked.code == "413 body-too-large"
    assert (await admin.get("projects")).json == {"projects": []}
    monkeypatch.setattr(reading, "MAX_IMPORT", len(two))
    assert counts(await bring(admin, two)) == {"created": 2}


async def test_an_import_of_more_than_a_record_may_have(admin: Admin) -> None:
    """The limit of a JSON body is none of an import's."""
    body = lines(*(record(f"project-{n}", rules={"a.html": "x" * 1_500}) for n in range(1_000)))
    assert len(body) > reading.MAX_BODY
    assert counts(await bring(admin, body)) == {"created": 1_000}


async def test_imports_are_done_one_at_a_time(admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one waits for a while, then is told to come back; one whose client has gone is in nobody's way."""
    monkeypatch.setattr(tables, "IMPORT_WAIT_SECONDS", 0.2)
    connection = await Connection.open(admin.port)
    connection.send(head("POST /-/api/v1/import", "Content-Type: application/jsonl", "Content-Length: 1000") + b"{")
    await asyncio.sleep(0.1)
    busy = await bring(admin, lines(SIX))
    assert (busy.code, busy.headers["retry-after"]) == ("503 busy", "7")
    assert (await admin.put(record("seven"), CREATE)).status == 201, "single writes go on"
    await connection.close()
    monkeypatch.setattr(tables, "IMPORT_WAIT_SECONDS", 5)
    assert counts(await bring(admin, lines(SIX))) == {"created": 1}
    both = await asyncio.gather(*(bring(admin, lines(record(name))) for name in ("eight", "nine")))
    assert [counts(each) for each in both] == [{"created": 1}] * 2


async def test_an_import_that_comes_slowly_is_ended(admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    """408, and the next one has its turn."""
    monkeypatch.setattr(reading, "IMPORT_SECONDS", 0.1)
    data = head("POST /-/api/v1/import", "Content-Type: application/jsonl", "Content-Length: 1000") + b"{"
    response = await admin.raw(data)
    assert response.status == 408
    assert counts(await bring(admin, lines(SIX))) == {"created": 1}


async def test_what_cannot_be_written_is_counted_as_refused(admin: Admin, store: FakeStore) -> None:
    """By its name: it has no line."""
    await store.put("projects/six.json", b"{}")
    answer = await bring(admin, lines(SIX, record("seven")))
    assert counts(answer) == {"created": 1, "refused": 1}
    assert faults(answer) == ["None  not-written"]
    assert "six" in answer.json["errors"][0]["detail"]


# --- lists


async def test_a_list_is_told_page_by_page(admin: Admin, store: FakeStore) -> None:
    """By normalised name, each row once, in pages of at most `limit`; the default is 100."""
    await publish(store, (checked(f"Project_{n:03d}") for n in range(250)))
    sizes, seen = [], []
    async for page in walk(admin, "projects"):
        sizes.append(len(page.json["projects"]))
        seen += [each["project"] for each in page.json["projects"]]
    assert sizes == [100, 100, 50]
    assert seen == [f"Project_{n:03d}" for n in range(250)]
    assert len((await admin.get("projects?limit=1000")).json["projects"]) == 250
    exact = [page async for page in walk(admin, "projects?limit=125")]
    assert [len(page.json["projects"]) for page in exact] == [125, 125]
    assert "link" not in exact[-1].headers


async def test_a_list_stays_right_while_others_write(admin: Admin, store: FakeStore) -> None:
    """What is created, removed and changed between two pages moves no other row: none twice, none left out."""
    await publish(store, (checked(f"p-{n:02d}") for n in range(0, 40, 2)))
    seen: list[str] = []
    async for page in walk(admin, "projects?limit=5&q=P_"):
        names = [each["project"] for each in page.json["projects"]]
        seen += names
        last = int(names[-1][2:])
        await admin.put(record(f"p-{last - 1:02d}"), CREATE)  # before the place: not seen any more
        await admin.put(record(f"p-{last + 1:02d}"), CREATE)  # after it: still seen
        await admin.ask("DELETE", f"projects/{names[-1]}", headers=ANY)  # the place itself
    assert seen == sorted(set(seen))
    assert {f"p-{n:02d}" for n in range(0, 40, 2)} <= set(seen)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["Alpha_Docs", "beta", "gone-one"]),
        ("?state=active", ["Alpha_Docs", "beta"]),
        ("?state=gone", ["gone-one"]),
        ("?state=removed", ["removed-one"]),
        ("?q=ALPHA-docs", ["Alpha_Docs"]),
        ("?q=a.D", ["Alpha_Docs"]),
        ("?q=Beta.Example", ["beta"]),
        ("?q=%2Fdeep%2F", ["beta"]),
        ("?q=one", ["gone-one"]),
        ("?q=one&state=removed", ["removed-one"]),
        ("?q=nothing", []),
        ("?q=", ["Alpha_Docs", "beta", "gone-one"]),
        ("?q=%20", []),
        ("?q=%C3%A9", []),
        ("?q=%00", []),
        ("?q=alpha%22%2C", []),
    ],
)
async def test_what_is_listed(admin: Admin, query: str, expected: list[str]) -> None:
    """By part of a name, in any spelling, or of a target; by state; removed ones only when asked for."""
    await bring(admin, lines(
        record("Alpha_Docs"), record("beta", "https://BETA.example.org/deep/"), record("gone-one", state="gone"),
        record("removed-one"),
    ))  # fmt: skip
    await admin.ask("DELETE", "projects/removed-one", headers=ANY)
    listed = (await admin.get(f"projects{query}")).json["projects"]
    assert [each["project"] for each in listed] == expected


async def test_what_a_list_tells_of_a_project(admin: Admin) -> None:
    """Its record, flat, and the revision that is published; of a removed one its name."""
    await admin.put({**SIX, "rules": {"a.html": "b"}}, CREATE)
    assert (await admin.get("projects")).json["projects"] == [
        {**SIX, "status": 301, "state": "active", "rules": {"a.html": "b"}, "meta": {"revision": 1, "published": True}}
    ]
    await admin.ask("DELETE", "projects/six", headers=ANY)
    assert (await admin.get("projects?state=removed")).json["projects"] == [
        {"project": "six", "state": "removed", "meta": {"revision": 2, "published": True}}
    ]


async def test_links_keep_what_was_asked(admin: Admin) -> None:
    """Filters and limit; whatever their characters, the link is a URL that can be asked as it is."""
    await bring(admin, lines(*(record(f"a-{n}", f"https://x.example.org/a%20b/{n}/") for n in range(5))))
    pages = [page async for page in walk(admin, "projects?limit=2&state=active&q=a%2520b")]
    assert [len(page.json["projects"]) for page in pages] == [2, 2, 1]
    for page in pages[:-1]:
        assert page.headers["link"].isascii()
        assert "state=active" in page.headers["link"]


async def test_one_process_sees_at_once_what_another_has_published(store: FakeStore) -> None:
    """Lists, export and previews look at the store's table each time: not as it was at the last poll."""
    slow = {"DOCSREDIRECT_POLL_SECONDS": "3600"}
    async with running_admin(store, slow) as one, running_admin(store, slow) as other:
        assert (await one.put(SIX, CREATE)).json["meta"]["published"] is True
        assert [each["project"] for each in (await other.get("projects")).json["projects"]] == ["six"]
        assert (await other.get("export")).body.count(b"\n") == 1
        assert (await other.get("resolve?url=/six/")).json["status"] == 301
        assert (await other.get("projects/six")).json["meta"]["published"] is True


# --- resolve


@pytest.mark.parametrize(
    ("url", "status", "location", "rule"),
    [
        ("https://pythonhosted.org/six/a.html", 301, "https://six.example.org/a.html", "path"),
        ("pythonhosted.org/SIX", 301, "https://six.example.org/", "path"),
        ("/six/x/deep?q=1", 301, "https://new.example.org/deep?q=1", "x/*"),
        ("/six/old.html", 410, None, "old.html"),
        ("/none/", 404, None, None),
        ("/gone-one/", 410, None, None),
        ("https://example.org/six/", 421, None, None),
        ("/six/../x", 404, None, None),
        ("/", 200, None, None),
        ("", 400, None, None),
        ("/" + "x" * 9_000, 414, None, None),
    ],
)
async def test_resolve_says_what_the_edge_answers_and_why(
    admin: Admin, url: str, status: int, location: str | None, rule: str | None
) -> None:
    """GET and POST alike: the fields of the command line, and the steps, of which the last is the answer."""
    rules = {"x/*": "https://new.example.org/*", "old.html": None}
    await bring(admin, lines(record("six", rules=rules), record("gone-one", state="gone")))
    posted = await admin.post("resolve", {"url": url})
    assert (posted.json["status"], posted.json["location"], posted.json["rule"]) == (status, location, rule)
    assert set(posted.json) == {"url", "status", "location", "rule", "steps"}
    assert posted.json["url"] == url
    steps = [step["step"] for step in posted.json["steps"]]
    assert steps[-1] == "answer"
    assert len(steps) > 1 and all(step["detail"] for step in posted.json["steps"])
    got = await admin.get("resolve?url=" + url.replace("?", "%3F").replace("&", "%26"))
    assert got.json == posted.json


async def test_resolve_with_a_record_that_is_not_saved(admin: Admin, store: FakeStore) -> None:
    """What it would answer; of other projects, what is published. Nothing is written."""
    await admin.put(SIX, CREATE)
    was = dict(store.objects)
    unsaved = {**record("Six", "https://new.example.org/", path="root"), "meta": {"revision": 5}}
    for url, location in (("/six/a", "https://new.example.org/"), ("/seven/", None)):
        answer = await admin.post("resolve", {"url": url, "record": unsaved})
        assert answer.json["location"] == location
    assert (await admin.post("resolve", {"url": "/six/a", "record": None})).json["location"].startswith("https://six.")
    assert (await admin.get("resolve?url=/six/a")).json["location"] == "https://six.example.org/a"
    assert store.objects == was


@pytest.mark.parametrize(
    ("body", "code", "found"),
    [
        ({}, "422 invalid-request", ["/url missing"]),
        ({"url": 7}, "422 invalid-request", ["/url type"]),
        ({"url": "x", "recrd": {}}, "422 invalid-request", ["/recrd unknown-field"]),
        ({"record": {"project": "six"}}, "422 invalid-request",
         ["/url missing", "/record/target missing", "/record/path missing"]),
        ({"url": "x", "record": []}, "422 invalid-request", ["/record type"]),
        ({"url": "x", "record": record("six", "https://www.pythonhosted.org/")}, "422 invalid-request",
         ["/record/target url-own-host"]),
        ({"url": "x" * (64 * 1024 + 1)}, "422 invalid-request", ["/url url-too-long"]),
    ],
)  # fmt: skip
async def test_what_cannot_be_resolved(admin: Admin, body: Any, code: str, found: list[str]) -> None:
    """Faults of the record are told at pointers below it."""
    answer = await admin.post("resolve", body)
    assert (answer.code, answer.faults) == (code, found)


async def test_resolve_knows_what_is_denied(store: FakeStore, tmp_path: Path) -> None:
    """As the edges do that read the same file."""
    deny = tmp_path / "deny"
    deny.write_text("Six\n")
    async with running_admin(store, {"DOCSREDIRECT_DENY_FILE": str(deny)}) as admin:
        await admin.put(SIX, CREATE)
        answer = await admin.get("resolve?url=/six/")
        assert (answer.json["status"], answer.json["location"]) == (410, None)
        assert "operators have withdrawn" in " ".join(step["detail"] for step in answer.json["steps"])


async def test_resolve_answers_as_edges_do_while_the_store_fails(admin: Admin, store: FakeStore) -> None:
    """With the table that is held; lists and exports are about what is published, and say that they cannot know."""
    await admin.put(SIX, CREATE)
    await admin.get("projects")
    store.failing = ""
    assert (await admin.get("resolve?url=/six/")).json["status"] == 301
    assert (await admin.get("resolve?url=/seven/")).json["status"] == 404
    for path in ("projects", "projects?q=six", "export"):
        answer = await admin.get(path)
        assert (answer.code, answer.headers["retry-after"]) == ("503 unknown", "7")
    assert (await bring(admin, lines(record("seven")))).code == "503 store-unavailable"
    assert (await admin.get("/-/health/live", token=None)).status == 200
    assert (await admin.get("/-/health/ready", token=None)).json["rows"] == 1


async def test_resolve_without_a_table_is_503_and_an_answer(store: FakeStore) -> None:
    """What the edge would say then; the API itself answers 200."""
    store.failing = ""
    async with running_admin(store, wait=False) as admin:
        answer = await admin.get("resolve?url=/six/")
        assert (answer.status, answer.json["status"]) == (200, 503)
        ready = await admin.get("/-/health/ready", token=None)
        assert (ready.status, ready.json["ready"]) == (503, False)


async def test_a_store_that_hangs_is_told_in_time(admin: Admin, store: FakeStore) -> None:
    """Lists and exports within three seconds; resolve answers with what is held."""
    await admin.put(SIX, CREATE)
    await admin.get("projects")
    store.gate.clear()
    begin = time.monotonic()
    answers: Iterable[Answer] = await asyncio.gather(
        *(admin.get(path) for path in ("projects", "export", "resolve?url=/six/", "tokens"))
    )
    assert time.monotonic() - begin < 3.5
    assert [answer.status for answer in answers] == [503, 503, 200, 503]
    store.gate.set()
