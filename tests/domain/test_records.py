"""The record: which fields it has, what each may be, and the one form in which it is stored."""

import collections
import json
from typing import Any

import msgspec
import pytest

from docsredirect.domain import json_text
from docsredirect.domain.errors import Fault, InvalidRecord, MalformedText
from docsredirect.domain.faults import MAX_FAULTS
from docsredirect.domain.records import MAX_RECORD_BYTES, Record, parse_record, to_fields
from tests.domain.cases import HOSTS, Fields, Found, faults_of, fields, found, parse, rows, title

EXAMPLE: Fields = {
    "project": "Markdown",
    "target": "https://python-markdown.github.io/",
    "path": "clean",
    "status": 301,
    "state": "active",
    "rules": {
        "siteindex.html": "sitemap/",
        "old-api/*": "reference/*",
        "": "welcome/",
        "extensions/wikilinks.html": "https://python-markdown.github.io/extensions/wiki/#usage",
        "private/*": None,
    },
}


def test_example_of_the_contract() -> None:
    """The contract's own example is accepted as it stands."""
    assert to_fields(parse(EXAMPLE)) == EXAMPLE
    assert parse(EXAMPLE).name == "markdown"


def test_defaults() -> None:
    """A record without status, state and rules is a permanent redirect of a project that is active, without rules."""
    record = parse(fields())
    assert (record.status, record.state, record.rules) == (301, "active", {})
    assert to_fields(record) == fields(status=301, state="active")
    assert parse(fields(rules={})) == record


ACCEPTED: list[Fields] = [
    *({"path": path} for path in ("keep", "clean", "root")),
    *({"status": status} for status in (301, 302, 307, 308)),
    *({"state": state} for state in ("active", "gone")),
    *({"project": project} for project in ("a", "7", "A.b_c-D", "a" * 128, "robots.txt", "packages2", "a--b")),
]


@pytest.mark.parametrize("changes", ACCEPTED, ids=lambda changes: title(str(changes)))
def test_accepted_values(changes: Fields) -> None:
    """Each value that the contract lists is accepted and stored as it is."""
    assert to_fields(parse(fields(**changes))).items() >= changes.items()


@pytest.mark.parametrize("row", rows("redirects.jsonl"), ids=lambda row: str(row["project"]))
def test_real_record(row: Fields) -> None:
    """Every real record is accepted, without warning, and unchanged when it is stored again."""
    checked = parse_record(row, HOSTS)
    again = parse_record(to_fields(checked.record), HOSTS)
    assert again == checked
    assert [fault.code for fault in checked.warnings] == ["plain-http"] * row["target"].startswith("http://")


NO_TEXTS: list[object] = [None, 7, True, [], {}]
NO_MAPS: list[object] = [None, 7, True, [], "a"]
NO_PATHS: list[object] = [None, 7, True, "Keep", "", "keep ", [], {"keep": 1}]
NO_STATUSES: list[object] = [None, 300, 303, "301", True, 301.0, [], {}]
NO_STATES: list[object] = [None, "Gone", "", "deleted", True, 1, [], {}]

