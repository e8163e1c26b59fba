"""Why a legacy URL answers what it does: exactly the answer of `resolve_url`, and steps that a maintainer can read."""

import re
from collections.abc import Callable
from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docsredirect.domain.errors import shorten
from docsredirect.domain.explain import Explanation, StepName, explain
from docsredirect.domain.hosts import HostRules
from docsredirect.domain.records import Record
from docsredirect.domain.resolve import DENIED, UNKNOWN, Find, Lookup, resolve_url
from docsredirect.domain.routes import Route
from tests.domain.cases import HOSTS, Fields, fields, parse, rows, table, title
from tests.domain.test_cost import RECORDS, SIZES, UNITS, Steps, filled
from tests.domain.test_properties import modest, nasty, paths_below, records

ORDER = get_args(StepName)
ANY_HOST = HostRules.of(["*"])

RULED = fields(
    path="clean",
    rules={
        "": "welcome/",
        "a.html": "b/#top",
        "old/*": "new/*",
        "old/deep/*": "https://x.example.org/?v=1",
        "path": "by-name/",
        "private/*": None,
    },
)
STARRED = fields(path="root", target="https://t.example.org/x.html", rules={"*": "https://x.example.org/all/*"})
GONE = fields(state="gone")


def told(explanation: Explanation) -> dict[str, str]:
    """Return the steps by their names, after checking that they can be read, each once and in order."""
    steps: dict[str, str] = {step.step: step.detail for step in explanation.steps}
    assert list(steps) == [step.step for step in explanation.steps], "no step is told twice"
    assert [ORDER.index(step) for step in steps] == sorted(ORDER.index(step) for step in steps)
    for detail in steps.values():
        assert detail.isprintable() and detail[0].isupper() | (detail[0] in "'\"") and detail.endswith("."), detail
        assert len(detail) < 1_000 or "These are:" in detail, detail
    return steps


def assert_tells(explanation: Explanation) -> None:
    """Check that the steps tell what the answer says: its status, location, rule and name."""
    steps, answer = told(explanation), explanation.answer
    assert explanation.steps[-1].step == "answer"
    assert f" {answer.status}" in steps["answer"]
    if answer.location is not None:
        assert shorten(answer.location, 300) in steps["answer"]
        assert {"host", "path", "name", "table", "rule", "rest", "query"} <= set(steps)
    assert ("rule" in steps) == (answer.rule is not None or (answer.status == 414 and "length" not in steps))
    if answer.rule is not None:
        assert shorten(answer.rule) in steps["rule"] or "No rule of the record" in steps["rule"]
    assert ("table" in steps) == ("rule" in steps or answer.name is not None)
    if answer.name is not None:
        assert shorten(answer.name) in steps["name"] and shorten(answer.name) in steps["table"]


GIVEN = [
    *((table(*rows("redirects.jsonl")), row["url"], row) for row in rows("urls.jsonl")),
    *((table(row["record"]), row["request"], row) for name in ("contract_cases", "rule_cases")
      for row in rows(f"{name}.jsonl")),
]  # fmt: skip


@pytest.mark.parametrize(("find", "url", "row"), GIVEN, ids=[title(url) for _, url, _ in GIVEN])
def test_given_url(find: Find, url: str, row: Fields) -> None:
    """Every given URL is explained with the answer that is given for it."""
    explanation = explain(find, url, HOSTS)
    assert (explanation.answer.status, explanation.answer.location) == (row["status"], row.get("location"))
    assert_tells(explanation)


HOSTS_WRITTEN = st.sampled_from(
    [
        "",
        "https://pythonhosted.org",
        "packages.python.org:80",
        "http://x.example",
        "ftp://a",
        "HTTP://u@localhost.",
        "//",
    ]
)
STATES: list[Callable[[Record], Route | Lookup | None]] = [
    Route, Route, Route, lambda _: None, lambda _: UNKNOWN, lambda _: DENIED,
]  # fmt: skip


@modest
@given(st.data(), records(), HOSTS_WRITTEN, nasty)
def test_the_answer_is_that_of_resolve_url(data: st.DataObject, record: Record, host: str, end: str) -> None:
    """Whatever the URL, the record and the hosts: one look at the table, the same answer, and steps that tell it."""
    url = (
        host + data.draw(paths_below(record) | st.just("/") | nasty) + data.draw(st.sampled_from(["", "?", "#"])) + end
    )
    found, asked = data.draw(st.sampled_from(STATES))(record), list[str]()

    def find(name: str) -> Route | Lookup | None:
        asked.append(name)
        return found

    for hosts in (HOSTS, ANY_HOST):
        expected = resolve_url(lambda _: found, url, hosts)
        asked.clear()
        explanation = explain(find, url, hosts)
        assert explanation.answer == expected
        assert type(explanation.answer) is type(expected)
        assert len(asked) <= 1
        assert_tells(explanation)


