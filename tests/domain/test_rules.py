"""A record's rules: what a `from` and a `to` may be, which are the same, and how they are stored."""

import pytest

from docsredirect.domain.errors import pointer_to
from docsredirect.domain.rules import MAX_RULES, match_key
from tests.domain.cases import Fields, Found, faults_of, fields, found, parse, title

ACCEPTED_FROM = [
    *("", "api.html", "old-api/*", "*", "a/", "a/index.html", "index.html/*", "a//b", "a//*", "a%2Fb", "a%2F"),
    *("caf\u00e9", "a b", "[x]", "x:y", "@", "...", "..a/b..", "%2A", "a/%2A", "100%", "%zz", "\\x", ";a=b", "A/a"),
    *("a" * 1_024, "a/" * 511 + "*", "http://t.example.org/"),
]


@pytest.mark.parametrize("source", ACCEPTED_FROM, ids=title)
def test_accepted_from(source: str) -> None:
    """A `from` is kept as its maintainer wrote it."""
    assert parse(fields(rules={source: "x/"})).rules == {source: "x/"}


REFUSED_FROM = [
    ("/", {"from-leading-slash"}),
    ("/a", {"from-leading-slash"}),
    ("/*", {"from-leading-slash"}),
    ("//a", {"from-leading-slash"}),
    ("a?b", {"from-character"}),
    ("a#b", {"from-character"}),
    ("a\nb", {"from-character"}),
    ("a\x00", {"from-character"}),
    ("a\x7f", {"from-character"}),
    ("a%0a", {"from-character"}),
    ("a%7F", {"from-character"}),
    ("..", {"from-dot-segment"}),
    (".", {"from-dot-segment"}),
    ("a/../b", {"from-dot-segment"}),
    ("a/%2e%2E/*", {"from-dot-segment"}),
    ("a%2f..%2fb", {"from-dot-segment"}),
    ("a%5c.", {"from-dot-segment"}),
    ("a\\..\\b", {"from-dot-segment"}),
    ("**", {"from-star"}),
    ("a*", {"from-star"}),
    ("a*/b", {"from-star"}),
    ("*/b", {"from-star"}),
    ("*/*", {"from-star"}),
    ("a/**", {"from-star"}),
    ("a/*/*", {"from-star"}),
    ("a/*.html", {"from-star"}),
    ("a" * 1_025, {"from-too-long"}),
    (
        "/../*?" + "a" * 1_024,
        {"from-leading-slash", "from-dot-segment", "from-star", "from-character", "from-too-long"},
    ),
]


@pytest.mark.parametrize(("source", "codes"), REFUSED_FROM, ids=[title(row[0]) for row in REFUSED_FROM])
def test_refused_from(source: str, codes: set[str]) -> None:
    """A `from` is refused with every one of its faults at once, where it leads to null too."""
    expected = {(pointer_to("rules", source), code) for code in codes}
    assert found(faults_of(fields(rules={source: "x/"}))) == expected
    assert found(faults_of(fields(rules={source: None}))) == expected


DUPLICATES = [
    ("x", "x/"),
    ("x", "x/index.html"),
    ("x/", "x/index.html"),
    ("x", "x//"),
    ("x", "%78"),
    ("", "index.html"),
    ("x.html", "x.html/index.html"),
    ("a/*", "a//*"),
    ("%7Ea/*", "~a/*"),
    ("a%2fb", "a%2Fb"),
    ("caf\u00e9", "caf%C3%A9"),
    ("caf%c3%a9", "caf%C3%A9"),
    ("a b", "a%20b"),
    ("\\", "%5C"),
    ("a//b", "a/b"),
]


@pytest.mark.parametrize(("one", "other"), DUPLICATES, ids=[f"{title(row[0])}={title(row[1])}" for row in DUPLICATES])
def test_duplicate_from(one: str, other: str) -> None:
    """Two spellings of one page or folder are refused, at one of them, in whatever order they come."""
    first = found(faults_of(fields(rules={one: "a/", other: "b/"})))
    second = found(faults_of(fields(rules={other: "b/", one: "a/"})))
    assert first == second
    assert first in ({(pointer_to("rules", one), "from-duplicate")}, {(pointer_to("rules", other), "from-duplicate")})
    assert match_key(one) == match_key(other)