REFUSED: list[tuple[object, set[tuple[str, str]]]] = [
    (None, {("", "type")}),
    ([], {("", "type")}),
    ("text", {("", "type")}),
    (7, {("", "type")}),
    ({}, {("/project", "missing"), ("/target", "missing"), ("/path", "missing")}),
    ({"project": "a"}, {("/target", "missing"), ("/path", "missing")}),
    (fields(extra=1), {("/extra", "unknown-field")}),
    (fields(**{"a/b~c": 1}), {("/a~1b~0c", "unknown-field")}),
    (fields(**{"": 1}), {("/", "unknown-field")}),
    (fields(**{"x" * 300: 1}), {("/" + "x" * 300, "unknown-field")}),
    (fields(Project="a"), {("/Project", "unknown-field")}),
    (fields(meta={}), {("/meta", "unknown-field")}),
    *((fields(project=value), {("/project", "type")}) for value in NO_TEXTS),
    *((fields(target=value), {("/target", "type")}) for value in NO_TEXTS),
    *((fields(rules=value), {("/rules", "type")}) for value in NO_MAPS),
    *((fields(path=value), {("/path", "choice")}) for value in NO_PATHS),
    *((fields(status=value), {("/status", "choice")}) for value in NO_STATUSES),
    *((fields(state=value), {("/state", "choice")}) for value in NO_STATES),
    *((fields(project=name), {("/project", "name")}) for name in ("", "-a", "a-", ".a", "a.", "a b", "a/b", "a\n")),
    *((fields(project=name), {("/project", "name")}) for name in ("caf\u00e9", "a[x]", "a==1", "\uff41", "a\ud800b")),
    (fields(project="a" * 129), {("/project", "name-too-long")}),
    (fields(project="-" * 500), {("/project", "name-too-long")}),
    *((fields(project=name), {("/project", "name-reserved")}) for name in ("packages", "Packages", "PACKAGES")),
    (
        {"project": "-", "target": "ftp://x", "path": "all", "status": 200, "state": "on", "rules": {"/": "/"}, "x": 1},
        {
            ("/project", "name"),
            ("/target", "url-scheme"),
            ("/path", "choice"),
            ("/status", "choice"),
            ("/state", "choice"),
            ("/rules/~1", "from-leading-slash"),
            ("/rules/~1", "to-leading-slash"),
            ("/x", "unknown-field"),
        },
    ),
    (
        {"project": 1, "target": 2, "status": 3, "state": 4, "rules": 5},
        {
            ("/project", "type"),
            ("/target", "type"),
            ("/path", "missing"),
            ("/status", "choice"),
            ("/state", "choice"),
            ("/rules", "type"),
        },
    ),
]


@pytest.mark.parametrize(("raw", "faults"), REFUSED, ids=[title(str(row[0])) for row in REFUSED])
def test_refused(raw: object, faults: set[tuple[str, str]]) -> None:
    """A record is refused with every one of its faults at once, each where it lies."""
    assert found(faults_of(raw)) == faults


def test_error_tells_every_fault() -> None:
    """The error's own text holds every fault, for a log or a terminal."""
    with pytest.raises(InvalidRecord) as caught:
        parse_record({"project": "-", "path": "keep"}, HOSTS)
    assert (caught.value.code, caught.value.status) == ("invalid-record", 422)
    assert all(fault.detail in str(caught.value) for fault in caught.value.faults)


def test_missing_path_blames_nothing_else() -> None:
    """Without a path policy nobody can say whether the target is a base, so only the policy is reported."""
    raw = fields(target="https://t.example.org/x.html")
    del raw["path"]
    assert found(faults_of(raw)) == {("/path", "missing")}


def test_unknown_path_blames_nothing_else() -> None:
    """With an unknown path policy, a target that another policy would give its slash is not called wrong."""
    raw = fields(target="https://t.example.org/docs", path="all", rules={"a": "b/"})
    assert found(faults_of(raw)) == {("/path", "choice")}


MANY: dict[str, tuple[Fields, int]] = {
    "fields": (fields(**{f"x{number}": 1 for number in range(5_000)}), 5_000),
    "rules": (fields(rules={f"/{number}": "x/" for number in range(1_000)}), 1_000),
    "rules with three faults each": (fields(rules={f"/{number}?": "/x" for number in range(1_000)}), 3_000),
    "fields and rules": (fields(x=1, rules={f"/{number}": "x/" for number in range(100)}), 101),
    "a target and rules": (fields(target="ftp://x", rules={f"/{number}": "x/" for number in range(150)}), 151),
}


def listed_for(raw: Fields) -> list[Fault]:
    """Return the faults that the refusal of `raw` lists."""
    with pytest.raises(InvalidRecord) as caught:
        parse_record(raw, HOSTS)
    return caught.value.faults


@pytest.mark.parametrize(("raw", "number"), MANY.values(), ids=MANY)
def test_more_faults_than_are_listed(raw: Fields, number: int) -> None:
    """A hundred faults of a record are listed, and a last one says how many more there are."""
    *listed, rest = listed_for(raw)
    assert MAX_FAULTS == len(listed) == 100
    assert "more-faults" not in {fault.code for fault in listed}
    assert (rest.pointer, rest.code) == ("", "more-faults")
    more = number - MAX_FAULTS
    assert (f"there are {more} more faults" if more > 1 else "there is 1 more fault") in rest.detail


