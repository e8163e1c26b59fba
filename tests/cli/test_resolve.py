"""`docsredirect resolve`: what legacy URLs answer, for people and for other programs' checks."""

import json
import subprocess
from typing import Any

import pytest

from tests.cli.commands import DATA, DJANGO, SIX, Cli, invoke, lines

RULED: dict[str, Any] = {
    "project": "ruled",
    "target": "https://r.example.org/",
    "path": "clean",
    "rules": {"a.html": "b/", "old/*": "new/*", "closed/*": None},
}
GONE = {"project": "withdrawn", "target": "https://w.example.org/", "path": "keep", "state": "gone"}

LOCATION = "https://six.example.org/x"


def given(name: str) -> list[dict[str, Any]]:
    """Return the rows of a table in ``tests/data``."""
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


def test_real_urls(cli: Cli) -> None:
    """All 528 real legacy URLs answer as their table says, in the order in which they were asked."""
    rows = given("urls.jsonl")
    asked = "".join(row["url"] + "\n" for row in rows).encode()
    done = cli("resolve", "--from", DATA / "redirects.jsonl", "-", stdin=asked)
    assert [{key: answer[key] for key in ("url", "status", "location")} for answer in done.rows] == rows
    assert len(rows) == 528


def distinct(case: dict[str, Any], number: int) -> tuple[dict[str, Any], str] | None:
    """Return a case with a project name of its own, or None where its request does not begin with its name."""
    name, ours = case["record"]["project"], f"{case['record']['project']}{number}"
    if not case["request"].startswith(f"/{name}") or name not in ("p", "Foo.Bar"):
        return None
    return {**case["record"], "project": ours}, f"/{ours}{case['request'][len(name) + 1 :]}"


def test_rule_cases_in_one_call(cli: Cli) -> None:
    """All 135 cases from the suites of other redirect engines hold: one table of 135 projects, one call."""
    cases = given("rule_cases.jsonl")
    renamed = [distinct(case, number) for number, case in enumerate(cases)]
    pairs = [pair for pair in renamed if pair is not None]
    assert len(pairs) == len(cases) == 135
    asked = "".join(url + "\n" for _, url in pairs).encode()
    done = cli("resolve", "--from", cli.file("table.jsonl", *(record for record, _ in pairs)), "-", stdin=asked)
    answers = [(answer["status"], answer["location"]) for answer in done.rows]
    assert answers == [(case["status"], case.get("location")) for case in cases]


def test_contract_cases_by_record(cli: Cli) -> None:
    """All 96 cases of the contract hold, asked as they stand: one call for each distinct record."""
    cases = given("contract_cases.jsonl")
    groups: dict[str, list[dict[str, Any]]] = {}
    for case in cases:
        groups.setdefault(json.dumps(case["record"]), []).append(case)
    for record, group in groups.items():
        asked = "".join(case["request"] + "\n" for case in group).encode()
        table = cli.file("table.jsonl", record.encode())
        done = cli("resolve", "--from", table, "-", stdin=asked)
        answers = [(answer["status"], answer["location"]) for answer in done.rows]
        assert answers == [(case["status"], case.get("location")) for case in group]
    assert len(cases) == 96


