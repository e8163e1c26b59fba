"""`docsredirect compare`: every real URL against the stand-in for the old service, and every planted fault found."""

import asyncio
import gzip
import json
import re
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import Result

from docsredirect.cli import comparing
from docsredirect.domain.comparison import Judgement, judge
from docsredirect.domain.records import Record
from docsredirect.formats import conveyor
from docsredirect.store import open_store
from tests.cli.commands import DATA, Cli, Done, invoke
from tests.cli.terminals import on_terminal
from tests.support.altered import Alter, altering, located, status
from tests.support.certificates import self_signed
from tests.support.edges import publish, record, rows_of, running_edge
from tests.support.http import Response, free_port
from tests.support.old_service import OldService, running_old_service
from tests.support.stores import FakeStore

REAL = [record(**row) for row in rows_of("redirects.jsonl")]
URLS = [row["url"] for row in rows_of("urls.jsonl")]
BOTH_SCHEMES = [url.replace("https://", f"{scheme}://", 1) for url in URLS for scheme in ("https", "http")]

SIX = record("six", "https://six.example.org/", "keep")
RECORDS = [
    SIX,
    record("gone", "https://gone.example.org/", "keep", state="gone"),
    record("moving", "https://moving.example.org/", "keep", status=302),
    record("clean", "https://clean.example.org/", "clean", rules={"a.html": "b/", "closed": None}),
]


class Sides(NamedTuple):
    """The ports of the old and the new side, and the table of both as a file."""

    old: int
    new: int
    table: Path


@asynccontextmanager
async def sides(
    folder: Path, records: Iterable[Record], alter: Alter | None = None, **old: Any
) -> AsyncIterator[Sides]:
    """Run the stand-in on the conveyor export of a table, with its front, and an edge on the table itself, altered."""
    records = list(records)
    (folder / "redirects.txt").write_bytes(b"".join(line for each in records for line in conveyor.lines(each)))
    table = folder / "table.jsonl"
    table.write_text("".join(json.dumps(each) + "\n" for each in map(_fields, records)), encoding="utf-8")
    store = FakeStore()
    await publish(store, records)
    service = OldService(folder / "redirects.txt", front=True, **old)
    async with running_edge(store) as edge, running_old_service(service) as port:
        if alter is None:
            yield Sides(port, edge, table)
            return
        async with altering(edge, alter) as altered:
            yield Sides(port, altered, table)


def _fields(one: Record) -> dict[str, Any]:
    return {name: getattr(one, name) for name in one.__struct_fields__}


def words(at: Sides, *more: str | Path) -> list[str]:
    """Return the command line that compares two sides."""
    bases = ["--old", f"http://127.0.0.1:{at.old}", "--new", f"http://127.0.0.1:{at.new}"]
    return ["compare", *bases, *map(str, more)]


async def run(
    cli: Cli,
    at: Sides,
    *more: str | Path,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    fails: bool = False,
) -> Done:
    """Run the command while the servers go on."""
    return await asyncio.to_thread(cli, *words(at, *more), stdin=stdin, env=env, fails=fails)


def listed(folder: Path, *urls: str) -> Path:
    """Write a list of URLs."""
    path = folder / "urls.txt"
    path.write_text("".join(f"{url}\n" for url in urls), encoding="utf-8")
    return path


async def judged(at: Sides, folder: Path, *urls: str, more: Iterable[str] = ()) -> list[dict[str, Any]]:
    """Compare URLs in this process and return the rows."""
    line = words(at, "--from", listed(folder, *urls), "--table", at.table, "--json", *more)
    store = {"DOCSREDIRECT_STORE": str(folder / "no-store")}
    result: Result = await asyncio.to_thread(invoke, *line, env=store)
    rows = [json.loads(row) for row in result.stdout.splitlines()]
    assert result.exit_code == any(row["verdict"] == "worse" for row in rows), result.output
    return rows


