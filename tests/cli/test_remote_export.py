"""`docsredirect export --url`: the published table through the admin API, whole or not at all."""

import json

import pytest

from tests.cli.commands import DATA, DJANGO, SIX, Cli, invoke
from tests.cli.servers import TOKEN, answer, answering

Side = dict[str, str]
LINES = b"".join(json.dumps({**each, "status": 301, "state": "active"}).encode() + b"\n" for each in (DJANGO, SIX))
JSONL = "application/jsonl; charset=utf-8"


def chunked(*pieces: bytes, whole: bool = True) -> bytes:
    """Return the bytes of an answer in chunks, with or without its end."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {JSONL}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return head.encode() + body + (b"0\r\n\r\n" if whole else b"")


@pytest.mark.parametrize("words", [[], ["--format", "conveyor"]], ids=["jsonl", "conveyor"])
def test_an_export_is_that_of_the_store(cli: Cli, side: Side, words: list[str]) -> None:
    """In both formats the bytes, and what is said beside them, are those of an export from a store."""
    cli("import", DATA / "redirects.jsonl")
    url = side["DOCSREDIRECT_URL"]
    assert invoke("import", str(DATA / "redirects.jsonl"), "--url", url, env=side).exit_code == 0
    remote, direct = invoke("export", *words, "--url", url, env=side), cli("export", *words)
    assert (remote.stdout_bytes, remote.stderr) == (direct.out, direct.err)


def test_output_replaces_the_file(cli: Cli, side: Side) -> None:
    """--output works as it does from a store."""
    path = cli.file("out.jsonl", b"older")
    invoke("set", "six", SIX["target"], "--yes", env=side)
    result = invoke("export", "--url", side["DOCSREDIRECT_URL"], "--output", str(path), env=side)
    assert (result.exit_code, result.stdout) == (0, "")
    assert json.loads(path.read_bytes())["project"] == "six"
    assert [entry.name for entry in cli.folder.iterdir()] == ["out.jsonl"]


def test_pieces_may_end_anywhere(cli: Cli) -> None:
    """Lines are put together from whatever pieces they come in."""
    pieces = [LINES[at : at + 7] for at in range(0, len(LINES), 7)]
    with answering(chunked(*pieces)) as server:
        result = invoke("export", "--url", server.url, env={"DOCSREDIRECT_TOKEN": TOKEN})
    assert (result.exit_code, [json.loads(line) for line in result.stdout.splitlines()]) == (
        0, [json.loads(line) for line in LINES.splitlines()],
    )  # fmt: skip


BROKEN = {
    "connection lost": (chunked(LINES, whole=False), "broke off"),
    "connection lost in a line": (chunked(LINES[:-20], whole=False), "broke off"),
    "ended in a line": (chunked(LINES[:-20]), "ended in the middle of a line"),
    "shorter than announced": (answer(LINES, "200 OK", JSONL)[:-5], "broke off"),
    "without an end of its own": (
        f"HTTP/1.1 200 OK\r\nContent-Type: {JSONL}\r\nConnection: close\r\n\r\n".encode() + LINES,
        "does not say where its answer ends",
    ),
    "a line that is no record": (chunked(LINES, b'{"project": 1}\n'), "no record"),
    "a record of no legal name": (chunked(LINES.replace(b'"six"', b'"../x"')), "no legal name"),
    "a page": (answer(b"<html>", "200 OK", "text/html"), "answered 200 with 'text/html'"),
    "a page of an error": (answer(b"<html>", "500 No", "text/html"), "answered 500 with 'text/html'"),
    "an endless line": (chunked(*[b"x" * 65_536] * 20), "sent a line of more than"),
}


@pytest.mark.parametrize(("bytes_", "told"), BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("form", ["jsonl", "conveyor"])
def test_an_export_that_is_not_whole_leaves_the_older_file(cli: Cli, bytes_: bytes, told: str, form: str) -> None:
    """An answer that breaks off, or is something else, is exit 1, and the file that is there stays."""
    path = cli.file("out.jsonl", b"older")
    words = ["export", "--format", form, "--output", str(path)]
    with answering(bytes_) as server:
        result = invoke(*words, "--url", server.url, env={"DOCSREDIRECT_TOKEN": TOKEN})
    assert result.exit_code == 1
    assert told in result.stderr
    assert path.read_bytes() == b"older\n"
    assert [entry.name for entry in cli.folder.iterdir()] == ["out.jsonl"]


def test_a_refusal_is_a_sentence(side: Side) -> None:
    """A token that is not valid there is told as such."""
    env = {**side, "DOCSREDIRECT_TOKEN": "wrong"}
    result = invoke("export", "--url", side["DOCSREDIRECT_URL"], env=env)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Set DOCSREDIRECT_TOKEN" in result.stderr