def test_three_spellings_of_a_page() -> None:
    """All three spellings of a page are duplicates: two of them are reported."""
    faults = faults_of(fields(rules={"x": "a/", "x/": "b/", "x/index.html": None}))
    assert found(faults) == {("/rules/x~1", "from-duplicate"), ("/rules/x~1index.html", "from-duplicate")}


@pytest.mark.parametrize(
    ("one", "other"),
    [("x", "x.html"), ("x", "X"), ("x", "x/*"), ("", "*"), ("x/index.html", "x/index.htm"), ("a/b", "a%2Fb")],
)
def test_not_duplicates(one: str, other: str) -> None:
    """Another page, a page and a folder of the same path, and another case are different rules."""
    assert set(parse(fields(rules={one: "a/", other: "b/"})).rules) == {one, other}


ACCEPTED_TO: list[tuple[str, str | None, str | None]] = [
    ("a", None, None),
    ("a/*", None, None),
    ("a", "", ""),
    ("a", "b", "b"),
    ("a", "b/c.html", "b/c.html"),
    ("a", "b//c", "b//c"),
    ("a", "b?q=1#top", "b?q=1#top"),
    ("a", "?q", "?q"),
    ("a", "#top", "#top"),
    ("a", "b/c:d", "b/c:d"),
    ("a", "b%3ac", "b%3Ac"),
    ("a", "?q=http://x", "?q=http://x"),
    ("a", "%7euser/[x]/100%", "~user/%5Bx%5D/100%25"),
    ("a", "%2fb", "%2Fb"),
    ("a", "b%2A", "b%2A"),
    ("a", "@b", "@b"),
    ("a", ".../..b", ".../..b"),
    ("a/*", "b.html", "b.html"),
    ("a/*", "*", "*"),
    ("a/*", "b/*", "b/*"),
    ("a/*", "b*", "b/*"),
    ("a/*", "b///*", "b/*"),
    ("*", "b/*", "b/*"),
    ("a/*", "b*c", "b*c"),
    ("a/*", "https://T.example.org*", "https://t.example.org/*"),
    ("a/*", "https://t.example.org:8080/x*", "https://t.example.org:8080/x/*"),
    ("a", "HTTP://T.example.org?q", "http://t.example.org/?q"),
]


@pytest.mark.parametrize(
    ("source", "to", "stored"), ACCEPTED_TO, ids=[f"{title(row[0])}={title(row[1])}" for row in ACCEPTED_TO]
)
def test_accepted_to(source: str, to: str | None, stored: str | None) -> None:
    """A `to` is stored in normal form, in which it is accepted again."""
    assert parse(fields(rules={source: to})).rules == {source: stored}
    assert parse(fields(rules={source: stored})).rules == {source: stored}


REFUSED_TO: list[tuple[str, object, set[str]]] = [
    ("a", 7, {"type"}),
    ("a", False, {"type"}),
    ("a", [], {"type"}),
    ("a", {}, {"type"}),
    ("a", "/b", {"to-leading-slash"}),
    ("a", "//evil.example/", {"to-leading-slash"}),
    ("a", "\\evil.example", {"to-leading-slash", "url-character"}),
    ("a", "b:c", {"to-colon"}),
    ("a", "javascript:alert(1)", {"to-colon"}),
    ("a", "https:evil.example", {"to-colon"}),
    ("a", "mailto:x@t.example.org", {"to-colon"}),
    ("a", "..", {"url-dot-segment"}),
    ("a", "./b", {"url-dot-segment"}),
    ("a", "b/%2e%2e/c", {"url-dot-segment"}),
    ("a", "b%2f..", {"url-dot-segment"}),
    ("a", "b%5C.%5Cc", {"url-dot-segment"}),
    ("a", "b c", {"url-character"}),
    ("a", "b\r\nSet-Cookie", {"url-character"}),
    ("a", "caf\u00e9", {"url-ascii"}),
    ("a", "b#c#d", {"url-fragment"}),
    ("a", "b" * 2_049, {"url-too-long"}),
    ("a", "*", {"to-star"}),
    ("a", "b/*", {"to-star"}),
    ("a", "https://t.example.org/*", {"to-star"}),
    ("a/*", "b?q=*", {"base-query"}),
    ("a/*", "b#*", {"base-fragment"}),
    ("a/*", "b.html*", {"base-page"}),
    ("a/*", "b.HTM*", {"base-page"}),
    ("a/*", "..*", {"url-dot-segment"}),
    ("a/*", "/*", {"to-leading-slash"}),
    ("a/*", "//*", {"to-leading-slash"}),
    ("a/*", "https://*", {"url-host"}),
    ("a/*", "https://*.example.org/", {"url-host"}),
    ("a", "/x:y/../ \u00e9##", {"to-leading-slash", "url-dot-segment", "url-character", "url-ascii", "url-fragment"}),
    ("a", "x:y/..?q#*", {"to-colon", "url-dot-segment", "to-star", "base-query", "base-fragment"}),
]