def reasons(rows: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """Count the reasons."""
    return Counter(reason for row in rows for reason in row["reasons"])


async def test_no_real_url_is_worse_and_most_are_better(cli: Cli, tmp_path: Path) -> None:
    """All 528 real URLs with both schemes: none is worse, and each reason for better has its count."""
    async with sides(tmp_path, REAL) as at:
        done = await run(cli, at, "--from", listed(tmp_path, *BOTH_SCHEMES), "--table", at.table, "--json")
    assert [row["url"] for row in done.rows] == BOTH_SCHEMES
    assert Counter(row["verdict"] for row in done.rows) == {"better": 876, "same": 180}
    assert reasons(done.rows) == {"fewer-hops": 722, "permanent": 414, "spelling": 34, "page": 20, "rule": 16}
    assert max(row["new"]["hops"] for row in done.rows) == 1
    assert max(row["old"]["hops"] for row in done.rows) == 5
    assert done.said == [
        f"Table: 68 projects in {at.table}. New answers are held to it.",
        "    1,056  URLs",
        "      180  same",
        "      876  better",
        "              722  fewer hops",
        "               34  found by spelling",
        "              414  301 or 308 for a temporary redirect",
        "               20  the page instead of the root",
        "               16  a rule of the project",
        "        0  worse",
        "        0  not compared: the old side did not answer",
        "1,056 compared, 0 not compared, 0 worse.",
    ]


async def test_without_a_table_pages_below_are_better_and_other_places_are_worse(cli: Cli, tmp_path: Path) -> None:
    """The 16 URLs that a rule leads elsewhere are worse then, and the 20 pages of `clean` are better all the same."""
    async with sides(tmp_path, REAL) as at:
        done = await run(cli, at, "--from", listed(tmp_path, *BOTH_SCHEMES), "--json", fails=True)
    assert done.status == 1
    worse = [row for row in done.rows if row["verdict"] == "worse"]
    assert reasons(worse) == {"another-place": 16}
    assert reasons(row for row in done.rows if row["verdict"] == "better")["page"] == 20
    assert done.said[0] == (
        f"No table: nothing is published in {cli.store}. "
        "Another place counts as worse then, unless it lies below the old one."
    )


async def test_the_published_table_is_taken_where_none_is_named(cli: Cli, tmp_path: Path) -> None:
    """DOCSREDIRECT_STORE has it: the same as with --table."""
    cli("import", DATA / "redirects.jsonl")
    async with sides(tmp_path, REAL) as at:
        done = await run(cli, at, "--from", listed(tmp_path, *URLS), "--json")
    assert {row["verdict"] for row in done.rows} == {"better", "same"}
    assert done.said[0] == f"Table: 68 projects published in {cli.store}. New answers are held to it."


FAULTS: dict[str, tuple[Alter, str, str]] = {
    "drops the query": (located(lambda to: to.partition("?")[0]), "/six/x?q=1", "query-lost"),
    "302 for 301": (located(lambda to: to, 302), "/six/x", "temporary"),
    "301 for a project's 302": (located(lambda to: to, 301), "/moving/x", "permanent-for-temporary"),
    "another host": (located(lambda to: to.replace("six", "sex")), "/six/x", "another-place"),
    "another page": (located(lambda to: to + "y"), "/six/x", "another-place"),
    "another place for a name that the old one does not know": (
        located(lambda to: to.replace("six", "sex")), "/SIX/x", "another-place",
    ),
    "the root for a page": (located(lambda _: "https://six.example.org/"), "/six/x", "page-lost"),
    "the old service's root for a page": (located(lambda _: "https://clean.example.org/"), "/clean/x", "page-lost"),
    "a fragment": (located(lambda to: to + "#top"), "/six/x", "another-place"),
    "http for https": (located(lambda to: to.replace("https", "http")), "/six/x", "http"),
    "the decoded path": (located(lambda to: to.replace("%2F", "/")), "/six/a%2Fb", "escapes-lost"),
    "a place made from the request": (located(lambda _: "//evil.example/"), "/six/x", "strayed"),
    "a script": (located(lambda _: "javascript:alert(1)"), "/six/x", "strayed"),
    "a hop more": (
        lambda target, real: Response(301, [("location", "/six/x")], b"") if target == "/six//x" else real,
        "/six//x", "more-hops",
    ),
    "a circle": (located(lambda _: "https://pythonhosted.org/six/x"), "/six/x", "loop"),
    "404": (status(404), "/six/x", "absent"),
    "404 for every spelling": (status(404), "/SIX/x", "absent"),
    "410": (status(410), "/six/x", "gone"),
    "403": (status(403), "/six/x", "error"),
    "421": (status(421), "/six/x", "error"),
    "500": (status(500), "/six/x", "error"),
    "503 where nothing is": (status(503), "/none/", "error"),
    "a page": (status(200, b"<p>Welcome"), "/six/x", "page-for-redirect"),
    "a page where nothing is": (status(200, b"<p>Welcome"), "/none/", "page-for-nothing"),
    "a redirect where nothing is": (
        lambda target, real: Response(301, [("location", "https://parked.example/")], b""), "/none/", "another-place",
    ),
    "404 for what is withdrawn": (status(404), "/gone/x", "not-withdrawn"),
    "a redirect for what is withdrawn": (
        lambda target, real: Response(301, [("location", "https://gone.example.org/x")], b""),
        "/gone/x", "not-withdrawn",
    ),
    "410 for nothing": (status(410), "/none/", "gone"),
    "the rule's page is there": (
        lambda target, real: Response(301, [("location", "https://clean.example.org/closed")], b""),
        "/clean/closed", "not-withdrawn",
    ),
    "a black hole": (lambda target, real: None, "/six/x", "no-answer"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_planted_fault_is_found(fault: str, tmp_path: Path) -> None:
    """One fault in the new side makes one URL worse, for that reason, and the command end with 1."""
    alter, path, reason = FAULTS[fault]
    async with sides(tmp_path, RECORDS, alter) as at:
        (row,) = await judged(at, tmp_path, f"https://pythonhosted.org{path}", more=("--timeout", "0.5"))
    assert row["verdict"] == "worse"
    assert reason in row["reasons"]


@pytest.mark.parametrize("fault", FAULTS)
async def test_what_the_faults_are_planted_in_is_right(fault: str, tmp_path: Path) -> None:
    """Without its fault each of these URLs is the same or better."""
    async with sides(tmp_path, RECORDS) as at:
        (row,) = await judged(at, tmp_path, f"https://pythonhosted.org{FAULTS[fault][1]}")
    assert row["verdict"] in ("same", "better")


async def test_old_pages(tmp_path: Path) -> None:
    """A project without a redirect keeps its old pages, as they were; a redirect is better than an old page."""
    for name in ("kept", "six"):
        (tmp_path / "docs" / name).mkdir(parents=True)
        (tmp_path / "docs" / name / "index.html").write_bytes(b"<p>old")
    urls = ["https://pythonhosted.org/kept/", "https://pythonhosted.org/SIX/"]
    docs = tmp_path / "docs"
    shutil.copytree(docs / "six", docs / "SIX")
    pages: dict[str, tuple[Alter | None, list[list[str]]]] = {
        "none": (None, [["absent"], ["redirect-for-page"]]),
        "the same": (_page(b"<p>old"), [[], ["redirect-for-page"]]),
        "others": (_page(b"<p>new"), [["another-body"], ["redirect-for-page"]]),
    }
    for alter, expected in pages.values():
        async with sides(tmp_path, [SIX], alter, old_docs=docs) as at:
            assert [row["reasons"] for row in await judged(at, tmp_path, *urls)] == expected


def _page(body: bytes) -> Alter:
    return lambda target, real: Response(200, [], body) if real.status == 404 else real


async def test_what_the_old_service_did_wrong_is_better(tmp_path: Path) -> None:
    """Each of its ways, one URL each."""
    expected = {
        "https://pythonhosted.org/six": ["fewer-hops", "permanent"],
        "http://pythonhosted.org/six": ["fewer-hops", "permanent"],
        "https://packages.python.org/six/": ["fewer-hops", "permanent"],
        "https://pythonhosted.org/Six/": ["spelling"],
        "https://pythonhosted.org//six/": ["spelling"],
        "https://pythonhosted.org/six/?q=%2f": ["query-kept", "permanent"],
        "https://pythonhosted.org/six/a%2Fb": ["escapes-kept", "permanent"],
        "https://pythonhosted.org/six/a%3Fb": ["escapes-kept", "permanent"],
        "https://pythonhosted.org/six//a": ["slashes", "permanent"],
        "https://pythonhosted.org/clean/x.html": ["permanent", "page"],
        "https://pythonhosted.org/clean/a.html": ["permanent", "rule"],
        "https://pythonhosted.org/clean/closed": ["withdrawn"],
        "https://pythonhosted.org/gone/": ["withdrawn"],
        "https://pythonhosted.org/moving/x": [],
        "https://pythonhosted.org/%2Fevil.example": ["old-strayed"],
        "https://pythonhosted.org/": ["own-page"],
    }
    async with sides(tmp_path, RECORDS) as at:
        rows = await judged(at, tmp_path, *expected)
    assert {row["url"]: row["reasons"] for row in rows} == expected


async def test_a_change_since_is_better_where_the_history_has_the_old_place(cli: Cli, tmp_path: Path) -> None:
    """The old service still leads where the project led before: changed and removed projects are told by their
    history, and a place that no revision had is worse."""
    moved, removed, other = record("moved"), record("removed"), record("other", "https://other.example.org/")
    cli("import", cli.file("1.jsonl", _fields(other)))
    cli("import", cli.file("2.jsonl", _fields(moved), _fields(removed)))
    cli("restore", "--sequence", "1")
    cli("import", cli.file("3.jsonl", _fields(record("moved", "https://new.example.org/"))))
    before = [moved, removed, record("other", "https://elsewhere.example.org/")]
    urls = listed(tmp_path, *(f"https://pythonhosted.org/{name}/" for name in ("moved", "removed", "other")))
    async with open_store(str(cli.store)) as store, sides(tmp_path, before) as at, running_edge(store) as edge:
        done = await run(cli, at._replace(new=edge), "--from", urls, "--json", fails=True)
    assert [row["reasons"] for row in done.rows] == [["permanent", "changed"], ["changed"], ["another-place"]]


async def test_denied_names_are_withdrawn(cli: Cli, tmp_path: Path) -> None:
    """What this machine's deny file names is expected to answer 410."""
    cli.environment["DOCSREDIRECT_DENY_FILE"] = str(cli.file("denied", b"SIX"))
    async with sides(tmp_path, [SIX], status(410)) as at:
        done = await run(cli, at, "--from", listed(tmp_path, "/six/"), "--table", at.table, "--json")
    assert [row["reasons"] for row in done.rows] == [["withdrawn"]]


async def test_an_access_log_from_standard_input(cli: Cli, tmp_path: Path) -> None:
    """Each distinct URL is asked once, with its count; lines that are none are told of by number; --scheme both asks
    those without a scheme with either."""
    log = b"".join(
        b'192.0.2.7 - - [10/Oct/2026:13:55:36 +0000] "%s HTTP/1.1" 302 0 "-" "-"\n' % request
        for request in (b"GET /six/", b"GET /six/x", b"GET /six/", b"POST /six/", b"HEAD /six/")
    )
    service = OldService(tmp_path / "redirects.txt", front=True)
    async with sides(tmp_path, [SIX]) as at, running_old_service(service) as counted:
        options = ["--from", "-", "--scheme", "both", "--table", str(at.table), "--json"]
        done = await run(cli, at._replace(old=counted), *options, stdin=log + b"/six/x\n!\n")
    assert [(row["url"], row["count"]) for row in done.rows] == [
        ("http://pythonhosted.org/six/", 3),
        ("https://pythonhosted.org/six/", 3),
        ("http://pythonhosted.org/six/x", 2),
        ("https://pythonhosted.org/six/x", 2),
    ]
    assert service.requests == 6  # http is forced to https, a hop each
    assert done.said[1:4] == [
        "line 4: The request is a POST. Links are followed with GET or HEAD.",
        "line 7: '!' is no http(s) URL and no path.",
        "Lines left out: 2",
    ]
    assert done.said.count("Lines left out: 2") == 2  # and once more with the sums
    assert "        4  URLs, listed 10 times" in done.said


async def test_people_see_what_is_worse_and_the_counts(cli: Cli, tmp_path: Path) -> None:
    """Both answers and what the table says, of the first fifty; controls that a server sent are shown as escapes."""
    urls = [f"https://pythonhosted.org/six/{number}" for number in range(60)]
    async with sides(tmp_path, [SIX], located(lambda _: "https://x.example/\x85\u202e")) as at:
        few = await run(cli, at, "--from", listed(tmp_path, *urls, urls[0]), "--table", at.table, fails=True)
        every = await run(cli, at, "--from", listed(tmp_path, *urls), "--table", at.table, "--all", fails=True)
    lines = few.out.decode().splitlines()
    assert lines[:5] == [
        "https://pythonhosted.org/six/0  (2 times)",
        "    worse: another place",
        "    old    302 https://six.example.org/0",
        "    new    301 https://x.example/\\x85\\u202e",
        "    table  301 https://six.example.org/0 (path)",
    ]
    assert "… and 10 more that are worse; --all shows them." in lines
    assert lines[-7:] == [
        "       60  URLs, listed 61 times",
        "        0  same",
        "        0  better",
        "       60  worse",
        "               60  another place",
        "        0  not compared: the old side did not answer",
        "60 compared, 0 not compared, 60 worse.",
    ]
    assert sum(line.startswith("https://") for line in lines) == 50
    assert sum(line.startswith(b"https://") for line in every.out.splitlines()) == 60


async def test_on_a_terminal_progress_goes_away_and_the_counts_stay(cli: Cli, tmp_path: Path) -> None:
    """How far it is and how many are worse is shown while it runs; the report stands at the end."""
    async with sides(tmp_path, [SIX], _only("/six/0", located(lambda to: to + "y"))) as at:
        line = words(at, "--from", listed(tmp_path, *(f"/six/{number}" for number in range(300))), "--table", at.table)
        done = await asyncio.to_thread(on_terminal, cli, *line, env={}, reply="")
    assert done.status == 1
    assert "Comparing" in done.text
    assert "/300" in done.text
    assert "1 worse" in done.text.partition("URLs")[0]
    assert done.text.rstrip().endswith("300 compared, 0 not compared, 1 worse.")


def _only(target: str, alter: Alter) -> Alter:
    return lambda asked, real: alter(asked, real) if asked == target else real


async def test_ctrl_c_shows_what_is_known(cli: Cli, tmp_path: Path) -> None:
    """Where it stopped, the sums so far, and the exit code of a shell."""
    async with sides(tmp_path, [SIX]) as at:
        line = words(at, "--from", listed(tmp_path, *(f"/six/{number}" for number in range(300))), "--table", at.table)
        done = await asyncio.to_thread(on_terminal, cli, *line, "--rate", "20", env={}, reply="\x03", asks="3/300")
    assert done.status == 130
    assert re.search(r"Stopped after (\d+) of 300 URLs\. \1 compared, 0 not compared, 0 worse\.$", done.text.rstrip())
    assert " better\n" in done.text


async def test_a_failure_in_the_middle_shows_what_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sums of what was compared before it, and one sentence."""

    def judged_twice(*given: Any) -> Judgement:
        if given[0].path == "/six/2":
            raise RuntimeError("two are enough")
        return judge(*given)

    monkeypatch.setattr(comparing, "judge", judged_twice)
    urls = listed(tmp_path, *(f"/six/{number}" for number in range(20)))
    async with sides(tmp_path, [SIX]) as at:
        result = await asyncio.to_thread(invoke, *words(at, "--from", urls, "--table", at.table), env={})
    assert result.exit_code == 1
    assert result.stdout.endswith("Stopped after 2 of 20 URLs. 2 compared, 0 not compared, 0 worse.\n")
    assert "Error: The comparison broke off: two are enough." in result.stderr


async def test_a_change_made_meanwhile_is_right(cli: Cli, tmp_path: Path) -> None:
    """What the table did not say when it was read, and the project says now, is no fault of the new side."""
    changed = record("six", "https://new.example.org/", "keep")
    cli("import", cli.file("old.jsonl", _fields(SIX)))
    new = cli.file("new.jsonl", _fields(changed))
    done_so: list[Done] = []

    def changing(target: str, real: Response) -> Response:
        if not done_so:
            done_so.append(cli("import", new))  # the table has been read by now
        return real

    store = FakeStore()
    await publish(store, [changed])
    urls = listed(tmp_path, "https://pythonhosted.org/six/")
    async with sides(tmp_path, [SIX]) as at, running_edge(store) as edge, altering(edge, changing) as altered:
        done = await run(cli, at._replace(new=altered), "--from", urls, "--json")
    assert [(row["verdict"], row["reasons"]) for row in done.rows] == [("better", ["permanent", "changed"])]
    assert len(done_so) == 1


async def test_where_the_old_side_says_nothing_nothing_is_compared(cli: Cli, tmp_path: Path) -> None:
    """It is counted and shown, is no success, and a sentence says what to do."""
    urls = listed(tmp_path, "/six/", "/six/x")
    async with sides(tmp_path, [SIX]) as at, altering(at.old, _only("/six/x", status(503))) as altered:
        ailing = at._replace(old=altered)
        done = await run(cli, ailing, "--from", urls, "--table", at.table, fails=True)
        rows = (await run(cli, ailing, "--from", urls, "--table", at.table, "--json", fails=True)).rows
    lines = done.out.decode().splitlines()
    assert (done.status, [row["verdict"] for row in rows]) == (1, ["better", "not-compared"])
    assert lines[:3] == [
        "https://pythonhosted.org/six/x",
        "    not compared: the old side did not answer",
        "    old    503",
    ]
    assert lines[-3:] == [
        "        1  not compared: the old side did not answer",
        "URLs that were not compared say nothing of the new side: run it again when the old side answers.",
        "1 compared, 1 not compared, 0 worse.",
    ]


async def test_each_scheme_may_have_a_base_of_its_own(cli: Cli, tmp_path: Path) -> None:
    """With an http and an https base, each URL goes to that of its scheme, over TLS where it is https: the
    certificate is checked against the base's host, and SSL_CERT_FILE names who is trusted."""
    certificate, context = self_signed(tmp_path, "localhost")
    service = OldService(tmp_path / "redirects.txt", front=True)
    urls = listed(tmp_path, "http://pythonhosted.org/six/", "https://pythonhosted.org/six/")
    async with sides(tmp_path, [SIX]) as at, running_old_service(service, context) as secure:
        options = ["--from", str(urls), "--table", str(at.table), "--json"]
        trusting = {"SSL_CERT_FILE": str(certificate)}
        done = await run(cli, at, "--old", f"https://localhost:{secure}", *options, env=trusting)
        # One of the two bases cannot be trusted, so one hop of the URL of the other is not answered either.
        stranger = await run(cli, at, "--old", f"https://localhost:{secure}", *options, fails=True)
        misnamed = await run(cli, at, "--old", f"https://127.0.0.1:{secure}", *options, env=trusting, fails=True)
    assert [(row["old"]["hops"], row["old"]["problem"]) for row in done.rows] == [(2, None), (1, None)]
    assert done.rows[0]["old"]["via"] == ["https://pythonhosted.org/six/"]
    for untrusted in (stranger, misnamed):
        assert [row["old"]["problem"] for row in untrusted.rows] == ["unreachable", "unreachable"]


async def test_a_side_that_is_not_there_is_no_success(cli: Cli, tmp_path: Path) -> None:
    """A side that answers nothing is given up, the old one too, and the last line says after how many."""
    urls = listed(tmp_path, *(f"/six/{number}" for number in range(100)))
    async with sides(tmp_path, [SIX]) as at:
        down = await run(cli, at._replace(new=free_port()), "--from", urls, "--table", at.table, fails=True)
        no_old = await run(cli, at._replace(old=free_port()), "--from", urls, "--table", at.table, fails=True)
    assert down.status == no_old.status == 1
    assert "The new side, http://127.0.0.1:" in down.said[-1]
    assert "does not answer" in down.said[-1]
    assert b"no answer" in down.out
    last = down.out.decode().splitlines()[-1]
    assert re.match(r"Given up after \d+ of 100 URLs: the new side, http://.*, does not answer: .* refuses ", last)
    assert re.match(r"Given up after \d+ of 100 URLs: the old side, ", no_old.out.decode().splitlines()[-1])


WRONG = [
    ["--old", "http://a"],
    ["--new", "http://a", "--from", "-"],
    ["--old", "http://a", "--new", "b", "--from", "-"],
    ["--old", "http://a", "--old", "http://b", "--new", "http://c", "--from", "-"],
    ["--old", "http://a/x", "--new", "http://b", "--from", "-"],
    ["--old", "http://a", "--new", "http://b", "--from", "no-such-file"],
    ["--old", "http://a", "--new", "http://b", "--from", "-", "--concurrency", "0"],
    ["--old", "http://a", "--new", "http://b", "--from", "-", "--rate", "0"],
    ["--old", "http://a", "--new", "http://b", "--from", "-", "--table", "-"],
]


@pytest.mark.parametrize("options", WRONG)
def test_wrong_use_is_exit_2(options: list[str]) -> None:
    """A base that is none, two of one scheme, a file that is not there, or an option that is missing."""
    result = invoke("compare", *options)
    assert result.exit_code == 2
    assert result.stdout == ""


def test_a_file_without_urls_is_a_failure(cli: Cli) -> None:
    """A gate that compared nothing has not been passed."""
    done = cli("compare", "--old", "http://a", "--new", "http://b", "--from", "-", stdin=b"nothing here\n", fails=True)
    assert done.status == 1
    assert "Lines left out: 1" in done.said
    assert done.said[-1] == "Error: <stdin> holds no URL of ours: nothing was compared."


def test_a_table_with_bad_lines_is_a_failure(cli: Cli) -> None:
    """What they hold would be missed."""
    table = cli.file("table.jsonl", b'{"project": "six"}')
    line = ["--old", "http://127.0.0.1:9", "--new", "http://127.0.0.1:9", "--from", "-"]
    done = cli("compare", *line, "--table", table, stdin=b"/six\n", fails=True)
    assert done.status == 1
    assert "mend these lines first" in done.said[-1]


def test_an_empty_table_is_a_failure_before_the_list_is_read(cli: Cli) -> None:
    """Everything would be held to nothing; and nobody waits for a long list to learn that."""
    table = cli.file("table.jsonl")
    line = ["--old", "http://127.0.0.1:9", "--new", "http://127.0.0.1:9", "--from", "-"]
    done = cli("compare", *line, "--table", table, stdin=b"no URL\n", fails=True)
    assert done.said == [f"Error: {table} holds no redirect: it cannot be the table. Give another --table."]


def test_a_packed_file_is_a_failure_with_the_way_to_unpack_it(cli: Cli) -> None:
    """As the list, by name or from standard input, and as the table."""
    packed = cli.file("packed.gz", b"")
    packed.write_bytes(gzip.compress(b"/six\n"))
    line = ["compare", "--old", "http://127.0.0.1:9", "--new", "http://127.0.0.1:9", "--from"]
    for more, name in (([packed], packed), (["-"], "<stdin>"), (["-", "--table", packed], packed)):
        stdin = packed.read_bytes() if name == "<stdin>" else b"/six\n"
        done = cli(*line, *more, stdin=stdin, fails=True)
        assert done.said == [f"Error: {name} is packed by gzip. Unpack it first: `zcat FILE > UNPACKED`."]