SENTENCES: list[tuple[Fields, str, dict[str, str]]] = [
    (RULED, "https://PythonHosted.org:443/Foo.Bar/x.html", {
        "host": "The host 'pythonhosted.org' is one of ours.",
        "path": "The path '/Foo.Bar/x.html' is taken as it is.",
        "name": "The project 'Foo.Bar' is looked up as 'foo-bar', as names are compared (PEP 503).",
        "table": "The record of 'foo-bar' leads to 'https://t.example.org/docs/' "
                 "with the path policy `clean` and status 301.",
        "rule": "No rule of the record is for 'x.html', so the path policy `clean` answers.",
        "rest": "'x.html' is carried over as 'x/', which is what `clean` makes of it.",
        "query": "There is no query to carry over.",
        "answer": "The answer is 301 with the location 'https://t.example.org/docs/x/'.",
    }),
    (RULED, "//foo-bar//%78?a=%7e#part", {
        "host": "No host is named: the path is taken as one of a legacy host.",
        "path": "The path '//foo-bar//%78' is read as '/foo-bar/x': "
                "runs of slashes count as one and escapes are put into their normal form.",
        "rest": "'x' is carried over as it is: `clean` finds no .html page in its last segment.",
        "query": "The query 'a=%7e' is carried over as 'a=~', its normal form.",
        "fragment": "'#part' is not sent to us. Browsers put it behind the new URL by themselves.",
    }),
    (RULED, "/foo-bar).%22?", {
        "name": "'foo-bar).%22' is not a project name. Without the punctuation that prose leaves behind a link "
                "it is 'foo-bar', looked up as 'foo-bar'.",
        "rule": "The rule '' is for exactly this page. It leads to 'https://t.example.org/docs/welcome/'.",
        "rest": "Nothing of the path is carried over: every request that comes here gets the same page.",
        "query": "A ? without a query is dropped.",
    }),
    (RULED, "/foo-bar/a.html#x", {
        "rule": "The rule 'a.html' is for exactly this page. It leads to 'https://t.example.org/docs/b/#top'.",
        "fragment": "'#top' stands at the end: it is a part of where this leads.",
    }),
    (RULED, "/foo-bar/old/", {
        "rule": "The rule 'old/*' is the longest folder rule for 'old/'. It leads to 'https://t.example.org/docs/new/*'.",
        "rest": "Nothing of the path is left to carry over.",
    }),
    (RULED, "/foo-bar/old/deep/x?a=b", {
        "rule": "The rule 'old/deep/*' is the longest folder rule for 'old/deep/x'. "
                "It leads to 'https://x.example.org/?v=1'.",
        "query": "The query 'a=b' is dropped: where it leads has a query of its own, which stands alone.",
        "answer": "The answer is 301 with the location 'https://x.example.org/?v=1'.",
    }),
    (RULED, "/foo-bar/path", {"rule": "The rule 'path' is for exactly this page."}),
    (RULED, "/foo-bar/private/x", {
        "rule": "The rule 'private/*' is the longest folder rule for 'private/x'. It says that what was there is gone.",
        "answer": "The answer is 410: what was here is withdrawn.",
    }),
    (STARRED, "/foo-bar/?a=b", {
        "rule": "The rule '*' is for all that no other rule is for, the project's root too. "
                "It leads to 'https://x.example.org/all/*'.",
        "query": "The query 'a=b' is carried over.",
    }),
    (STARRED, "/foo-bar/x.html", {"rest": "'x.html' is carried over as it is."}),
    (fields(path="root"), "/foo-bar/x", {
        "rule": "No rule of the record is for 'x', so the path policy `root` answers.",
    }),
    (GONE, "/foo-bar/x", {
        "table": "The record of 'foo-bar' says that its documentation is withdrawn (`state` is gone).",
        "answer": "The answer is 410: what was here is withdrawn.",
    }),
    (GONE, "/other", {
        "table": "No redirect is set for 'other'.",
        "answer": "The answer is 404: nothing is found here.",
    }),
    (GONE, "/-x-./", {
        "name": "'-x-.' is not a project name, nor is '-x-', without its trailing punctuation. No table can know it.",
    }),
    (GONE, "/-x-/", {"name": "'-x-' is not a project name. No table can know it."}),
    (GONE, "/foo-bar/\r\n", {
        "path": r"The path '/foo-bar/\r\n' holds a control character, raw or escaped. Nothing is found at such a path.",
    }),
    (GONE, "/foo-bar/%2e%2e/x", {
        "path": "The path '/foo-bar/%2e%2e/x' holds a . or .. segment, raw or escaped. "
                "Nothing is found at such a path.",
    }),
    (GONE, "/packages/x", {
        "path": "The path '/packages/x' is no project's. "
                "It is the file route of the legacy host, of which nothing is left.",
    }),
    (GONE, "/robots.txt", {"answer": "The answer is 200: the service shows this page itself."}),
    (GONE, "http://[::1]/foo-bar", {"host": "The host '[::1]' is not one of ours, and is answered like one here."}),
    (GONE, "http://evil.example/foo-bar", {
        "host": "The host 'evil.example' is not one of ours. "
                "These are: packages.python.org, pythonhosted.org, www.pythonhosted.org.",
        "answer": "The answer is 421: the host is not served here.",
    }),
    (GONE, "ftp://pythonhosted.org/foo-bar", {
        "host": "'ftp://pythonhosted.org/foo-bar' is no http or https URL. "
                "Give one like https://pythonhosted.org/six/, or a path.",
        "answer": "The answer is 400: this is no http or https URL.",
    }),
    (GONE, "/" + "\u00e9" * 4_096, {
        "length": "Path and query together have 8193 bytes. At most 8192 are looked at.",
        "answer": "The answer is 414: the URL is too long.",
    }),
    (fields(), "/foo-bar/" + "x" * 7_990, {
        "table": "The record of 'foo-bar' leads to 'https://t.example.org/docs/' "
                 "with the path policy `keep` and status 301.",
        "answer": "The answer is 414: the location would be longer than 8000 bytes.",
    }),
]  # fmt: skip


