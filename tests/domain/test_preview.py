"""What a change would do: each field that differs with its place, and what sample URLs answer before and after."""

from typing import Any

import msgspec
import pytest
from hypothesis import given

from docsredirect.domain.preview import FieldChange, Sample, SampleAnswer, changes, samples
from docsredirect.domain.records import Record, to_fields
from docsredirect.domain.resolve import resolve_url
from docsredirect.domain.routes import Route
from tests.domain.cases import HOSTS, Fields, fields, parse
from tests.domain.test_properties import modest, records

BASE = "https://t.example.org/docs/"
URL = "https://pythonhosted.org/Foo.Bar/"
ABSENT = object()

CHANGES: list[tuple[Fields | None, Fields | None, list[tuple[str, Any, Any]]]] = [
    (fields(), fields(), []),
    (None, None, []),
    (fields(status=301), fields(), []),
    (fields(), fields(status=302, path="root"), [("/path", "keep", "root"), ("/status", 301, 302)]),
    (fields(), fields(project="foo_bar", state="gone"),
     [("/project", "Foo.Bar", "foo_bar"), ("/state", "active", "gone")]),
    (None, fields(rules={"a": None}),
     [("/project", ABSENT, "Foo.Bar"), ("/target", ABSENT, BASE), ("/path", ABSENT, "keep"), ("/status", ABSENT, 301),
      ("/state", ABSENT, "active"), ("/rules/a", ABSENT, None)]),
    (fields(), None,
     [("/project", "Foo.Bar", ABSENT), ("/target", BASE, ABSENT), ("/path", "keep", ABSENT), ("/status", 301, ABSENT),
      ("/state", "active", ABSENT)]),
    (fields(rules={"a": "b", "c": "d", "e": None}), fields(rules={"a": "b", "c": None, "f": "g"}),
     [("/rules/c", "d", None), ("/rules/e", None, ABSENT), ("/rules/f", ABSENT, "g")]),
    (fields(), fields(rules={"": "x", "a/b~c/*": "y/*", "a.html": "z", "a/b": "w"}),
     [("/rules/", ABSENT, "x"), ("/rules/a.html", ABSENT, "z"), ("/rules/a~1b", ABSENT, "w"),
      ("/rules/a~1b~0c~1*", ABSENT, "y/*")]),
]  # fmt: skip


def record(raw: Fields | None) -> Record | None:
    """Return the record that `raw` is, if it is one."""
    return None if raw is None else parse(raw)


@pytest.mark.parametrize(("before", "after", "expected"), CHANGES)
def test_changes(before: Fields | None, after: Fields | None, expected: list[tuple[str, Any, Any]]) -> None:
    """Each value that differs is named once, in the order of the fields, then the rules by their `from`."""
    found = [(each.pointer, each.before, each.after) for each in changes(record(before), record(after))]
    assert found == [
        (pointer, *(msgspec.UNSET if value is ABSENT else value for value in values)) for pointer, *values in expected
    ]


def test_json_leaves_out_what_is_not_there() -> None:
    """In JSON, a value that is absent has no key, and a rule that answers 410 is null."""
    encoded = [
        msgspec.json.encode(FieldChange("/rules/a", before=None)),
        msgspec.json.encode(FieldChange("/rules/a", after="x")),
        msgspec.json.encode(FieldChange("/status", 301, 302)),
    ]
    assert encoded == [
        b'{"pointer":"/rules/a","before":null}',
        b'{"pointer":"/rules/a","after":"x"}',
        b'{"pointer":"/status","before":301,"after":302}',
    ]