def test_as_many_faults_as_are_listed() -> None:
    """A hundred faults are all there is to say."""
    found(faults := listed_for(fields(**{f"x{number}": 1 for number in range(MAX_FAULTS)})))
    assert {fault.code for fault in faults} == {"unknown-field"}
    assert len(faults) == MAX_FAULTS


TOO_LARGE: Found = frozenset({("", "record-too-large")})


def test_size_of_record() -> None:
    """A record of 128 KiB as JSON is accepted, and one byte more is not."""
    assert MAX_RECORD_BYTES == 128 * 1024
    rules = {f"{number:03}{'a' * 1_000}": "x/" for number in range(129)}
    empty = len(msgspec.json.encode(parse(fields(rules=rules))))
    spare = MAX_RECORD_BYTES - empty
    fits = fields(rules={**rules, "z" * (spare - 8): "y/"})
    assert len(msgspec.json.encode(parse(fits))) == MAX_RECORD_BYTES
    fault = faults_of(fields(rules={**rules, "z" * (spare - 7): "y/"}))
    assert found(fault) == TOO_LARGE
    assert str(MAX_RECORD_BYTES + 1) in fault[0].detail


def test_size_counts_bytes() -> None:
    """The size of a record is counted in bytes of UTF-8."""
    rules = {f"{number}" + "\u4e2d" * 900: "x/" for number in range(50)}
    assert found(faults_of(fields(rules=rules))) == TOO_LARGE


def test_half_a_character_is_refused() -> None:
    """Half of a surrogate pair, which no JSON can hold, is a fault like any other."""
    assert faults_of(fields(rules={"\ud800": "x/"}))


def test_deeply_nested_value_is_refused() -> None:
    """A value that the reader of JSON accepts is refused with faults however deep it is nested."""
    read = 0
    for depth in range(100, 1_000):
        try:
            raw = json_text.loads(b'{"status":' + b"[" * depth + b"]" * depth + b"}")
        except MalformedText:
            break
        read += 1
        with pytest.raises(InvalidRecord):
            parse_record(raw, HOSTS)
    assert read


@pytest.mark.parametrize("raw", [EXAMPLE, fields(), fields(rules={"b/*": "c*", "a": "HTTPS://T.example.org"})])
def test_stored_form_is_stable(raw: Fields) -> None:
    """What is stored is accepted again as the same record, with the same bytes."""
    record = parse(raw)
    again = parse(json.loads(json.dumps(to_fields(record))))
    assert again == record
    assert msgspec.json.encode(again) == msgspec.json.encode(record)
    assert msgspec.json.decode(msgspec.json.encode(record), type=Record) == record


def test_mappings_of_any_kind() -> None:
    """Any mapping is read, and none is changed."""
    rules: collections.OrderedDict[str, Any] = collections.OrderedDict({"a": "HTTPS://t.example.org"})
    raw = collections.OrderedDict(fields(rules=rules))
    parse(raw)
    assert raw == fields(rules={"a": "HTTPS://t.example.org"})


WARNED: list[tuple[Fields, set[tuple[str, str]]]] = [
    (fields(), set()),
    (fields(target="http://t.example.org/"), {("/target", "plain-http")}),
    (fields(target="HTTP://t.example.org/"), {("/target", "plain-http")}),
    (
        fields(rules={"a/b": "http://t.example.org/", "c": "https://t.example.org/", "d": "e/", "f": None}),
        {
            ("/rules/a~1b", "plain-http"),
        },
    ),
    (
        fields(target="http://t.example.org/", rules={"*": "http://t.example.org/*"}),
        {
            ("/target", "plain-http"),
            ("/rules/*", "plain-http"),
        },
    ),
]


@pytest.mark.parametrize(("raw", "warnings"), WARNED, ids=[title(str(row[0])) for row in WARNED])
def test_warnings(raw: Fields, warnings: set[tuple[str, str]]) -> None:
    """Plain http is accepted, with a warning for each URL that has it."""
    checked = parse_record(raw, HOSTS)
    assert found(checked.warnings) == warnings
    assert all(fault.detail.endswith(".") and "http://" in fault.detail for fault in checked.warnings)