@pytest.mark.parametrize(("record", "url", "sentences"), SENTENCES, ids=[title(url) for _, url, _ in SENTENCES])
def test_sentence(record: Fields, url: str, sentences: dict[str, str]) -> None:
    """Each step says in plain sentences, with the values, what it came to."""
    steps = told(explain(table(record), url, HOSTS))
    for step, sentence in sentences.items():
        assert steps[step] == sentence or steps[step].startswith(sentence + " "), steps[step]


@pytest.mark.parametrize(
    ("found", "table_says", "status"),
    [
        (UNKNOWN, "Whether a redirect is set for 'six' cannot be known now: its part of the table is not here.", 503),
        (DENIED, "The operators have withdrawn 'six', whatever its record says.", 410),
        (None, "No redirect is set for 'six'.", 404),
    ],
)
def test_a_table_without_a_record(found: Lookup | None, table_says: str, status: int) -> None:
    """Absent, unknown and denied are three different sentences, and nothing is told after them but the answer."""
    explanation = explain(lambda _: found, "/six/x.html?a=b#c", HOSTS)
    assert told(explanation)["table"] == table_says
    assert explanation.answer.status == status
    assert [step.step for step in explanation.steps] == ["host", "path", "name", "table", "answer"]


@pytest.mark.parametrize(
    "text", ["\x1b[31m", "\r\nSet-Cookie: a=b", "\x00", "\x7f", "\x85", "\u2028", "\u202e", "\udcff"]
)
@pytest.mark.parametrize("place", ["/foo-bar/{}", "/{}", "{}", "http://{}/x", "/foo-bar?{}", "/foo-bar#{}"])
def test_what_cannot_be_printed_is_escaped(place: str, text: str) -> None:
    """No control character, direction mark or half character of a URL is repeated raw: all of it is UTF-8."""
    for step in explain(table(fields()), place.format(text), HOSTS).steps:
        assert step.detail.isprintable()
        assert step.detail.encode()


def test_long_texts_are_cut() -> None:
    """A URL of 8 KiB gives sentences of a few lines."""
    explanation = explain(table(fields(path="root")), "/" + "foo-bar" + "/a%7e" * 800 + "?" + "b" * 3_000, HOSTS)
    assert all(len(step.detail) < 500 for step in explanation.steps)
    assert len(re.findall("…", told(explanation)["path"])) == 2


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
@pytest.mark.parametrize("place", ["/p/{}", "/p{}", "/{}", "/p/x?{}", "/p#{}", "{}", "http://{}/"])
@pytest.mark.parametrize("unit", UNITS, ids=title)
def test_cost_grows_at_most_with_length(unit: str, place: str, record: Record) -> None:
    """Twice the URL costs at most about twice the steps, whatever it repeats."""
    route, totals = Route(record), []
    for size in SIZES:
        url = place.format(filled(unit, size))
        with Steps() as steps:
            explain(lambda _: route, url, HOSTS)
        totals.append(steps.total)
    assert all(more <= 2 * less + 300 for less, more in pairwise(totals)), totals


def test_an_unsaved_record_is_explained_like_a_stored_one() -> None:
    """The table may be a single record that nobody has stored: a preview explains itself the same way."""
    record = parse(RULED)
    explanation = explain({record.name: Route(record)}.get, "/Foo_Bar/old/x.html", HOSTS)
    assert explanation == explain(table(RULED), "/Foo_Bar/old/x.html", HOSTS)
    assert explanation.answer.location == "https://t.example.org/docs/new/x/"