FORMS = {
    "/six/x": (301, LOCATION),
    "//six//x": (301, LOCATION),
    "https://pythonhosted.org/six/x": (301, LOCATION),
    "http://pythonhosted.org/six/x": (301, LOCATION),
    "HTTPS://PythonHosted.ORG:443/six/x": (301, LOCATION),
    "http://pythonhosted.org./six/x": (301, LOCATION),
    "https://www.pythonhosted.org/six/x": (301, LOCATION),
    "http://packages.python.org/six/x": (301, LOCATION),
    "pythonhosted.org/six/x": (301, LOCATION),
    "packages.python.org:80/six/x": (301, LOCATION),
    "https://pythonhosted.org/six/x#frag": (301, LOCATION),
    "https://pythonhosted.org/six/x?q=1#frag": (301, LOCATION + "?q=1"),
    "localhost:8080/six/x": (301, LOCATION),
    "http://127.0.0.1/six/x": (301, LOCATION),
    "https://example.org/six/x": (421, None),
    "example.org/six/x": (421, None),
    "https://docs.pythonhosted.org/six/x": (421, None),
    "https://pythonhosted.org.example.org/six/x": (421, None),
    "https://pythonhosted.org@example.org/six/x": (421, None),
    "https://pythonhosted.org/no-such": (404, None),
    "https://pythonhosted.org": (200, None),
    "pythonhosted.org": (200, None),
    "/": (200, None),
    "/packages/six": (404, None),
    "ftp://pythonhosted.org/six/": (400, None),
    "https:///six/": (400, None),
    "/six/" + "x" * 8_200: (414, None),
    "/six/caf\u00e9": (301, "https://six.example.org/caf%C3%A9"),
    "/six/a b": (301, "https://six.example.org/a%20b"),
    "/six/\u2028\u0085": (301, "https://six.example.org/%E2%80%A8%C2%85"),
    "/six/a\rb": (404, None),
    "/six/a\x00b": (404, None),
    "/six/\x0b\x0c": (404, None),
}


def test_forms_of_a_url(cli: Cli) -> None:
    """Whole URLs, scheme-less ones and paths are answered, a foreign host with 421; the exit status is 0."""
    asked = "".join(url + "\n" for url in FORMS).encode()
    done = cli("resolve", "--from", cli.file("table.jsonl", SIX), "-", stdin=asked)
    rows = [json.loads(line) for line in done.out.split(b"\n")[:-1]]
    assert {row["url"]: (row["status"], row["location"]) for row in rows} == FORMS
    assert [row["url"] for row in rows] == list(FORMS)
    assert done.err == ""


def test_settings_say_which_hosts_are_ours(cli: Cli) -> None:
    """A host that the settings add is answered, and ``*`` answers any."""
    table = cli.file("table.jsonl", SIX)
    for hosts, statuses in (("old.example.com", [301, 421]), ("*", [301, 301])):
        env = {"DOCSREDIRECT_HOSTS": hosts}
        done = cli("resolve", "--from", table, "old.example.com/six/", "other.example.com/six/", env=env)
        assert [row["status"] for row in done.rows] == statuses


RULES = {
    "/ruled/a.html": (301, "https://r.example.org/b/", "a.html"),
    "/ruled/old/x/y.html": (301, "https://r.example.org/new/x/y/", "old/*"),
    "/ruled/closed/x": (410, None, "closed/*"),
    "/ruled/other.html": (301, "https://r.example.org/other/", "path"),
    "/RULED": (301, "https://r.example.org/", "path"),
    "/withdrawn/x": (410, None, None),
    "/nothing": (404, None, None),
    "/Django.Thing/": (308, "https://django.example.org/x/", "path"),
}


def test_which_rule_says_so(cli: Cli) -> None:
    """The rule is the `from` text, "path" for the policy, and null where none was asked, for gone projects too."""
    table = cli.file("table.jsonl", RULED, GONE, DJANGO)
    done = cli("resolve", "--from", table, *RULES)
    assert all(list(row) == ["url", "status", "location", "rule"] for row in done.rows)
    assert {row["url"]: (row["status"], row["location"], row["rule"]) for row in done.rows} == RULES


def test_published_table_answers(loaded: Cli) -> None:
    """Without --from, the published table of the store answers just as the file that was imported does."""
    urls = ["/six/x", "/django-thing/a.html", "/none", "https://example.org/six/"]
    assert loaded("resolve", *urls).out == loaded("resolve", "--from", "first.jsonl", *urls).out


def test_nothing_published(cli: Cli) -> None:
    """Without --from and without a table there is no answer: exit 1, and a sentence that names what to do."""
    done = cli("resolve", "/six/", fails=True)
    assert (done.status, done.out) == (1, b"")
    assert done.err.startswith(f"Error: Nothing is published in {cli.store.as_uri()}.")
    assert "--from" in done.err


