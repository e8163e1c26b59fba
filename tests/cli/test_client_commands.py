"""`get`, `set`, `delete`, `list`, `history` and `rollback` against a real admin side."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from tests.cli.commands import Cli, invoke
from tests.cli.servers import TOKEN, admin_side
from tests.cli.terminals import on_terminal
from tests.support.stores import FakeStore

Side = dict[str, str]
TARGET = "https://six.example.org/"


def run(side: Side, *words: str, status: int = 0) -> Result:
    """Run a command against the admin side, which ends with `status`."""
    result = invoke(*words, env=side)
    assert result.exit_code == status, result.output
    assert TOKEN not in result.output
    return result


def now(side: Side, project: str = "six") -> dict[str, Any]:
    """Return what a project is."""
    value: dict[str, Any] = json.loads(run(side, "get", project, "--json").stdout)
    return value


@pytest.fixture
def six(side: Side) -> Side:
    """An admin side that has a project."""
    run(side, "set", "six", TARGET, "--yes")
    return side


def test_set_creates_and_says_so(side: Side) -> None:
    """A new project takes a target, and the path keep, which is said; what URLs will answer is shown."""
    result = run(side, "set", "Foo.Bar", "https://foo.example.org", "--yes", "--reason", "Umzug für alle")
    assert "The path is keep" in result.stderr
    assert "  target: none → https://foo.example.org/\n" in result.stderr.replace("org\n", "org/\n")
    assert "https://pythonhosted.org/Foo.Bar/\n    now   404\n    then  301 https://foo.example.org/" in result.stderr
    assert result.stdout == (
        "Foo.Bar is saved, as revision 1. It is published.\n"
        "Readers see it within 5 minutes; whoever followed the same link before, up to 1 minute later.\n"
    )
    found = now(side, "foo_bar")
    assert (found["project"], found["path"], found["meta"]["reason"]) == ("Foo.Bar", "keep", "Umzug für alle")


def test_options_change_only_what_they_name(six: Side) -> None:
    """What no option names stays, the name's spelling too; rules are added, replaced and taken out one by one."""
    run(six, "set", "six", "--rule", "api.html=reference/", "--rule", "a/*=b/*", "--rule", "=welcome/?x=1", "--yes")
    assert now(six)["rules"] == {"api.html": "reference/", "a/*": "b/*", "": "welcome/?x=1"}
    run(six, "set", "SIX", "--status", "302", "--gone-rule", "a/*", "--remove-rule", "index.html", "--yes")
    found = now(six)
    assert found["rules"] == {"api.html": "reference/", "a/*": None}
    assert (found["project"], found["target"], found["path"], found["status"]) == ("six", TARGET, "keep", 302)
    run(six, "set", "six", "--no-rules", "--rule", "only=one/", "--state", "gone", "--path", "clean", "--yes")
    found = now(six)
    assert (found["rules"], found["state"], found["path"]) == ({"only": "one/"}, "gone", "clean")


def test_set_shows_what_differs_and_counts_the_rest(six: Side) -> None:
    """Only the sample URLs that will answer otherwise are listed; how many stay as they are is said, and warnings."""
    result = run(six, "set", "six", "--rule", "api.html=http://a.example.org/", "--yes")
    assert "  rule api.html: none → http://a.example.org/\n" in result.stderr
    assert "    now   301 https://six.example.org/api.html\n    then  301 http://a.example.org/\n" in result.stderr
    assert "  3 sample URLs answer as before.\n" in result.stderr
    assert "Warning: 'http://a.example.org/' is plain http." in result.stderr
    assert result.stderr.count("https://pythonhosted.org/") == 1


def test_set_dry_run_writes_nothing(six: Side) -> None:
    """A dry run shows the same, as JSON too, and asks and writes nothing."""
    result = run(six, "set", "six", "https://new.example.org/", "--dry-run")
    assert f"  target: {TARGET} → https://new.example.org/\n" in result.stdout
    assert result.stdout.endswith("Dry run. Nothing was written.\n")
    preview = json.loads(run(six, "set", "six", "https://new.example.org/", "--dry-run", "--json").stdout)
    assert preview["changes"] == [{"pointer": "/target", "before": TARGET, "after": "https://new.example.org/"}]
    assert now(six)["meta"]["revision"] == 1