@modest
@given(records(), records())
def test_changes_lead_from_one_record_to_the_other(before: Record, after: Record) -> None:
    """The changes, made to one record's fields, give the other's; there and back again they are mirrored."""
    made = to_fields(before)
    named = made.setdefault("rules", {}).copy()
    for change in changes(before, after):
        *parents, key = (part.replace("~1", "/").replace("~0", "~") for part in change.pointer.split("/")[1:])
        place = named if parents == ["rules"] else made
        assert place.pop(key, msgspec.UNSET) == change.before
        if change.after is not msgspec.UNSET:
            place[key] = change.after
    assert parse(made | {"rules": named}) == after
    mirrored = [FieldChange(each.pointer, each.after, each.before) for each in changes(before, after)]
    assert changes(after, before) == mirrored


def test_samples_of_a_plain_record() -> None:
    """The root, a deep page and the inventory are asked of every project, in its own spelling."""
    nothing = SampleAnswer(404, None, None)
    assert samples(None, parse(fields())) == [
        Sample(URL + page, nothing, SampleAnswer(301, BASE + page, "path"))
        for page in ("", "guide/install.html", "objects.inv")
    ]
    assert samples(parse(fields()), None) == [
        Sample(URL + page, SampleAnswer(301, BASE + page, "path"), nothing)
        for page in ("", "guide/install.html", "objects.inv")
    ]
    assert samples(None, None) == []


def test_samples_ask_every_page_that_a_rule_names() -> None:
    """Rules of both records are asked, once each and sorted; a folder by an example page below it."""
    before = parse(fields(rules={"z.html": "a/", "old/*": "new/*", "": "welcome/", "objects.inv": None}))
    after = parse(
        fields(project="foo_bar", path="clean", status=302, rules={"old/*": "new/*", "*": None, "a b//c": "d"})
    )
    found = [
        (each.url.removeprefix("https://pythonhosted.org/foo_bar/"), each.before, each.after)
        for each in samples(before, after)
    ]
    assert found == [
        ("", SampleAnswer(301, BASE + "welcome/", ""), SampleAnswer(410, None, "*")),
        ("guide/install.html", SampleAnswer(301, BASE + "guide/install.html", "path"), SampleAnswer(410, None, "*")),
        ("objects.inv", SampleAnswer(410, None, "objects.inv"), SampleAnswer(410, None, "*")),
        ("example.html", SampleAnswer(301, BASE + "example.html", "path"), SampleAnswer(410, None, "*")),
        ("a%20b/c", SampleAnswer(301, BASE + "a%20b/c", "path"), SampleAnswer(302, BASE + "d", "a b//c")),
        (
            "old/example.html",
            SampleAnswer(301, BASE + "new/example.html", "old/*"),
            SampleAnswer(302, BASE + "new/example/", "old/*"),
        ),
        ("z.html", SampleAnswer(301, BASE + "a/", "z.html"), SampleAnswer(410, None, "*")),
    ]


def test_samples_of_a_withdrawn_project() -> None:
    """A project that is gone answers 410 at every sample, by no rule."""
    after = parse(fields(state="gone", rules={"a": "b"}))
    assert [each.after for each in samples(None, after)] == [SampleAnswer(410, None, None)] * 4


@modest
@given(records(), records())
def test_samples_answer_as_the_edge_would(before: Record, after: Record) -> None:
    """Every sample is a URL of its own that answers what `resolve_url` says, and every rule is heard."""
    found = samples(before, after)
    urls = [each.url for each in found]
    assert len(set(urls)) == len(urls) and urls[0] == URL
    for sample in found:
        for one, answer in ((before, sample.before), (after, sample.after)):
            expected = resolve_url({one.name: Route(one)}.get, sample.url, HOSTS)
            assert answer == SampleAnswer(expected.status, expected.location, expected.rule)
    if after.state == "active":
        heard = {each.after.rule for each in found}
        covered = {source for source in after.rules if source.removesuffix("*") + "example.html" not in after.rules}
        assert covered <= heard


def test_samples_are_bounded_by_the_rules() -> None:
    """Two records with 1,000 rules each, all different, give 2,003 samples."""
    first, second = (parse(fields(rules={f"{part}/{n}.html": "x/" for n in range(1_000)})) for part in "ab")
    assert len(samples(first, second)) == 2_003