def test_standard_input(cli: Cli) -> None:
    """URLs come from arguments, from ``-`` in their midst, or, without any, from standard input; blank lines do not
    count, and line ends of either kind are no part of a URL.
    """
    table = cli.file("table.jsonl", SIX)
    stdin = b"/six/1\r\n\n\r\n/six/2"
    assert [row["url"] for row in cli("resolve", "--from", table, stdin=stdin).rows] == ["/six/1", "/six/2"]
    done = cli("resolve", "--from", table, "/six/0", "-", "/six/3", stdin=stdin)
    assert [row["url"] for row in done.rows] == ["/six/0", "/six/1", "/six/2", "/six/3"]
    done = cli("resolve", "--from", "-", "/six/0", stdin=lines([SIX]))
    assert [row["location"] for row in done.rows] == ["https://six.example.org/0"]


@pytest.mark.parametrize("as_argument", [False, True], ids=["stdin", "argument"])
def test_bytes_that_are_not_utf8(cli: Cli, as_argument: bool) -> None:
    """A URL with bytes that are not UTF-8 is answered, byte by byte escaped, and the output is ASCII JSON."""
    table, url = cli.file("table.jsonl", SIX), b"/six/caf\xe9\xff"
    if as_argument:
        done = cli("resolve", "--from", table, url)
    else:
        done = cli("resolve", "--from", table, "-", stdin=url + b"\n/six/\n")
    assert done.rows[0]["location"] == "https://six.example.org/caf%E9%FF"
    assert done.out.isascii()
    assert done.rows[0]["url"].encode("utf-8", "surrogateescape") == url


def test_bad_lines_of_a_table(cli: Cli) -> None:
    """A table with bad lines answers from the good ones, tells the bad ones by number, and ends with exit 1."""
    table = cli.file("table.jsonl", b"{", SIX, {"project": "x"}, b"[]")
    done = cli("resolve", "--from", table, "/six/x", "/x/", fails=True)
    assert done.status == 1
    assert [row["status"] for row in done.rows] == [301, 404]
    assert {line.split(":")[0] for line in done.err.splitlines()} == {"line 1", "line 3", "line 4"}


def test_many_bad_lines_name_no_option_that_there_is_not(cli: Cli) -> None:
    """Where not all bad lines are shown, nothing is recommended that this command does not have."""
    done = cli("resolve", "--from", cli.file("table.jsonl", *[b"{"] * 25), "/six/", fails=True)
    assert "5 more" in done.err
    assert "--json" not in done.err


def test_old_format_is_a_table_too(cli: Cli) -> None:
    """An old redirects.txt answers like what an import would make of it."""
    rows = [
        {"project_name": "six", "include_path": True, "base_uri": "https://six.example.org"},
        {"project_name": "top", "include_path": False, "base_uri": "https://top.example.org"},
    ]
    done = cli("resolve", "--from", cli.file("redirects.txt", *rows), "/six/x", "/Six", "/top/x")
    assert [row["location"] for row in done.rows] == [
        LOCATION,
        "https://six.example.org/",
        "https://top.example.org/",
    ]


@pytest.mark.parametrize("count", [1, 20_000], ids=["short", "long"])
def test_reader_that_has_enough(cli: Cli, count: int) -> None:
    """A reader that closes the pipe early, as ``head -1`` does, is shown nothing but what it has read."""
    table = cli.file("table.jsonl", SIX)
    cli.file("urls", *[b"/six/x"] * count)
    with open(cli.folder / "urls", "rb") as urls:
        process = subprocess.Popen(
            cli.words("resolve", "--from", table, "-"),
            env=cli.environment,
            stdin=urls,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    assert process.stdout is not None
    assert process.stderr is not None
    if count > 1:
        assert json.loads(process.stdout.readline())["location"] == LOCATION
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) in (0, 1, 141)
    assert err == b""


@pytest.mark.parametrize("words", [["--from", "no-such-file", "/six/"], ["--from"], ["--no-such-option"]], ids=" ".join)
def test_wrong_use_is_exit_2(words: list[str]) -> None:
    """A table that is not there, and options that do not fit, are wrong use."""
    result = invoke("resolve", *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Error: " in result.stderr
