"""`docsredirect import --url`: a file through the admin API, piece by piece, and nothing lost on the way."""

import json
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from docsredirect.cli import remote_import
from tests.cli.commands import DATA, DJANGO, SIX, Cli, invoke
from tests.cli.servers import TOKEN, HeldStore, Scripted, admin_side, answer, answering
from tests.cli.terminals import on_terminal
from tests.cli.test_import import counts, record, row
from tests.support.stores import FakeStore

Side = dict[str, str]


def arguments(side: Side, *words: object) -> list[str]:
    """Return the words of an import through an admin side."""
    return ["import", *map(str, words), "--url", side["DOCSREDIRECT_URL"]]


def summary(side: Side, *words: object, status: int = 0) -> dict[str, Any]:
    """Import, and return the summary as JSON."""
    result = invoke(*arguments(side, *words, "--json"), env=side)
    assert result.exit_code == status, result.output
    told: dict[str, Any] = json.loads(result.stdout)
    return told


def exported(side: Side) -> dict[str, str]:
    """Return the targets of all projects."""
    result = invoke("export", "--url", side["DOCSREDIRECT_URL"], env=side)
    return {one["project"]: one["target"] for one in map(json.loads, result.stdout.splitlines())}


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of four records, so that a few lines make several."""
    monkeypatch.setattr(remote_import, "PIECE_RECORDS", 4)
    monkeypatch.setattr(remote_import, "PIECES", 1_000)


def test_an_import_says_what_a_direct_one_does(cli: Cli, side: Side, small_pieces: None) -> None:
    """Summary, words and exit status are those of an import straight into a store, the second time too."""
    bad = {"project": "-", "target": "ftp://t.example.org/", "path": "keep"}
    others: list[Any] = [
        row("x", "http://x.example.org/"),
        SIX,
        bad,
        b"",
        b"{",
        *[record(number) for number in range(20)],
    ]
    file = cli.file("mixed.txt", SIX, DJANGO, *others)
    for expected in ((23, 0, 1, 2), (0, 0, 24, 2)):
        direct, remote = cli("import", file, "--json", fails=True), summary(side, file, status=1)
        assert counts(remote) == expected
        assert remote == direct.json
    told = invoke(*arguments(side, file, "--reason", "moving"), env=side)
    direct = cli("import", file, fails=True)
    assert (told.stdout, told.stderr) == (direct.out.decode(), direct.err)
    assert exported(side) == {one["project"]: one["target"] for one in cli("export").rows}


def test_the_real_table_goes_in(side: Side) -> None:
    """All of the sample goes in, with the reason in each history, and is published."""
    rows = [json.loads(line) for line in (DATA / "redirects.jsonl").read_bytes().splitlines()]
    told = summary(side, DATA / "redirects.jsonl", "--reason", "Umzug für alle")
    assert counts(told) == (len(rows), 0, 0, 0)
    assert exported(side) == {one["project"]: one["target"] for one in rows}
    history = json.loads(invoke("history", rows[0]["project"], "--json", env=side).stdout)["history"]
    assert history[0]["reason"] == "Umzug für alle"


def test_lines_that_contradict_each_other_are_found_across_pieces(cli: Cli, side: Side, small_pieces: None) -> None:
    """A conflict is one however far apart its lines are, and neither goes in."""
    file = cli.file(
        "far.jsonl", SIX, *(record(number) for number in range(9)), {**SIX, "path": "root", "project": "SIX"}
    )
    told = summary(side, file, status=1)
    assert counts(told) == (9, 0, 0, 2)
    assert [(error["line"], error["code"]) for error in told["errors"]] == [(1, "conflict"), (11, "conflict")]


@pytest.mark.parametrize("dry_run", [True, False])
def test_what_is_refused_there_has_the_numbers_of_the_file(cli: Cli, small_pieces: None, dry_run: bool) -> None:
    """A line that only the other side refuses, as of a host of its own, is told with its number in the file."""
    theirs = {"project": "theirs", "target": "https://docs.example.net/", "path": "keep"}
    rows: list[Any] = [b"{", b"", *(record(number) for number in range(9)), b"\xff", theirs, record(9), theirs]
    file = cli.file("hosts.jsonl", *rows)
    with admin_side(FakeStore(), DOCSREDIRECT_HOSTS="docs.example.net") as url:
        side = {"DOCSREDIRECT_URL": url, "DOCSREDIRECT_TOKEN": TOKEN}
        told = summary(side, file, *["--dry-run"][: int(dry_run)], status=1)
        assert counts(told) == (10, 0, 1, 3)
        assert [error["line"] for error in told["errors"]] == [1, 12, 13]
        words = invoke(*arguments(side, file), env=side).stderr.splitlines()
        assert [line.split(":")[0] for line in words] == ["line 1", "line 12", "line 13"]


def test_dry_run_and_only_new_are_passed_on(cli: Cli, side: Side) -> None:
    """A dry run writes nothing there; with --only-new what is there stays."""
    summary(side, cli.file("first.jsonl", SIX))
    file = cli.file("second.jsonl", {**SIX, "target": "https://new.example.org/"}, DJANGO)
    told = summary(side, file, "--dry-run")
    assert (counts(told), told["dry_run"]) == ((1, 1, 0, 0), True)
    assert counts(summary(side, file, "--only-new")) == (1, 0, 1, 0)
    assert exported(side) == {"six": SIX["target"], "Django_Thing": DJANGO["target"]}


def test_an_empty_file_publishes_an_empty_table(side: Side) -> None:
    """As it does straight into a store."""
    result = invoke(*arguments(side, "-"), env=side)
    assert (result.exit_code, result.stdout) == (0, "0 created, 0 changed, 0 unchanged, 0 refused.\n")
    assert exported(side) == {}


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cli, Side]]:
    """An admin side with 1,001 redirects, one more than an import may rewrite unasked."""
    cli = Cli(tmp_path_factory.mktemp("large"))
    with admin_side(FakeStore()) as url:
        side = {"DOCSREDIRECT_URL": url, "DOCSREDIRECT_TOKEN": TOKEN}
        summary(side, cli.file("large.jsonl", *(record(number) for number in range(1_001))))
        yield cli, side


def test_the_guard_sees_the_whole(large: tuple[Cli, Side], small_pieces: None) -> None:
    """An import that would change more than a fifth of a large table writes nothing, however small its pieces are."""
    cli, side = large
    before = exported(side)
    file = cli.file("change.jsonl", *(record(number, "b") for number in range(201)))
    refused = invoke(*arguments(side, file), env=side)
    assert refused.exit_code == 1
    assert "it changes 201 redirects, more than a fifth of all. Look at --dry-run, then say --force" in refused.stderr
    assert summary(side, file, "--dry-run")["needs_force"] is True
    assert exported(side) == before


def test_force_and_what_needs_none(large: tuple[Cli, Side], small_pieces: None) -> None:
    """With --force all may change; and a fifth may without, in pieces too."""
    cli, side = large
    fifth = cli.file("fifth.jsonl", *(record(number, "c") for number in range(200)))
    assert counts(summary(side, fifth)) == (0, 200, 0, 0)
    forced = cli.file("forced.jsonl", *(record(number, "d") for number in range(400)))
    assert counts(summary(side, forced, "--force")) == (0, 400, 0, 0)


def test_an_interrupted_import_is_finished_by_the_next(cli: Cli) -> None:
    """Ctrl-C says how many are in, and exits 130; the same again writes the rest, and nothing twice."""
    store = HeldStore(creations=3_000)
    file = cli.file("many.jsonl", *(record(number) for number in range(4_100)))
    with admin_side(store) as url:
        side = {"DOCSREDIRECT_URL": url, "DOCSREDIRECT_TOKEN": TOKEN}
        process = subprocess.Popen(
            cli.words(*arguments(side, file)), env={**cli.environment, **side}, stdout=-1, stderr=subprocess.PIPE
        )
        try:
            assert store.held.wait(60)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
            process.wait()
            store.let_go.set()
        assert (process.returncode, out) == (130, b"")
        assert err.decode().startswith("Interrupted: 2000 of 4100 records are in, and perhaps some of the next ones.")
        told = summary(side, file)
        assert (told["changed"], told["refused"], told["created"] + told["unchanged"]) == (0, 0, 4_100)
        assert told["unchanged"] >= 2_000
        assert len(exported(side)) == 4_100
        histories = invoke("history", "p1", "--json", env=side).stdout
        assert len(json.loads(histories)["history"]) == 1


def test_an_import_that_breaks_off_says_how_far_it_came(cli: Cli, small_pieces: None) -> None:
    """Where the server goes away in the middle, how many are in is said, and that it can be run again."""
    nothing = {"created": 0, "changed": 0, "unchanged": 0, "refused": 0, "errors": [], "warnings": []}
    looked = answer(json.dumps({**nothing, "dry_run": True, "needs_force": False}).encode())
    four = answer(json.dumps({**nothing, "created": 4, "dry_run": False, "needs_force": False}).encode())
    refused = answer(b"<html>", "502 Bad Gateway", "text/html")
    file = cli.file("many.jsonl", *(record(number) for number in range(9)))
    with answering(looked, looked, four, refused) as server:
        result = invoke(*arguments(as_side(server), file), env=as_side(server))
    assert result.exit_code == 1
    assert "Broken off: 4 of 9 records are in" in result.stderr
    sent = [request.partition(b" HTTP")[0].partition(b"?")[2] for request in server.requests]
    assert sent == [b"dry_run=true", b"dry_run=true", b"force=true", b"force=true"]


def as_side(server: Scripted) -> Side:
    """Return the settings for a server."""
    return {"DOCSREDIRECT_URL": server.url, "DOCSREDIRECT_TOKEN": TOKEN}


def test_a_refused_token_is_told_before_the_file_is_sent(cli: Cli, side: Side) -> None:
    """Who may not import learns it as a sentence, however large the file is."""
    wide = {"project": "p", "target": f"https://a.example.org/{'x' * 1_900}/", "path": "keep"}
    file = cli.file("wide.jsonl", *({**wide, "project": f"p{number}"} for number in range(2_000)))
    for token, told in (("wrong", "Set DOCSREDIRECT_TOKEN"), (scoped(side), "administrators")):
        result = invoke(*arguments(side, file), env={**side, "DOCSREDIRECT_TOKEN": token})
        assert (result.exit_code, result.stdout) == (1, "")
        assert told in result.stderr


def scoped(side: Side) -> str:
    """Return a token for one project."""
    return invoke("token", "create", "--project", "six", env=side).stdout.strip()


def test_a_file_that_is_too_large_is_told(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is larger than the API takes at once is not begun, by its own size or by that of its records."""
    for name in ("MAX_FILE", "MAX_SENT"):
        with monkeypatch.context() as patch, answering(answer()) as server:
            patch.setattr(remote_import, name, 80)
            result = invoke(*arguments(as_side(server), cli.file("few.jsonl", SIX, DJANGO)), env=as_side(server))
        assert result.exit_code == 1
        assert "Split it at any line" in result.stderr
        assert server.requests == []


def test_progress_is_for_terminals(cli: Cli, side: Side) -> None:
    """On a terminal it is shown that something goes on; the summary is the last line."""
    file = cli.file("first.jsonl", SIX, DJANGO)
    shown = on_terminal(cli, *arguments(side, file), env=side, reply="")
    assert (shown.status, "Importing" in shown.text) == (0, True)
    assert shown.text.endswith("2 created, 0 changed, 0 unchanged, 0 refused.\n")
    again = invoke(*arguments(side, file), env=side)
    assert again.stderr == ""


def test_the_url_must_be_said(cli: Cli, side: Side) -> None:
    """DOCSREDIRECT_URL alone makes no import go there: it goes into the store, as always."""
    cli("import", cli.file("first.jsonl", SIX), env=side)
    assert invoke("get", "six", env=side).exit_code == 1
    assert [one["project"] for one in cli("export").rows] == ["six"]
    result = invoke("import", "-", "--url", "", env=side)
    assert result.exit_code == 2
    assert "--url is ''. Give an absolute http(s) URL" in result.stderr