def test_set_without_a_change_says_so(six: Side) -> None:
    """Where nothing would change, that is said, nobody is asked, and there is no new revision."""
    result = run(six, "set", "six", "https://SIX.example.org", "--status", "301")
    assert result.stdout == "Nothing to change: six is so already, since revision 1 or before.\n"
    assert json.loads(run(six, "set", "six", "--json").stdout)["meta"]["revision"] == 1


@pytest.mark.parametrize("words", [["set", "six", "--status", "302"], ["delete", "six"], ["rollback", "six", "1"]])
def test_without_a_terminal_there_is_no_question(six: Side, words: list[str]) -> None:
    """Without a terminal and without --yes it is wrong use, and nothing is written."""
    run(six, "set", "six", "--path", "root", "--yes")
    result = run(six, *words, status=2)
    assert "There is no terminal to ask on. Nothing was written. Say --yes if this is meant." in result.stderr
    assert now(six)["meta"]["revision"] == 2


def test_set_takes_a_whole_record_from_a_file(side: Side, tmp_path: Path) -> None:
    """--from brings all of a record, such as `get --json` has printed, and what it leaves out is no longer so."""
    path = tmp_path / "record.json"
    path.write_text('{"target": "https://six.example.org/", "path": "clean", "rules": {"a=b": "c/"}, "meta": {"x": 1}}')
    run(side, "set", "Six", "--from", str(path), "--yes")
    assert now(side)["rules"] == {"a=b": "c/"}
    path.write_text(run(side, "get", "six", "--json").stdout.replace('"rules":{"a=b":"c/"},', ""))
    run(side, "set", "six", "--from", str(path), "--yes")
    found = now(side)
    assert "rules" not in found
    assert (found["project"], found["path"], found["meta"]["revision"]) == ("Six", "clean", 2)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "The file holds no record. Not JSON"),
        ('{"target": 1, "target": 2}', "An object has a key twice (&target&). Keep one."),
        ("[1]", "The file holds no JSON object"),
        ('{"project": "other", "target": "ftp://x", "path": "keep"}', "  /target: &ftp://x& is not an absolute URL."),
        ('{"target": "https://x.example.org/"}', "  /path: `path` is required."),
        (" " * 1_048_577, "The file is larger than 1048576 bytes."),
    ],
    ids=["malformed", "key twice", "no object", "faults", "missing", "too large"],
)
def test_a_file_that_is_no_record_is_told(side: Side, tmp_path: Path, text: str, told: str) -> None:
    """What is wrong with a file is one sentence, or all faults of its record, and nothing is written."""
    path = tmp_path / "record.json"
    path.write_text(text)
    result = run(side, "set", "six", "--from", str(path), "--yes", status=1)
    assert told.replace("&", "'") in result.stderr
    run(side, "get", "six", status=1)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["set", "new"], "new has no redirect yet. Give its TARGET"),
        (["set", "new", "--rule", "a"], "--rule 'a' has no =. Write FROM=TO"),
        (["set", "new", "--rule", "a=b", "--gone-rule", "a/index.html"], "The rule of 'a/index.html' is named twice."),
        (["set", "new", "--no-rules", "--remove-rule", "a"], "leave --remove-rule out"),
        (["set", "new", "https://a.example.org/", "--from", "-"], "--from brings the whole record."),
        (["set", "new", "https://a.example.org/", "--status", "303"], "'303' is not one of"),
        (["set", "new", "https://a.example.org/", "--reason", "two\nlines"], "is not one line of at most 1000"),
        (["get", "../tokens"], "'../tokens' is not a project name (PEP 508)."),
        (["rollback", "six", "0"], "0 is not in the range"),
        (["token", "create"], "Say what it may write"),
        (["token", "create", "--admin", "--project", "six"], "Say what it may write"),
        (["token", "create", "--admin", "--expires", "2001-01-01"], "'2001-01-01' is neither days"),
        (["token", "revoke", "nonsense"], "An id has 12 letters and digits"),
        (["invite", "six", "--hours", "1000"], "1000 is not in the range"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use_is_exit_2(side: Side, words: list[str], told: str) -> None:
    """What cannot be meant is told before anything is written, with what would be accepted."""
    assert told in run(side, *words, status=2).stderr


def test_all_faults_of_a_record_are_told(six: Side) -> None:
    """Each fault is a line with its pointer."""
    result = run(six, "set", "six", "ftp://x/", "--rule", "/a=b/", "--yes", status=1)
    first, *faults = result.stderr.splitlines()
    assert first == "Error: The record breaks rules:"
    assert [line.split(": ")[0] for line in faults] == ["  /target", "  /rules/~1a"]


def test_a_rule_that_is_not_there_cannot_be_removed(six: Side) -> None:
    """The rules that there are, are told."""
    run(six, "set", "six", "--rule", "a=b/", "--yes")
    result = run(six, "set", "six", "--remove-rule", "b", "--yes", status=1)
    assert result.stderr == "Error: six has no rule for 'b'. Its rules are for 'a'.\n"


def test_get_shows_everything(six: Side) -> None:
    """For people: the legacy URL, the record, and its last change."""
    run(
        six,
        "set",
        "six",
        "--gone-rule",
        "old/*",
        "--rule",
        "=a/",
        "--on-behalf-of",
        "Ada",
        "--reason",
        "moved",
        "--yes",
    )
    lines = [line.split(None, 1) for line in run(six, "get", "SIX").stdout.splitlines()[1:]]
    shown = {line[0]: line[1] for line in lines}
    assert shown["legacy"] == "URL  https://pythonhosted.org/six/"
    assert (shown["target"], shown["path"], shown["status"], shown["state"]) == (TARGET, "keep", "301", "active")
    assert shown["by"] == "bootstrap token on behalf of Ada"
    assert shown["revision"].startswith("2, 20")
    assert (shown["reason"], shown["published"]) == ("moved", "yes")
    assert ["old/*", "→ gone (410)"] in lines


def test_a_project_without_a_redirect_is_a_sentence(side: Side) -> None:
    """Reading, removing and going back in what there never was is exit 1."""
    for words in (["get", "six"], ["delete", "six", "--yes"], ["history", "six"], ["rollback", "six", "1", "--yes"]):
        result = run(side, *words, status=1)
        assert result.stdout == ""
        assert result.stderr.startswith("Error: six ")


def test_delete_and_rollback(six: Side) -> None:
    """What was removed is shown before, is gone after, and comes back with a rollback; each is a revision."""
    result = run(six, "delete", "six", "--yes", "--reason", "by mistake")
    assert f"target      {TARGET}" in result.stderr
    assert result.stdout.startswith("six is removed, as revision 2. It is published.\n")
    assert result.stdout.endswith("whoever followed the same link before, up to 1 hour later.\n")
    assert "any more" in run(six, "get", "six", status=1).stderr
    result = run(six, "rollback", "six", "1", "--yes", "--reason", "back")
    assert f"  target: none → {TARGET}\n" in result.stderr
    assert result.stdout.startswith("six is saved, as revision 3. It is published.\n")
    run(six, "set", "six", "--path", "root", "--yes")
    result = run(six, "rollback", "six", "2", "--yes", "--json")
    assert "it is removed" in result.stderr
    assert json.loads(result.stdout)["meta"]["revision"] == 5
    assert "is what it was at revision 2" in run(six, "rollback", "six", "2").stdout
    assert "six has no revision 9." in run(six, "rollback", "six", "9", "--yes", status=1).stderr


def test_history_is_newest_first(six: Side) -> None:
    """Each revision says when, by whom, why, and what changed; --limit cuts, and JSON is one document."""
    run(six, "set", "six", "--path", "root", "--reason", "simpler", "--on-behalf-of", "Ada", "--yes")
    run(six, "delete", "six", "--yes")
    blocks = run(six, "history", "six").stdout.split("\n\n")
    assert [block.split(",")[0] for block in blocks] == ["revision 3", "revision 2", "revision 1"]
    assert "by bootstrap token on behalf of Ada\n  reason: simpler\n  path: keep → root" in blocks[1]
    assert blocks[0].endswith("  removed")
    told = json.loads(run(six, "history", "six", "--json", "--limit", "2").stdout)
    assert [entry["revision"] for entry in told["history"]] == [3, 2]


def test_history_follows_pages(six: Side) -> None:
    """A history of more entries than one answer holds comes whole."""
    for number in range(101):
        run(six, "set", "six", "--status", ("302", "301")[number % 2], "--yes")
    told = json.loads(run(six, "history", "six", "--json").stdout)
    assert [entry["revision"] for entry in told["history"]] == list(range(102, 0, -1))


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An admin side with 2,001 projects, one of them gone."""
    cli = Cli(tmp_path_factory.mktemp("many"))
    rows = [
        {"project": f"p{number:04}", "target": f"https://{number}.example.org/", "path": "keep"}
        for number in range(2_000)
    ]
    file = cli.file("many.jsonl", *rows, {"project": "Gone", "target": TARGET, "path": "root", "state": "gone"})
    with admin_side(FakeStore()) as url:
        side = {"DOCSREDIRECT_URL": url, "DOCSREDIRECT_TOKEN": TOKEN}
        run(side, "import", str(file), "--url", url)
        yield side


def test_list_follows_pages(many: Side) -> None:
    """All projects are listed, tab by tab where there is no terminal, and as one JSON document."""
    lines = run(many, "list").stdout.splitlines()
    assert lines[0] == f"Gone\tgone\troot\t{TARGET}"
    assert [line.split("\t")[0] for line in lines[1:]] == [f"p{number:04}" for number in range(2_000)]
    told = json.loads(run(many, "list", "--json").stdout)
    assert [len(told["projects"]), told["projects"][-1]["project"]] == [2_001, "p1999"]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["--limit", "3"], ["Gone", "p0000", "p0001"]),
        (["--q", "199", "--limit", "2"], ["p0199", "p1199"]),
        (["--state", "gone"], ["Gone"]),
        (["--q", "SIX.example"], ["Gone"]),
        (["--limit", "1500", "--q", "P"], ["Gone", *[f"p{number:04}" for number in range(1_499)]]),
    ],
    ids=lambda value: " ".join(value) if value[0].startswith("-") else "",
)
def test_list_filters(many: Side, words: list[str], names: list[str]) -> None:
    """--q, --state and --limit say which."""
    assert [line.split("\t")[0] for line in run(many, "list", *words).stdout.splitlines()] == names


def test_an_empty_list_names_the_next_step(side: Side) -> None:
    """Where there is nothing to list, standard output is empty, and what to do is said beside it."""
    result = run(side, "list")
    assert (result.stdout, result.stderr[:26]) == ("", "There are no redirects yet")
    assert "`docsredirect list` without options" in run(side, "list", "--q", "x").stderr
    assert json.loads(run(side, "list", "--json").stdout) == {"projects": []}


def test_list_on_a_terminal_is_a_table(cli: Cli, six: Side) -> None:
    """On a terminal the columns have headings and are aligned."""
    shown = on_terminal(cli, "list", env=six, reply="")
    heading, row, *rest = re.sub(r"\x1b\[\d*m", "", shown.text).splitlines()
    assert (shown.status, rest) == (0, [])
    assert row.index("active") == heading.index("state")


@pytest.mark.parametrize(("reply", "status", "revision"), [("y\n", 0, 2), ("n\n", 1, 1), ("\n", 1, 1), ("\x04", 1, 1)])
def test_set_asks_on_a_terminal(cli: Cli, six: Side, reply: str, status: int, revision: int) -> None:
    """Only yes saves; no, nothing, and the end of input leave everything as it is, and say so."""
    shown = on_terminal(cli, "set", "six", "--path", "root", env=six, asks="Save? [y/N]", reply=reply)
    assert (shown.status, now(six)["meta"]["revision"]) == (status, revision)
    assert ("Nothing was written." in shown.text) == (status == 1)


def test_ctrl_c_at_the_question_writes_nothing(cli: Cli, six: Side) -> None:
    """Ctrl-C ends the question at once."""
    shown = on_terminal(cli, "set", "six", "--path", "root", env=six, asks="Save? [y/N]", reply="\x03")
    assert (shown.status, now(six)["meta"]["revision"]) == (1, 1)


@pytest.mark.parametrize(("typed", "status"), [("Six\n", 0), ("sx\n", 1), ("y\n", 1), ("\n", 1)])
def test_delete_asks_for_the_name(cli: Cli, six: Side, typed: str, status: int) -> None:
    """Who removes a redirect types its name, in any spelling."""
    shown = on_terminal(cli, "delete", "six", env=six, asks="Type six to remove its redirect", reply=typed)
    assert shown.status == status, shown.text
    run(six, "get", "six", status=1 - status)


@pytest.mark.parametrize(
    ("words", "asks", "reply"),
    [
        (["set", "six", "--path", "root"], "Save? [y/N]", "y\n"),
        (["delete", "six"], "Type six", "six\n"),
        (["rollback", "six", "1"], "Go back to revision 1? [y/N]", "y\n"),
    ],
    ids=["set", "delete", "rollback"],
)
def test_what_changed_since_it_was_shown_is_not_overwritten(
    cli: Cli, six: Side, words: list[str], asks: str, reply: str
) -> None:
    """Where somebody writes between what was shown and the answer, nothing is written and his change is shown."""
    run(six, "set", "six", "--status", "302", "--yes")

    def interfere() -> None:
        run(six, "set", "six", "https://theirs.example.org/", "--yes", "--reason", "meanwhile")

    shown = on_terminal(cli, *words, env=six, asks=asks, reply=reply, meanwhile=interfere)
    assert shown.status == 1
    assert "Nothing was written. It is now:" in shown.text
    assert "target      https://theirs.example.org/" in shown.text
    assert "reason      meanwhile" in shown.text
    assert "run the command again" in shown.text
    assert (now(six)["target"], now(six)["meta"]["revision"]) == ("https://theirs.example.org/", 3)


def test_what_was_created_since_is_not_overwritten(cli: Cli, side: Side) -> None:
    """Two who create the same project at once: the second is shown what the first has written."""

    def interfere() -> None:
        run(side, "set", "Six", "https://theirs.example.org/", "--yes")

    words = ["set", "six", TARGET]
    shown = on_terminal(cli, *words, env=side, asks="Save? [y/N]", reply="y\n", meanwhile=interfere)
    assert shown.status == 1
    assert "https://theirs.example.org/" in shown.text
    assert now(side)["target"] == "https://theirs.example.org/"


def test_what_was_removed_since_stays_removed(cli: Cli, six: Side) -> None:
    """A change of what was removed meanwhile is not written, and that there is nothing is shown."""
    words = ["set", "six", "--path", "root"]
    shown = on_terminal(
        cli, *words, env=six, asks="Save? [y/N]", reply="y\n", meanwhile=lambda: run(six, "delete", "six", "--yes")
    )
    assert shown.status == 1
    assert "six has no redirect any more." in shown.text
    run(six, "get", "six", status=1)


def test_tokens_are_made_used_listed_and_revoked(side: Side) -> None:
    """The secret alone is on standard output; it writes its project and no other; revoked, it is good for nothing."""
    made = run(side, "token", "create", "--project", "Six", "--expires", "30", "--label", "the maintainers")
    token = made.stdout.removesuffix("\n")
    assert token.startswith("drd_")
    assert token not in made.stderr
    mine = {**side, "DOCSREDIRECT_TOKEN": token}
    assert "as revision 1" in run(mine, "set", "six", TARGET, "--yes").stdout
    refused = run(mine, "set", "other", TARGET, "--yes", status=1)
    assert "This needs the scope other" in refused.stderr
    assert "Use a token with that scope" in refused.stderr
    (row,) = [line.split("\t") for line in run(side, "token", "list").stdout.splitlines()]
    assert (row[0], row[1:5]) == (token.split("_")[1], ["token", "six", "the maintainers", "good"])
    revoked = run(side, "token", "revoke", token)
    assert token not in revoked.output
    assert json.loads(run(side, "token", "list", "--json").stdout)["tokens"][0]["revoked"] is not None
    assert "Set DOCSREDIRECT_TOKEN" in run(mine, "get", "six", status=1).stderr


def test_a_token_for_everything_until_a_date(side: Side) -> None:
    """--admin reaches everything; a date is its beginning."""
    told = json.loads(run(side, "token", "create", "--admin", "--expires", "2999-01-31", "--json").stdout)
    assert (told["scope"], told["expires"]) == ("admin", "2999-01-31T00:00:00Z")
    assert run({**side, "DOCSREDIRECT_TOKEN": told["token"]}, "token", "list").stdout.split("\t")[2] == "everything"


def test_an_invitation_is_a_link(side: Side) -> None:
    """The link alone is on standard output, and words beside it say for what and how long."""
    made = run(side, "invite", "Six", "--hours", "2")
    assert made.stdout.startswith(f"{side['DOCSREDIRECT_URL']}/-/invitations/drd_")
    assert "for six, to be taken up once, until 20" in made.stderr
    assert "invitation\tsix" in run(side, "token", "list").stdout