@pytest.mark.parametrize(
    ("source", "to", "codes"), REFUSED_TO, ids=[f"{title(row[0])}={title(row[1])}" for row in REFUSED_TO]
)
def test_refused_to(source: str, to: object, codes: set[str]) -> None:
    """A `to` is refused with every one of its faults at once."""
    assert found(faults_of(fields(rules={source: to}))) == {(pointer_to("rules", source), code) for code in codes}


WITHOUT_FOLDER = [
    "https://t.example.org/x.html",
    "https://t.example.org/x",
    "https://t.example.org/?q=/",
    "https://t.example.org/#/",
]


@pytest.mark.parametrize("target", WITHOUT_FOLDER)
@pytest.mark.parametrize("to", ["b", "", "?q", "#f"])
def test_relative_to_needs_a_folder(target: str, to: str) -> None:
    """A relative `to` is refused where the target does not end in a slash; an absolute one and null are accepted."""
    assert found(faults_of(fields(path="root", target=target, rules={"a": to}))) == {("/rules/a", "to-needs-base")}
    assert faults_of(fields(path="root", target=target, rules={"a": "https://t.example.org/b", "b": None})) == []


def test_relative_to_follows_a_repaired_target() -> None:
    """A target that gets its slash at the end is a folder for relative rules."""
    assert faults_of(fields(target="https://t.example.org/docs", rules={"a": "b"})) == []


def test_refused_target_hides_nothing_of_the_rules() -> None:
    """Where the target has faults itself, those of the rules are reported too, and no relative rule is blamed."""
    raw = fields(target="ftp://x", rules={"a": "b/", "/c": "d:e", "f": 1})
    assert found(faults_of(raw)) == {
        ("/target", "url-scheme"),
        ("/rules/~1c", "from-leading-slash"),
        ("/rules/~1c", "to-colon"),
        ("/rules/f", "type"),
    }


def test_number_of_rules() -> None:
    """A record holds at most 1,000 rules."""
    rules = {f"p{number}": "x/" for number in range(MAX_RULES)}
    assert MAX_RULES == 1_000
    assert len(parse(fields(rules=rules)).rules) == MAX_RULES
    assert found(faults_of(fields(rules={**rules, "one-more": "x/"}))) == TOO_MANY


TOO_MANY: Found = frozenset({("/rules", "rules-too-many")})


def test_rules_are_stored_sorted() -> None:
    """A map has no order: it is stored sorted, whatever order it came in."""
    rules: Fields = {"b": "x/", "*": None, "a/*": "*", "": "y/"}
    one = parse(fields(rules=rules)).rules
    other = parse(fields(rules=dict(reversed(rules.items())))).rules
    assert list(one.items()) == list(other.items()) == sorted(rules.items(), key=lambda rule: rule[0])


@pytest.mark.parametrize(
    ("source", "pointer"),
    [("", "/rules/"), ("a", "/rules/a"), ("a/*", "/rules/a~1*"), ("~", "/rules/~0"), ("~1/", "/rules/~01~1")],
)
def test_pointer(source: str, pointer: str) -> None:
    """A fault points to its rule as RFC 6901 says."""
    assert pointer_to("rules", source) == pointer


@pytest.mark.parametrize(
    ("source", "key"),
    [
        ("", ("page", "")),
        ("index.html", ("page", "")),
        ("x/", ("page", "x")),
        ("x.html", ("page", "x.html")),
        ("*", ("folder", "")),
        ("a/*", ("folder", "a")),
        ("a//b//*", ("folder", "a/b")),
        ("%7ea%2fb/*", ("folder", "~a%2Fb")),
    ],
)
def test_match_key(source: str, key: tuple[str, str]) -> None:
    """A `from` stands for a page or a folder, by its path in normal form."""
    assert match_key(source) == key
