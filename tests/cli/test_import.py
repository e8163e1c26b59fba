"""`docsredirect import`: what goes into the store, what is said, and what is left alone."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from docsredirect.domain.names import normalise
from tests.cli.commands import DATA, DJANGO, SIX, Cli, invoke, lines, objects, tree


def record(number: int, host: str = "a") -> dict[str, Any]:
    """Return one of many records."""
    return {"project": f"p{number}", "target": f"https://{host}.example.org/{number}/", "path": "keep"}


def row(name: str, base_uri: str, include_path: bool = True) -> dict[str, Any]:
    """Return a line of an old redirects.txt."""
    return {"project_name": name, "include_path": include_path, "base_uri": base_uri}


def counts(summary: dict[str, Any]) -> tuple[int, int, int, int]:
    """Return what happened to the records."""
    return (summary["created"], summary["changed"], summary["unchanged"], summary["refused"])


def test_fresh_import(cli: Cli) -> None:
    """The first import into an empty store makes one object a project, with its history, and publishes them all."""
    real = [json.loads(line) for line in (DATA / "redirects.jsonl").read_bytes().splitlines()]
    done = cli("import", DATA / "redirects.jsonl", "--reason", "moving over")
    assert f"{len(real)} created, 0 changed, 0 unchanged, 0 refused." in done.out.decode()
    table = json.loads((cli.store / "table.json").read_bytes())
    assert (table["sequence"], table["follows"], len(table["shards"])) == (1, [], 256)
    assert sum(shard["rows"] for shard in table["shards"]) == len(real)
    for one in real:
        stored = json.loads((cli.store / "projects" / f"{normalise(one['project'])}.json").read_bytes())
        assert stored["record"]["target"] == one["target"]
        assert stored["revision"] == 1
        (entry,) = stored["history"]
        assert entry["author"] == {"by": "command line", "reason": "moving over"}


def test_second_import_changes_nothing(loaded: Cli) -> None:
    """The same file again writes nothing at all: no revision, no shard, no table."""
    before = objects(loaded.store)
    done = loaded("import", "first.jsonl", "--json")
    assert counts(done.json) == (0, 0, 2, 0)
    assert objects(loaded.store) == before


def test_change_is_one_revision_and_one_sequence(loaded: Cli) -> None:
    """A file that changes one of two projects makes one revision, one new shard and the next sequence."""
    before = objects(loaded.store)
    changed = {**SIX, "target": "https://new.example.org/"}
    done = loaded("import", loaded.file("second.jsonl", changed, DJANGO), "--json")
    assert counts(done.json) == (0, 1, 1, 0)
    after = objects(loaded.store)
    differ = {name for name in before | after if before.get(name) != after.get(name)}
    table, kept = json.loads(after["table.json"][0] or b""), json.loads(before["table.json"][0] or b"")
    assert table["sequence"] == 2
    kept_name = f"tables/{kept['epoch']}-1.json"
    assert after[kept_name][0] == before["table.json"][0], "every table is kept, byte for byte"
    shards = {name for name in differ if name.startswith("shards/")}
    assert differ == {"projects/six.json", "table.json"} | shards
    assert len(shards) == 1
    stored = json.loads(after["projects/six.json"][0] or b"")
    assert [entry["revision"] for entry in stored["history"]] == [2, 1]
    assert stored["history"][0]["before"]["target"] == SIX["target"]


def test_dry_run_writes_nothing(loaded: Cli) -> None:
    """A dry run says what would happen and leaves the folder as it is, down to the times."""
    before = tree(loaded.store)
    file = loaded.file("second.jsonl", {**SIX, "path": "root"}, DJANGO, record(1), b"bad")
    done = loaded("import", file, "--dry-run", "--json", fails=True)
    assert done.status == 1
    assert counts(done.json) == (1, 1, 1, 1)
    assert done.json["dry_run"] is True
    assert tree(loaded.store) == before
    assert "nothing written" in loaded("import", file, "--dry-run", fails=True).out.decode()


def test_dry_run_on_no_store_makes_none(cli: Cli) -> None:
    """A dry run where no store is yet makes none, not even its folder."""
    done = cli("import", cli.file("first.jsonl", SIX), "--dry-run", "--json")
    assert counts(done.json) == (1, 0, 0, 0)
    assert tree(cli.store) == {}


def test_refused_lines_have_numbers(cli: Cli) -> None:
    """Each refused line is told with its number and all its faults, the rest goes in, and the exit status is 1."""
    file = cli.file(
        "mixed.txt",
        SIX,
        b"",
        b"{not json",
        row("x", "https://x.example.org/a"),
        {"project": "-", "target": "ftp://t.example.org/", "path": "keep"},
        row("Foo.Bar", "https://a.example.org/"),
        b"[1]",
        row("foo-bar", "https://b.example.org/"),
        DJANGO,
    )
    done = cli("import", file, fails=True)
    assert done.status == 1
    assert "3 created, 0 changed, 0 unchanged, 5 refused." in done.out.decode()
    told = [line.split(": ", 1)[0] for line in done.said]
    assert told == ["line 3", "line 5", "line 5", "line 6", "line 7", "line 8"]
    projects = {path.stem for path in (cli.store / "projects").iterdir()}
    assert projects == {"six", "x", "django-thing"}


def test_json_summary(cli: Cli) -> None:
    """The JSON summary has the counts, every fault of every line, every warning, and nothing else on its output."""
    bad = {"project": "-", "target": "ftp://t.example.org/", "path": "keep"}
    file = cli.file("mixed.txt", SIX, SIX, bad, row("x", "http://x.example.org/"), *[b"bad"] * 30)
    done = cli("import", file, "--json", fails=True)
    summary = done.json
    assert set(summary) == {
        "created",
        "changed",
        "unchanged",
        "refused",
        "errors",
        "warnings",
        "dry_run",
        "needs_force",
    }
    assert counts(summary) == (2, 0, 1, 31)
    assert summary["dry_run"] is False
    for error in summary["errors"] + summary["warnings"]:
        assert set(error) == {"line", "pointer", "code", "detail"}
    assert [(error["line"], error["pointer"]) for error in summary["errors"][:2]] == [(3, "/project"), (3, "/target")]
    assert [error["line"] for error in summary["errors"][2:]] == list(range(5, 35))
    assert [(warning["line"], warning["code"]) for warning in summary["warnings"]] == [(4, "plain-http")]
    assert done.said == []


def test_standard_error_is_for_words(cli: Cli) -> None:
    """Where standard error is no terminal, no progress is shown: nothing is written there, not even an empty line."""
    assert cli("import", cli.file("first.jsonl", SIX)).err == ""


def test_only_new_leaves_the_others_alone(loaded: Cli) -> None:
    """With --only-new, projects that have a redirect stay as they are, and new ones are created."""
    before = (loaded.store / "projects" / "six.json").read_bytes()
    file = loaded.file("second.jsonl", {**SIX, "path": "root"}, record(1))
    assert counts(loaded("import", file, "--only-new", "--json").json) == (1, 0, 1, 0)
    assert (loaded.store / "projects" / "six.json").read_bytes() == before
    assert loaded("resolve", "/six/x", "/p1/x").rows[1]["location"] == "https://a.example.org/1/x"


def test_other_spelling_is_the_same_project(loaded: Cli) -> None:
    """A project in another spelling is changed, not created, and then spelled as the file does."""
    done = loaded("import", loaded.file("second.jsonl", {**DJANGO, "project": "django.thing"}), "--json")
    assert counts(done.json) == (0, 1, 0, 0)
    assert [one["project"] for one in loaded("export").rows] == ["django.thing", "six"]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """A store with 1,001 redirects, one more than an import may rewrite unasked."""
    cli = Cli(tmp_path_factory.mktemp("large"))
    cli("import", cli.file("large.jsonl", *(record(number) for number in range(1_001))))
    return cli


def test_large_change_needs_force(large: Cli) -> None:
    """An import that would change more than a fifth of over 1,000 rows writes nothing and says how to mean it."""
    before = objects(large.store)
    file = large.file("change.jsonl", *(record(number, "b") for number in range(201)))
    done = large("import", file, fails=True)
    assert done.status == 1
    assert "201 of 1001" in done.err
    assert "--force" in done.err
    assert len(done.said) == 1
    assert objects(large.store) == before


def test_dry_run_of_a_large_change_says_what_it_would_be(large: Cli) -> None:
    """The dry run that the refusal of a large change recommends needs no force itself."""
    before = objects(large.store)
    file = large.file("change.jsonl", *(record(number, "b") for number in range(201)))
    done = large("import", file, "--dry-run", "--json")
    assert counts(done.json) == (0, 201, 0, 0)
    assert objects(large.store) == before


def test_change_of_a_fifth_needs_no_force(large: Cli) -> None:
    """A fifth of a large table may change, and any number of new or unchanged projects; with --force all may."""
    fifth = [record(number, "c") for number in range(200)]
    rest = [record(number) for number in range(200, 1_001)]
    new = [record(number) for number in range(2_000, 2_300)]
    assert counts(large("import", large.file("fifth.jsonl", *fifth, *rest, *new), "--json").json) == (300, 200, 801, 0)
    forced = large.file("forced.jsonl", *(record(number, "d") for number in range(600)))
    assert counts(large("import", forced, "--force", "--json").json) == (0, 600, 0, 0)


def test_small_table_may_change_wholly(loaded: Cli) -> None:
    """A table of at most 1,000 rows is not guarded."""
    file = loaded.file("second.jsonl", {**SIX, "path": "root"}, {**DJANGO, "path": "root"})
    assert counts(loaded("import", file, "--json").json) == (0, 2, 0, 0)


def test_standard_input(cli: Cli) -> None:
    """``-`` reads the file from standard input."""
    done = cli("import", "-", "--json", stdin=lines([SIX, DJANGO]))
    assert counts(done.json) == (2, 0, 0, 0)


def test_empty_file_publishes_an_empty_table(cli: Cli) -> None:
    """An empty file imports nothing, without a complaint."""
    assert counts(cli("import", "-", "--json").json) == (0, 0, 0, 0)
    assert cli("export").out == b""


def test_interrupted_import_is_finished_by_the_next(cli: Cli) -> None:
    """What was committed and not published, as after a kill, is published by running the import again."""
    file = cli.file("first.jsonl", SIX, DJANGO)
    cli("import", file)
    (cli.store / "table.json").unlink()
    assert counts(cli("import", cli.file("half.jsonl", SIX), "--json").json) == (0, 0, 1, 0)
    assert [one["project"] for one in cli("export").rows] == ["Django_Thing", "six"]


def test_two_imports_at_once(cli: Cli) -> None:
    """Two processes that import at once into one new store lose nothing, and both say so."""
    files = [
        cli.file(f"{host}.jsonl", *(record(number, host) for number in range(start, start + 40)))
        for host, start in (("a", 0), ("b", 20))
    ]
    running = [
        subprocess.Popen(
            cli.words("import", file, "--json"), env=cli.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for file in files
    ]
    outcomes = [process.communicate(timeout=60) for process in running]
    assert [process.returncode for process in running] == [0, 0], outcomes
    rows = {one["project"]: one["target"] for one in cli("export").rows}
    assert len(rows) == 60
    for number in (*range(20), *range(40, 60)):
        assert rows[f"p{number}"] == f"https://{'a' if number < 20 else 'b'}.example.org/{number}/"
    for name, target in rows.items():
        stored = json.loads((cli.store / "projects" / f"{name}.json").read_bytes())
        assert stored["record"]["target"] == target, "what is published is the latest revision"


def unwritable_file(cli: Cli) -> str:
    """Return a store that is a file."""
    return str(cli.file("in-the-way", b"x"))


def unwritable_below_a_file(cli: Cli) -> str:
    """Return a store below a file."""
    return f"file://{cli.file('in-the-way', b'x')}/below"


def damaged_table(cli: Cli) -> str:
    """Return a store whose table cannot be read."""
    cli.store.mkdir()
    (cli.store / "table.json").write_bytes(b'{"format": 1')
    return str(cli.store)


def newer_table(cli: Cli) -> str:
    """Return a store that a later version has written."""
    cli("import", cli.file("first.jsonl", SIX))
    path = cli.store / "table.json"
    path.write_bytes(path.read_bytes().replace(b'"format":1', b'"format":2'))
    return str(cli.store)


@pytest.mark.parametrize("make", [unwritable_file, unwritable_below_a_file, damaged_table, newer_table])
@pytest.mark.parametrize("command", [["import"], ["export"], ["resolve", "/six/"]], ids=" ".join)
def test_store_that_cannot_be_used_is_one_sentence(cli: Cli, make: Any, command: list[str]) -> None:
    """A store that cannot be used, or read, ends a command with exit 1 and one plain sentence."""
    env = {"DOCSREDIRECT_STORE": make(cli)}
    words = [*command, cli.file("second.jsonl", DJANGO)] if command == ["import"] else command
    done = cli(*words, env=env, fails=True)
    assert done.status == 1
    (sentence,) = done.said
    assert sentence.startswith("Error: ")
    assert sentence.endswith(".")
    assert done.out == b""


def test_damaged_project_is_told_and_the_rest_goes_in(loaded: Cli) -> None:
    """A project whose object is damaged is named with the reason and counted as refused; the rest goes in."""
    (loaded.store / "projects" / "six.json").write_bytes(b"{")
    file = loaded.file("second.jsonl", {**SIX, "path": "root"}, record(1))
    done = loaded("import", file, "--json", fails=True)
    assert done.status == 1
    assert counts(done.json) == (1, 0, 0, 1)
    (error,) = done.json["errors"]
    assert "six" in error["detail"]
    assert loaded("resolve", "/six/").rows[0]["location"] == SIX["target"], "the published row stays"


@pytest.mark.parametrize(
    "words",
    [[], ["no-such-file"], ["."], ["-", "--no-such-option"], ["-", "-"]],
    ids=lambda words: " ".join(words) or "-",
)
def test_wrong_use_is_exit_2(cli: Cli, words: list[str]) -> None:
    """A file that is missing, or is a folder, and arguments that do not fit are wrong use, and nothing is written."""
    result = invoke("import", *words, env=cli.environment)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Error: " in result.stderr
    assert tree(cli.store) == {}


def test_file_that_breaks_off_is_one_sentence(cli: Cli) -> None:
    """A file that cannot be read to its end ends the import with exit 1 and a sentence, and nothing goes in."""
    done = cli("import", Path("/proc/self/mem"), fails=True)
    assert done.status == 1
    assert done.err.startswith("Error: ")
    assert tree(cli.store) == {}
