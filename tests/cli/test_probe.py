"""`docsredirect probe`: the public side answers as the table says, or somebody is told."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from docsredirect.domain.records import Record
from tests.cli.commands import DATA, Cli, Done, invoke
from tests.cli.terminals import on_terminal
from tests.support.altered import Alter, altering, located, status
from tests.support.certificates import self_signed
from tests.support.edges import publish, record, rows_of, running_edge
from tests.support.http import Response, free_port
from tests.support.old_service import OldService, running_old_service
from tests.support.stores import FakeStore

REAL = [record(**row) for row in rows_of("redirects.jsonl")]
SIX = record("Six", "https://six.example.org/", "keep")
RULED = record("ruled", "https://r.example.org/", "keep", rules={"a.html": "b/", "old/*": "new/*", "closed": None})
GONE = record("gone", "https://gone.example.org/", "keep", state="gone")


def fields(*records: Record) -> list[dict[str, Any]]:
    """Return records as lines have them."""
    return [{name: getattr(each, name) for name in each.__struct_fields__} for each in records]


@asynccontextmanager
async def public(
    records: Iterable[Record], alter: Alter | None = None, environ: Mapping[str, str] | None = None
) -> AsyncIterator[str]:
    """Run an edge on records, altered, and give its base."""
    store = FakeStore()
    await publish(store, records)
    async with running_edge(store, environ) as edge:
        if alter is None:
            yield f"http://127.0.0.1:{edge}"
            return
        async with altering(edge, alter) as altered:
            yield f"http://127.0.0.1:{altered}"


async def probe(cli: Cli, base: str, *options: str | Path, fails: bool = False) -> Done:
    """Run the command, in this process, while the servers go on."""
    words = ["probe", "--url", base, *map(str, options)]
    result: Result = await asyncio.to_thread(invoke, *words, env=cli.environment)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert (result.exit_code != 0) == fails, result.output
    return Done(result.exit_code, result.stdout_bytes, result.stderr)


async def test_every_real_project_is_answered_as_it_is_published(cli: Cli) -> None:
    """Of each project its root, the root without its slash, a page; and a name that nobody has. One line says so."""
    cli("import", DATA / "redirects.jsonl")
    async with public(REAL) as base:
        done = await probe(cli, base)
        rows = (await probe(cli, base, "--json")).rows
    assert done.err == ""
    assert done.out.startswith(b"205 URLs, of 68 projects and one that is none: 0 wrong; ")
    assert done.out.count(b"\n") == 1
    assert len(rows) == 205
    assert {row["wrong"] for row in rows} == {None}
    assert {(row["status"], row["location"]) for row in rows} == {
        (row["expected"]["status"], row["expected"]["location"]) for row in rows
    }
    assert Counter(row["hops"] for row in rows) == {1: 204, 0: 1}


async def test_what_is_asked_of_each_project(cli: Cli) -> None:
    """With a rule, a page of one; without, any page; of what is withdrawn, the root alone."""
    table = cli.file("table.jsonl", *fields(SIX, RULED, GONE))
    paths: set[str] = set()
    async with public([SIX, RULED, GONE]) as base:
        for seed in range(6):
            rows = (await probe(cli, base, "--table", table, "--seed", str(seed), "--json")).rows
            paths |= {row["url"].removeprefix(base) for row in rows}
            by_path = {row["url"].removeprefix(base): row["status"] for row in rows}
            assert by_path["/gone/"] == 410
            assert len(rows) == 3 + 3 + 1 + 1
    assert {path for path in paths if "no-such" not in path} == {
        "/Six/", "/Six", "/Six/guide/install.html",
        "/ruled/", "/ruled", "/ruled/a.html", "/ruled/old/example.html", "/ruled/closed",
        "/gone/",
    }  # fmt: skip


async def test_a_seed_chooses_the_same_and_a_sample_is_as_large_as_it_is_said(cli: Cli) -> None:
    """Two runs with one seed ask for the same; without, for others."""
    table = DATA / "redirects.jsonl"
    async with public(REAL) as base:

        async def asked(*options: str) -> list[str]:
            rows = (await probe(cli, base, "--table", table, "--sample", "5", "--json", *options)).rows
            return [row["url"] for row in rows]

        one, other, free = await asked("--seed", "7"), await asked("--seed", "7"), await asked()
    assert one == other != free
    assert len(one) == 5 * 3 + 1


HEADERS: dict[str, tuple[list[tuple[str, str]], tuple[int | None, str | None]]] = {
    "a cache of RFC 9211": ([("cache-status", 'docsredirect; hit; ttl=9; detail="age=3"')], (3, "hit")),
    "a miss": ([("x-cache", "MISS")], (None, "miss")),
    "an age": ([("age", "12"), ("cf-cache-status", "HIT")], (12, "hit")),
    "nothing": ([], (None, None)),
}


@pytest.mark.parametrize("which", HEADERS)
async def test_what_the_cache_says_is_told(which: str, cli: Cli) -> None:
    """Age and hit or miss of each answer, and the share of hits in the last line."""
    headers, (age, cache) = HEADERS[which]
    table = cli.file("table.jsonl", *fields(SIX))

    def alter(target: str, real: Response) -> Response:
        return real._replace(headers=[*real.headers, *headers])

    async with public([SIX], alter) as base:
        done = await probe(cli, base, "--table", table, "--json")
    assert {(row["age"], row["cache"]) for row in done.rows} == {(age, cache)}
    assert all(0 < row["seconds"] < 10 for row in done.rows)
    share = {"hit": "100% of 4 from a cache", "miss": "0% of 4 from a cache", None: "0 wrong; "}[cache]
    assert share in done.err


def _for_nobody(answer: Response) -> Alter:
    return lambda target, real: answer if target.startswith("/no-such") else real


def _only(target: str, alter: Alter) -> Alter:
    return lambda asked, real: alter(asked, real) if asked == target else real


REDIRECT = Response(301, [("location", "https://parked.example/")], b"")
FAULTS: dict[str, tuple[Alter, str]] = {
    "another place": (_only("/Six/", located(lambda to: to + "x")), "another place"),
    "another status": (_only("/Six/", located(lambda to: to, 302)), "another status"),
    "404": (_only("/Six", status(404)), "another status"),
    "a page": (_only("/Six/", status(200, b"<p>Welcome")), "another status"),
    "503": (_only("/Six/", status(503)), "another status"),
    "a hop more": (
        _only("/Six", lambda target, real: Response(301, [("location", "https://pythonhosted.org/Six/")], b"")),
        "2 hops",
    ),
    "a circle": (_only("/Six/", located(lambda _: "https://pythonhosted.org/Six/x")), "2 hops"),
    "a place that is none": (_only("/Six/", located(lambda _: "//evil.example")), "no absolute http(s) URL"),
    "a black hole": (_only("/Six/", lambda target, real: None), "no answer in time"),
    "a redirect for nobody": (_for_nobody(REDIRECT), "another place"),
    "410 for nobody": (_for_nobody(Response(410, [], b"")), "another status"),
    "what is withdrawn": (_only("/gone/", lambda target, real: REDIRECT), "another place"),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_wrong_answer_is_told_and_is_a_failure(fault: str, cli: Cli) -> None:
    """One planted fault is one wrong answer, after it was asked for again; nothing else is printed but the sum."""
    alter, wrong = FAULTS[fault]
    table = cli.file("table.jsonl", *fields(SIX, GONE))
    async with public([SIX, GONE], alter) as base:
        done = await probe(cli, base, "--table", table, "--settle", "0.1", "--timeout", "0.5", fails=True)
    first, *_, last = done.out.decode().splitlines()
    assert done.status == 1
    assert first.endswith(f": {wrong}")
    assert ": 1 wrong; " in last
    assert done.out.decode().count("http://127.0.0.1") == 1


async def test_old_pages_of_nobody_are_right(cli: Cli) -> None:
    """A name without a redirect may have old pages."""
    table = cli.file("table.jsonl", *fields(SIX))
    async with public([SIX], _for_nobody(Response(200, [], b"<p>old"))) as base:
        await probe(cli, base, "--table", table)


async def test_a_change_that_is_on_its_way_is_no_failure(cli: Cli) -> None:
    """What is wrong at first is asked for again after some seconds, held to the table as it is then."""
    old, new = fields(SIX), fields(record("Six", "https://new.example.org/", "keep"))
    cli("import", cli.file("old.jsonl", *old))
    new_file = cli.file("new.jsonl", *new)
    asked = asyncio.Event()

    def alter(target: str, real: Response) -> Response:
        asked.set()
        return real

    async with public([record("Six", "https://new.example.org/", "keep")], alter) as base:
        probing = asyncio.create_task(probe(cli, base, "--settle", "3"))
        await asked.wait()
        # The public side has the change already, and the store's table has it before it is read anew.
        await asyncio.to_thread(cli, "import", new_file)
        done = await probing
    assert ": 0 wrong; " in done.out.decode()


async def test_denied_names_answer_410(cli: Cli) -> None:
    """What the deny file of this machine names is expected to be withdrawn, and nothing else is."""
    denied = cli.file("denied", b"SIX")
    cli.environment["DOCSREDIRECT_DENY_FILE"] = str(denied)
    table = cli.file("table.jsonl", *fields(SIX))
    async with public([SIX], None, {"DOCSREDIRECT_DENY_FILE": str(denied)}) as base:
        rows = (await probe(cli, base, "--table", table, "--json")).rows
        del cli.environment["DOCSREDIRECT_DENY_FILE"]
        done = await probe(cli, base, "--table", table, "--settle", "0", fails=True)
    assert [row["status"] for row in rows] == [410, 410, 410, 404]
    assert ": 3 wrong; " in done.out.decode()


async def test_another_host_is_asked_for(cli: Cli) -> None:
    """--host goes into the Host header; one that is not ours is answered with 421, which is wrong."""
    table = cli.file("table.jsonl", *fields(SIX))
    async with public([SIX]) as base:
        rows = (await probe(cli, base, "--table", table, "--host", "packages.python.org", "--json")).rows
        other = await probe(cli, base, "--table", table, "--host", "x.example", "--settle", "0", "--json", fails=True)
    assert all(row["url"].startswith("http://packages.python.org/") for row in rows)
    assert {row["status"] for row in other.rows} == {421}


async def test_the_time_is_bounded(cli: Cli) -> None:
    """What is not answered within the time for all of it is wrong, and nothing is asked again after it."""
    table = cli.file("table.jsonl", *fields(*(record(f"p{number}") for number in range(40))))
    async with public([], lambda target, real: None) as base:
        begin = asyncio.get_running_loop().time()
        done = await probe(cli, base, "--table", table, "--within", "1", "--settle", "0.5", "--json", fails=True)
        assert asyncio.get_running_loop().time() - begin < 8
    assert len(done.rows) == 121
    assert {row["wrong"] for row in done.rows} == {"not answered before the time was over"}
    assert "The time was too short for asking again" in done.said[0]


async def test_on_a_terminal_every_answer_is_shown(cli: Cli) -> None:
    """A table of all that was asked, and the line that sums up; controls that a server sent are shown as escapes."""
    table = cli.file("table.jsonl", *fields(SIX))
    async with public([SIX], _only("/Six", located(lambda to: to + "\x85"))) as base:
        words = ["probe", "--url", base, "--table", str(table), "--settle", "0"]
        done = await asyncio.to_thread(on_terminal, cli, *words, env={}, reply="")
    assert done.status == 1
    lines = re.sub(r"\x1b\[[0-9;]*m", "", done.text).splitlines()
    assert lines[0].split() == ["url", "status", "location", "age", "cache", "hops", "seconds"]
    assert sum("https://six.example.org/" in line for line in lines) == 3
    assert "https://six.example.org/\\x85" in done.text
    assert "wrong: another place; expected 301 https://six.example.org/" in " ".join(done.text.split())
    assert lines[-1].startswith("4 URLs, of 1 project and one that is none: 1 wrong; ")


async def test_nothing_to_ask_is_a_failure(cli: Cli) -> None:
    """Without a published table, with an empty one, or with nobody there."""
    unpublished = await probe(cli, "http://127.0.0.1:9", fails=True)
    assert unpublished.said == [f"Error: No redirect is published in {cli.store}: there is nothing to ask."]
    table = cli.file("table.jsonl", *fields(SIX))
    nobody = await probe(cli, f"http://127.0.0.1:{free_port()}", "--table", table, "--settle", "0", fails=True)
    assert unpublished.status == nobody.status == 1
    first, last = nobody.out.decode().splitlines()
    assert re.fullmatch(
        r"Nothing is answered at (http://127\.0\.0\.1:\d+): 127\.0\.0\.1:\d+ refuses connections\.", first
    )
    assert ": 4 wrong; " in last
    assert "refuses" not in last


async def test_why_the_public_side_cannot_be_reached_is_told(cli: Cli, tmp_path: Path) -> None:
    """A certificate that nobody vouches for: with --json in the line that sums up."""
    table = cli.file("table.jsonl", *fields(SIX))
    _, context = self_signed(tmp_path, "localhost")
    async with running_old_service(OldService(tmp_path / "redirects.txt", front=True), context) as port:
        untrusted = await probe(
            cli, f"https://localhost:{port}", "--table", table, "--settle", "0", "--json", fails=True
        )
    assert len(untrusted.rows) == 4
    assert {row["wrong"] for row in untrusted.rows} == {"cannot be reached"}
    assert untrusted.err.count("It cannot be reached: the certificate is not accepted (") == 1


WRONG = [
    [],
    ["--url", "pythonhosted.org"],
    ["--url", "http://x/y"],
    ["--url", "http://x", "--host", "a b"],
    ["--url", "http://x", "--sample", "0"],
    ["--url", "http://x", "--within", "10"],
    ["--url", "http://x", "--within", "5", "--settle", "5"],
    ["--url", "http://x", "--table", "no-such-file"],
]


@pytest.mark.parametrize("options", WRONG)
def test_wrong_use_is_exit_2(options: list[str]) -> None:
    """A base or host that is none, or an option that cannot be."""
    result = invoke("probe", *options)
    assert result.exit_code == 2
    assert result.stdout == ""


async def test_many_wrong_answers_make_a_short_mail(cli: Cli) -> None:
    """The first fifty are printed; --json has them all."""
    table = cli.file("table.jsonl", *fields(*(record(f"p{number}") for number in range(40))))
    async with public([], status(404)) as base:
        done = await probe(cli, base, "--table", table, "--settle", "0", fails=True)
        rows = (await probe(cli, base, "--table", table, "--settle", "0", "--json", fails=True)).out
    lines = done.out.decode().splitlines()
    assert sum(line.startswith("http://") for line in lines) == 50
    assert lines[-2] == "… and 70 more; --json has them all."
    assert sum(json.loads(row)["wrong"] is not None for row in rows.splitlines()) == 120
