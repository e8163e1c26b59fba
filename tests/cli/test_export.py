"""`docsredirect export`: the published table as lines, and what a format cannot say."""

import io
import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from docsredirect.cli import exports
from docsredirect.domain.errors import Damaged
from docsredirect.domain.hosts import HostRules
from docsredirect.domain.records import Record
from docsredirect.formats.lines import read_batch
from tests.cli.commands import DATA, DJANGO, SIX, Cli, invoke, objects

GONE = {"project": "withdrawn", "target": "https://w.example.org/", "path": "keep", "state": "gone"}
RULED = {"project": "ruled", "target": "https://r.example.org/", "path": "keep", "rules": {"a.html": "b/", "c": None}}


def test_jsonl_is_sorted_and_whole(loaded: Cli) -> None:
    """An export holds every record, gone ones too, with all fields, sorted by name, and nothing on standard error."""
    loaded("import", loaded.file("more.jsonl", GONE, RULED))
    done = loaded("export")
    assert done.err == ""
    assert [row["project"] for row in done.rows] == ["Django_Thing", "ruled", "six", "withdrawn"]
    defaults = {"status": 301, "state": "active"}
    assert done.rows == [{**defaults, **one} for one in (DJANGO, RULED, SIX, GONE)]


def test_export_then_import_is_the_same_table(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> None:
    """An export imported into an empty store exports as the same bytes, and into its own store changes nothing."""
    cli("import", DATA / "redirects.jsonl")
    first = cli("export").out
    other = Cli(tmp_path_factory.mktemp("other"))
    other("import", "-", stdin=first)
    assert other("export").out == first
    before = objects(cli.store)
    cli("import", "-", stdin=first)
    assert objects(cli.store) == before


def test_conveyor_lists_what_it_cannot_say(loaded: Cli) -> None:
    """The old format has a row a spelling, and every approximation is listed on standard error by its project."""
    loaded("import", loaded.file("more.jsonl", GONE, RULED))
    done = loaded("export", "--format", "conveyor")
    assert [(row["project_name"], row["include_path"], row["base_uri"]) for row in done.rows] == [
        ("Django_Thing", False, "https://django.example.org/x/"),
        ("django_thing", False, "https://django.example.org/x/"),
        ("django-thing", False, "https://django.example.org/x/"),
        ("ruled", True, "https://r.example.org"),
        ("six", True, "https://six.example.org"),
    ]
    said = [line.split(": ")[0] for line in done.err.splitlines()]
    assert said == ["Django_Thing", "Django_Thing", "ruled", "withdrawn", "4 redirects, 4 approximations."]
    batch = read_batch(io.BytesIO(done.out), HostRules.of())
    assert {name: one.target for name, one in batch.records.items()} == {
        "django-thing": DJANGO["target"],
        "ruled": RULED["target"],
        "six": SIX["target"],
    }


def test_output_replaces_the_file(loaded: Cli) -> None:
    """--output writes the file that standard output would have had, in the place of an older one."""
    path = loaded.file("out.jsonl", b"older")
    done = loaded("export", "--output", path)
    assert done.out == b""
    assert path.read_bytes() == loaded("export").out
    assert sorted(entry.name for entry in loaded.folder.iterdir()) == ["first.jsonl", "out.jsonl", "store"]


@pytest.mark.parametrize("form", ["jsonl", "conveyor"])
def test_output_of_an_empty_table_is_an_empty_file(cli: Cli, form: str) -> None:
    """An export of a table without redirects replaces the file too: an old one would be taken for the table."""
    cli("import", "-")
    path = cli.file("out.jsonl", b"older")
    cli("export", "--format", form, "--output", path)
    assert path.read_bytes() == b""


def test_failed_export_leaves_the_older_file(loaded: Cli) -> None:
    """An export whose store cannot be read leaves the file that is there, and nothing beside it."""
    path = loaded.file("out.jsonl", b"older")
    (loaded.store / "table.json").write_bytes(b"damaged")
    loaded("export", "--output", path, fails=True)
    assert path.read_bytes() == b"older\n"
    assert sorted(entry.name for entry in loaded.folder.iterdir()) == ["first.jsonl", "out.jsonl", "store"]


def test_export_that_finds_no_room_leaves_the_older_file(cli: Cli) -> None:
    """A write that breaks off in the middle is exit 1 with a sentence, and the older file is still whole."""
    cli("import", DATA / "redirects.jsonl")
    path = cli.file("out.jsonl", b"older")
    capped = ["sh", "-c", 'ulimit -f 8 && exec "$@"', "sh", *cli.words("export", "--output", path)]
    done = subprocess.run(capped, env=cli.environment, cwd=cli.folder, capture_output=True, check=False)
    assert path.read_bytes() == b"older\n"
    assert sorted(entry.name for entry in cli.folder.iterdir()) == ["out.jsonl", "store"]
    assert done.returncode == 1
    assert done.stderr.startswith(b"Error: ")
    assert b"Traceback" not in done.stderr


def test_export_that_breaks_off_leaves_the_older_file(loaded: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """An export that fails after its first lines, for whatever reason, leaves the older file whole."""

    def break_off(record: Record) -> Iterator[bytes]:
        if record.project == "six":
            raise Damaged("the second record breaks off.")
        yield b"{}\n"

    monkeypatch.setitem(exports._FORMATS, "jsonl", break_off)
    path = loaded.file("out.jsonl", b"older")
    result = invoke("export", "--output", str(path), env=loaded.environment)
    assert result.exit_code == 1
    assert path.read_bytes() == b"older\n"


@pytest.mark.parametrize("words", [["export"], ["resolve", "/six/"]], ids=" ".join)
def test_standard_output_without_room_is_one_sentence(loaded: Cli, words: list[str]) -> None:
    """Where standard output cannot be written, as on a full disk, a command ends with exit 1 and a sentence."""
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            loaded.words(*words), env=loaded.environment, stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    assert b"No space left" in done.stderr


def test_nothing_published(cli: Cli) -> None:
    """An export of a store that never held anything fails and leaves an older file: the address may be wrong."""
    older = cli.file("older.jsonl", SIX)
    before = older.read_bytes()
    done = cli("export", "--output", older, fails=True)
    assert (done.status, done.out) == (1, b"")
    assert done.err == f"Error: Nothing is published in {cli.store.as_uri()}. Import something first.\n"
    assert older.read_bytes() == before


def test_missing_shard_fails(loaded: Cli) -> None:
    """A table whose shard is missing is not exported in part: exit 1, and the shard is named."""
    shard = next((loaded.store / "shards").iterdir())
    shard.unlink()
    done = loaded("export", fails=True)
    assert (done.status, done.out) == (1, b"")
    assert shard.name in done.err


def test_damaged_shard_fails(loaded: Cli) -> None:
    """A shard with one wrong byte is not exported: exit 1, and the shard is named."""
    shard = next((loaded.store / "shards").iterdir())
    body = shard.read_bytes()
    shard.write_bytes(body[:20] + bytes([body[20] ^ 1]) + body[21:])
    done = loaded("export", fails=True)
    assert (done.status, done.out) == (1, b"")
    assert shard.name in done.err


def test_tombstone_is_left_out(loaded: Cli) -> None:
    """A project that was removed is in no export."""
    path = loaded.store / "projects" / "six.json"
    stored: dict[str, Any] = json.loads(path.read_bytes())
    entry = {**stored["history"][0], "revision": 2, "operation": "x", "before": stored["record"]}
    path.write_bytes(
        json.dumps({**stored, "revision": 2, "record": None, "history": [entry, *stored["history"]]}).encode()
    )
    (loaded.store / "table.json").unlink()
    loaded("import", "-")
    assert [row["project"] for row in loaded("export").rows] == ["Django_Thing"]
    assert loaded("resolve", "/six/").rows[0]["status"] == 404


@pytest.mark.parametrize("words", [["--format", "xml"], ["--format"], ["extra"]], ids=" ".join)
def test_wrong_use_is_exit_2(words: list[str]) -> None:
    """A format that there is not, or an argument too many, is wrong use."""
    result = invoke("export", *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Error: " in result.stderr
