"""What a legacy URL answers: the given tables, and what the contract promises beyond them."""

from itertools import product
from typing import Any

import pytest

from docsredirect.domain.hosts import HostRules
from docsredirect.domain.reserved import Page
from docsredirect.domain.resolve import UNKNOWN, Find, Lookup, resolve, resolve_url, split_target
from tests.domain.cases import HOSTS, Fields, ask, fields, rows, table, title

BASE = "https://t.example.org/docs/"
KEEP = fields()
CLEAN = fields(path="clean")
ROOT = fields(path="root", target="https://t.example.org/page.html")
QUERY_AND_FRAGMENT = fields(path="root", target="https://t.example.org/?q=1#hit")
FRAGMENT = fields(path="root", target="https://t.example.org/#hit")
RULES: dict[str, str | None] = {
    "": "welcome/",
    "api.html": "reference/api/",
    "guide": "manual/",
    "old/*": "new/*",
    "old/deep/*": "https://other.example.org/x/*",
    "old/deep/page.html": "exact/#top",
    "old/deep/closed/*": None,
    "private/*": None,
    "lost.html": None,
    "search.html": "search/?q=1",
    "hit.html": "search/?q=1#hit",
    "all/*": "one.html",
    "host/*": "https://host.example.org*",
    "up/*": "*",
}
RULED = fields(rules=RULES)
CLEAN_RULED = fields(path="clean", rules=RULES)
ROOT_RULED = fields(path="root", rules=RULES)
STAR = fields(path="root", rules={"*": "all/*", "old/*": "new/*", "one.html": "two/"})
STAR_GONE = fields(rules={"*": None, "kept/*": "*"})
ESCAPED = fields(rules={"caf%c3%a9/*": "coffee/*", "a b": "blank/", "%7Eme/": "me/", "a%2fb.html": "ab/", "x:y": "z/"})
ALL_REDIRECTS = table(*rows("redirects.jsonl"))


@pytest.mark.parametrize("row", rows("urls.jsonl"), ids=lambda row: title(row["url"]))
def test_real_url(row: Fields) -> None:
    """Every real legacy URL answers as its table says, in one hop."""
    answer = resolve_url(ALL_REDIRECTS, row["url"], HOSTS)
    assert (answer.status, answer.location) == (row["status"], row["location"])


CASES = [*rows("contract_cases.jsonl"), *rows("rule_cases.jsonl")]


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["id"]))
def test_given_case(case: Fields) -> None:
    """Every given case of the contract, and every one from the suites of other redirect engines, holds."""
    answer = ask(case["record"], case["request"])
    assert (answer.status, answer.location) == (case["status"], case.get("location"))


def test_given_tables_are_whole() -> None:
    """No row of the given tables has been lost."""
    counts = [len(rows(f"{name}.jsonl")) for name in ("urls", "rule_cases", "contract_cases", "redirects")]
    assert counts == [528, 135, 96, 68]


Row = tuple[Fields, str, str]
"""A record, the request, and the `Location` that it must answer."""

SLASHES: list[Row] = [
    (KEEP, "//foo-bar", BASE),
    (KEEP, "////foo-bar////", BASE),
    (KEEP, "//foo-bar//x///y//", BASE + "x/y/"),
    (KEEP, "/foo-bar", BASE),
    (KEEP, "/foo-bar/", BASE),
    (KEEP, "/foo-bar/x", BASE + "x"),
    (KEEP, "/foo-bar/x/", BASE + "x/"),
    (KEEP, "/foo-bar/%2f%2f", BASE + "%2F%2F"),
    (KEEP, "/foo-bar/x/%2f/y", BASE + "x/%2F/y"),
    (CLEAN, "//foo-bar//x.html", BASE + "x/"),
    (RULED, "//foo-bar//old///x", BASE + "new/x"),
]

ESCAPES: list[Row] = [
    (KEEP, "/foo-bar/%7euser", BASE + "~user"),
    (KEEP, "/foo-bar/%61%2D%5f%2E%7E", BASE + "a-_.~"),
    (KEEP, "/foo-bar/a b", BASE + "a%20b"),
    (KEEP, '/foo-bar/"<>^{|}`', BASE + "%22%3C%3E%5E%7B%7C%7D%60"),
    (KEEP, "/foo-bar/[]\\", BASE + "%5B%5D%5C"),
    (KEEP, "/foo-bar/%", BASE + "%25"),
    (KEEP, "/foo-bar/%%41", BASE + "%25A"),
    (KEEP, "/foo-bar/%4%31", BASE + "%2541"),
    (KEEP, "/foo-bar/%2f%3f%23%5c%25", BASE + "%2F%3F%23%5C%25"),
    (KEEP, "/foo-bar/%253f", BASE + "%253f"),
    (KEEP, "/foo-bar/%25%32%65", BASE + "%252e"),
    (KEEP, "/foo-bar/\u4e2d\U0001f600", BASE + "%E4%B8%AD%F0%9F%98%80"),
    (KEEP, "/foo-bar/\udcff", BASE + "%FF"),
    (KEEP, "/foo-bar/\ud800", BASE + "%ED%A0%80"),
    (KEEP, "/foo-bar/!$&'()*+,;=:@", BASE + "!$&'()*+,;=:@"),
    (KEEP, "/%66oo%2Dbar/x", BASE + "x"),
    (KEEP, "/foo-bar/@evil.example", BASE + "@evil.example"),
    (KEEP, "/foo-bar/%40evil.example", BASE + "%40evil.example"),
    (KEEP, "/foo-bar/\\evil.example", BASE + "%5Cevil.example"),
    (KEEP, "/foo-bar/https://evil.example/", BASE + "https:/evil.example/"),
    (ESCAPED, "/foo-bar/caf\u00e9/x", BASE + "coffee/x"),
    (ESCAPED, "/foo-bar/caf%C3%A9", BASE + "coffee/"),
    (ESCAPED, "/foo-bar/a%20b", BASE + "blank/"),
    (ESCAPED, "/foo-bar/~me/index.html", BASE + "me/"),
    (ESCAPED, "/foo-bar/a%2Fb.html", BASE + "ab/"),
    (ESCAPED, "/foo-bar/a/b.html", BASE + "a/b.html"),
    (ESCAPED, "/foo-bar/x:y", BASE + "z/"),
    (ESCAPED, "/foo-bar/x%3Ay", BASE + "x%3Ay"),
]

QUERIES: list[Row] = [
    (KEEP, "/foo-bar?", BASE),
    (KEEP, "/foo-bar/x?", BASE + "x"),
    (KEEP, "/foo-bar/x?#y", BASE + "x"),
    (KEEP, "/foo-bar/x??", BASE + "x??"),
    (KEEP, "/foo-bar/x?a b", BASE + "x?a%20b"),
    (KEEP, "/foo-bar/x?a[]=%7e%2f%3d", BASE + "x?a%5B%5D=~%2F%3D"),
    (KEEP, "/foo-bar/x?a=/b/?c//../", BASE + "x?a=/b/?c//../"),
    (KEEP, "/foo-bar/x?caf\u00e9=100%", BASE + "x?caf%C3%A9=100%25"),
    (KEEP, "/foo-bar/x?\r\nSet-Cookie:a=b", BASE + "x?%0D%0ASet-Cookie:a=b"),
    (KEEP, "/foo-bar/x?a=\\'\"<>^`{|}", BASE + "x?a=%5C'%22%3C%3E%5E%60%7B%7C%7D"),
    (KEEP, "/foo-bar/x?a;b&c=d+e", BASE + "x?a;b&c=d+e"),
    (CLEAN, "/foo-bar/x.html?a", BASE + "x/?a"),
    (ROOT, "/foo-bar/any/where.html?a=b", "https://t.example.org/page.html?a=b"),
    (QUERY_AND_FRAGMENT, "/foo-bar/x?a=b", "https://t.example.org/?q=1#hit"),
    (QUERY_AND_FRAGMENT, "/foo-bar?", "https://t.example.org/?q=1#hit"),
    (RULED, "/foo-bar/search.html?a=b", BASE + "search/?q=1"),
    (RULED, "/foo-bar/search.html", BASE + "search/?q=1"),
    (RULED, "/foo-bar/hit.html?a=b", BASE + "search/?q=1#hit"),
    (RULED, "/foo-bar/old/x?a=b", BASE + "new/x?a=b"),
    (RULED, "/foo-bar?a=b", BASE + "welcome/?a=b"),
]

FRAGMENTS: list[Row] = [
    (KEEP, "/foo-bar#top", BASE),
    (KEEP, "/foo-bar/x#top?a=b", BASE + "x"),
    (KEEP, "/foo-bar/x?a=b#top", BASE + "x?a=b"),
    (FRAGMENT, "/foo-bar/x", "https://t.example.org/#hit"),
    (FRAGMENT, "/foo-bar/x#top", "https://t.example.org/#hit"),
    (FRAGMENT, "/foo-bar/x?a=b", "https://t.example.org/?a=b#hit"),
    (RULED, "/foo-bar/old/deep/page.html", BASE + "exact/#top"),
    (RULED, "/foo-bar/old/deep/page.html?a=b#c", BASE + "exact/?a=b#top"),
]

NAMES: list[Row] = [
    (KEEP, "/Foo.Bar/x", BASE + "x"),
    (KEEP, "/FOO_BAR/x", BASE + "x"),
    (KEEP, "/foo--._bar/x", BASE + "x"),
    (KEEP, "/foo%2ebar", BASE),
    (KEEP, "/foo%5Fbar", BASE),
    (KEEP, "/foo-bar/Case/MATTERS.HTML", BASE + "Case/MATTERS.HTML"),
]

PAGES: list[Row] = [
    *((RULED, f"/foo-bar{page}", BASE + "welcome/") for page in ("", "/", "/index.html", "/index.html/", "//")),
    *(
        (RULED, f"/foo-bar/{page}", BASE + "manual/")
        for page in ("guide", "guide/", "guide/index.html", "guide//index.html", "gu%69de", "guide/%69ndex.html")
    ),
    *(
        (RULED, f"/foo-bar/{page}", BASE + "reference/api/")
        for page in ("api.html", "api.html/", "api.html/index.html", "api%2Ehtml")
    ),
    (RULED, "/foo-bar/guide.html", BASE + "guide.html"),
    (RULED, "/foo-bar/guide/index.htm", BASE + "guide/index.htm"),
    (RULED, "/foo-bar/guide/Index.html", BASE + "guide/Index.html"),
    (RULED, "/foo-bar/guide/xindex.html", BASE + "guide/xindex.html"),
    (RULED, "/foo-bar/guide%2Findex.html", BASE + "guide%2Findex.html"),
    (RULED, "/foo-bar/Guide", BASE + "Guide"),
    (RULED, "/foo-bar/guide/x", BASE + "guide/x"),
    (RULED, "/foo-bar/api", BASE + "api"),
    (RULED, "/foo-bar/Old/x", BASE + "Old/x"),
]

FOLDERS: list[Row] = [
    (RULED, "/foo-bar/old", BASE + "new/"),
    (RULED, "/foo-bar/old/", BASE + "new/"),
    (RULED, "/foo-bar/old/index.html", BASE + "new/index.html"),
    (RULED, "/foo-bar/old/x.html", BASE + "new/x.html"),
    (RULED, "/foo-bar/oldx", BASE + "oldx"),
    (RULED, "/foo-bar/old.html", BASE + "old.html"),
    (RULED, "/foo-bar/old%2Fx", BASE + "old%2Fx"),
    (RULED, "/foo-bar/x/old/y", BASE + "x/old/y"),
    (RULED, "/foo-bar/old/deep", "https://other.example.org/x/"),
    (RULED, "/foo-bar/old/deep/y/z.html", "https://other.example.org/x/y/z.html"),
    (RULED, "/foo-bar/old/deeper/y", BASE + "new/deeper/y"),
    (RULED, "/foo-bar/old/deep/page.html/x", "https://other.example.org/x/page.html/x"),
    (RULED, "/foo-bar/all", BASE + "one.html"),
    (RULED, "/foo-bar/all/x/y.html?a", BASE + "one.html?a"),
    (RULED, "/foo-bar/host", "https://host.example.org/"),
    (RULED, "/foo-bar/host/@evil.example", "https://host.example.org/@evil.example"),
    (RULED, "/foo-bar/host/.evil.example", "https://host.example.org/.evil.example"),
    (RULED, "/foo-bar/host:80", BASE + "host:80"),
    (RULED, "/foo-bar/up/x", BASE + "x"),
    (STAR, "/foo-bar", BASE + "all/"),
    (STAR, "/foo-bar/index.html", BASE + "all/index.html"),
    (STAR, "/foo-bar/x/y.html", BASE + "all/x/y.html"),
    (STAR, "/foo-bar/old/y.html", BASE + "new/y.html"),
    (STAR, "/foo-bar/one.html", BASE + "two/"),
    (STAR, "/foo-bar/one.html/x", BASE + "all/one.html/x"),
    (STAR_GONE, "/foo-bar/kept/x", BASE + "x"),
]

CLEANED: list[Row] = [
    (CLEAN_RULED, "/foo-bar/old/x.html", BASE + "new/x/"),
    (CLEAN_RULED, "/foo-bar/old/x/index.html", BASE + "new/x/"),
    (CLEAN_RULED, "/foo-bar/old/index.html", BASE + "new/"),
    (CLEAN_RULED, "/foo-bar/old/.html", BASE + "new/.html"),
    (CLEAN_RULED, "/foo-bar/old/a%2fb.html", BASE + "new/a%2Fb.html"),
    (CLEAN_RULED, "/foo-bar/old/deep/x.html", "https://other.example.org/x/x/"),
    (CLEAN_RULED, "/foo-bar/all/x.html", BASE + "one.html"),
    (CLEAN_RULED, "/foo-bar/other.html", BASE + "other/"),
    (ROOT_RULED, "/foo-bar/old/x.html", BASE + "new/x.html"),
    (ROOT_RULED, "/foo-bar/other.html", BASE),
    (CLEAN, "/foo-bar/x.html/", BASE + "x.html/"),
    (CLEAN, "/foo-bar/x.html.html", BASE + "x.html/"),
    (CLEAN, "/foo-bar/index.html/x", BASE + "index.html/x"),
    (CLEAN, "/foo-bar/index.html/index.html", BASE + "index.html/"),
    (CLEAN, "/foo-bar/xindex.html", BASE + "xindex/"),
    (CLEAN, "/foo-bar/x%2Ehtml", BASE + "x/"),
    (CLEAN, "/foo-bar/x.html%2F", BASE + "x.html%2F"),
    (CLEAN, "/foo-bar/x%20.html", BASE + "x%20/"),
    (CLEAN, "/foo-bar/INDEX.HTML", BASE + "INDEX.HTML"),
    (CLEAN, "/foo-bar/a%2Fb/c.html", BASE + "a%2Fb/c/"),
]

REDIRECTS = {
    "slashes": SLASHES,
    "escapes": ESCAPES,
    "queries": QUERIES,
    "fragments": FRAGMENTS,
    "names": NAMES,
    "pages": PAGES,
    "folders": FOLDERS,
    "cleaned": CLEANED,
}


def _params(tables: dict[str, list[Row]]) -> list[Any]:
    return [pytest.param(*row, id=f"{name}-{title(row[1])}") for name, rows_ in tables.items() for row in rows_]


@pytest.mark.parametrize(("record", "request_", "location"), _params(REDIRECTS))
def test_redirect(record: Fields, request_: str, location: str) -> None:
    """A legacy URL leads to one absolute URL, made of a checked target and a normalised rest."""
    answer = ask(record, request_)
    assert (answer.status, answer.location) == (301, location)
    assert answer.name == "foo-bar"


@pytest.mark.parametrize("record", [CLEAN, CLEAN_RULED], ids=["policy", "rule"])
@pytest.mark.parametrize(
    "page", ["..html", "...html", "%2e%2E.html", "%2e.html", "a%5C...html", "a\\..html"], ids=title
)
def test_clean_makes_no_dot_segment(record: Fields, page: str) -> None:
    """Dropping ``.html`` never leaves a ``.`` or ``..`` segment, which would lead out of the target's folder."""
    answer = ask(record, f"/foo-bar/old/{page}")
    location = (answer.location or "").replace("%5C", "/")
    assert not {".", ".."} & set(location.split("/")), answer


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_status_of_project(status: int) -> None:
    """The record's status is that of every redirect of the project, whether a rule or the policy answers."""
    record = fields(status=status, rules={"a": "b/", "gone": None})
    assert [ask(record, f"/foo-bar/{page}").status for page in ("", "a", "x", "gone")] == [status] * 3 + [410]


GONE = [
    (RULED, "/foo-bar/private", "private/*"),
    (RULED, "/foo-bar/private/x/y.html?a=b", "private/*"),
    (RULED, "/foo-bar/lost.html", "lost.html"),
    (RULED, "/foo-bar/lost.html/", "lost.html"),
    (RULED, "/foo-bar/old/deep/closed/x", "old/deep/closed/*"),
    (STAR_GONE, "/foo-bar", "*"),
    (STAR_GONE, "/foo-bar/x", "*"),
    (fields(state="gone"), "/foo-bar", None),
    (fields(state="gone", rules=RULES), "/foo-bar/old/x", None),
    (fields(state="gone", rules=RULES), "/foo-bar/private/x", None),
]


@pytest.mark.parametrize(("record", "request_", "rule"), GONE, ids=[title(row[1]) for row in GONE])
def test_gone(record: Fields, request_: str, rule: str | None) -> None:
    """A rule that leads to null answers 410, and so does a withdrawn project everywhere, which asks no rule."""
    assert ask(record, request_) == (410, None, rule, "foo-bar", None)


ANSWERED_BY = [
    (RULED, "/foo-bar", ""),
    (RULED, "/foo-bar/index.html", ""),
    (RULED, "/foo-bar/guide/", "guide"),
    (RULED, "/foo-bar/old/x", "old/*"),
    (RULED, "/foo-bar/old/deep", "old/deep/*"),
    (RULED, "/foo-bar/old/deep/page.html", "old/deep/page.html"),
    (RULED, "/foo-bar/else", "path"),
    (STAR, "/foo-bar/else", "*"),
    (KEEP, "/foo-bar", "path"),
    (ROOT, "/foo-bar/x", "path"),
    (ESCAPED, "/foo-bar/caf%C3%A9/x", "caf%c3%a9/*"),
    (ESCAPED, "/foo-bar/a%20b", "a b"),
    (ESCAPED, "/foo-bar/~me", "%7Eme/"),
    (KEEP, "/other", None),
]


@pytest.mark.parametrize(("record", "request_", "rule"), ANSWERED_BY, ids=[title(row[1]) for row in ANSWERED_BY])
def test_rule_that_answers(record: Fields, request_: str, rule: str | None) -> None:
    """An answer names the `from` that said so as its maintainer wrote it, or the path policy."""
    assert ask(record, request_).rule == rule


PROSE_RAW = [*".,;:!)]}>'\""]
PROSE = [
    *PROSE_RAW,
    *(f"%{ord(mark):02X}" for mark in PROSE_RAW),
    *(f"%{ord(mark):02x}" for mark in PROSE_RAW),
    *("...", ").", '"),', "%29.", ".%5d%7D", ">%2c'", ")" * 200, "%22" * 200),
]


@pytest.mark.parametrize("tail", PROSE, ids=title)
@pytest.mark.parametrize("name", ["foo-bar", "Foo.Bar"])
def test_prose_punctuation(name: str, tail: str) -> None:
    """Punctuation that prose has left behind a link is stripped from its name, raw or escaped."""
    for rest, location in (("", BASE), ("/", BASE), ("/x.html", BASE + "x.html"), ("?a=b", BASE + "?a=b")):
        answer = ask(KEEP, f"/{name}{tail}{rest}")
        assert (answer.status, answer.location, answer.name) == (301, location, "foo-bar")


NO_NAMES = [
    *("/-foo-bar", "/foo-bar-", "/foo-bar_", "/foo-bar(", "/foo-bar*", "/foo-bar&", "/foo-bar%20", "/foo-bar )"),
    *("/.foo-bar", "/(foo-bar)", "/foo%2Fbar", "/foo-bar%2F", "/foo-bar%2525", "/foo-bar%", "/foo-bar)x"),
    *("/)", "/...", "/%22", "/caf\u00e9", "/foo-bar\u00a0", "/f\u212aoo", "/\uff46oo-bar", "/foo-bar\udc80"),
    *("/@evil.example", "/\\evil.example", "/%5Cevil.example", "/%2F%2Fevil.example"),
    *("/" + "a" * 129, "/" + "a" * 129 + ".", "/_", "/.well-known/x", "/.well-known", "/%2efoo-bar"),
]


@pytest.mark.parametrize("request_", NO_NAMES, ids=title)
def test_illegal_name(request_: str) -> None:
    """An illegal name is 404, without a look-up, and names nothing."""
    asked: list[str] = []
    assert resolve_url(_recording(asked), request_, HOSTS) == (404, None, None, None, None)
    assert asked == []


LOOKUPS = [
    ("/Foo.Bar/x", "foo-bar"),
    ("/foo__bar", "foo-bar"),
    ("/nobody.", "nobody"),
    ("/NoBody%29.", "nobody"),
    ("/" + "A" * 128, "a" * 128),
    ("/" + "a" * 128 + ").", "a" * 128),
    ("//nobody//", "nobody"),
    ("/https://evil.example/", "https"),
    ("/-x/../y", None),
    ("/Packages", "packages"),
    ("/7", "7"),
]


@pytest.mark.parametrize(("request_", "name"), LOOKUPS, ids=[title(row[0]) for row in LOOKUPS])
def test_name_looked_up(request_: str, name: str | None) -> None:
    """A table is asked once, for a normalised name, and the answer says which."""
    asked: list[str] = []
    answer = resolve_url(_recording(asked), request_, HOSTS)
    assert (answer.status, answer.location, answer.name) == (404, None, name)
    assert asked == ([] if name is None else [name])


@pytest.mark.parametrize("request_", ["/foo-bar", "/Foo_Bar)/x?y", "/nobody/"])
def test_unknown_is_never_absent(request_: str) -> None:
    """Where the table cannot say, the answer is 503 and never 404."""
    answer = resolve_url(_cannot_say, request_, HOSTS)
    assert (answer.status, answer.location, answer.rule) == (503, None, None)
    assert answer.name in ("foo-bar", "nobody")


@pytest.mark.parametrize("request_", ["/-foo", "/foo-bar/../x", "/foo-bar/%00"])
def test_needs_no_table(request_: str) -> None:
    """What no table could answer is 404 even where the table cannot say."""
    assert resolve_url(_cannot_say, request_, HOSTS).status == 404


RESERVED = [
    *((path, Page.HOME, 200) for path in ("/", "", "//", "///", "/?a=b")),
    *((path, Page.ROBOTS, 200) for path in ("/robots.txt", "//robots.txt", "/robots.txt?a", "/%72obots%2Etxt")),
    *((path, Page.SITEMAP, 200) for path in ("/sitemap.xml", "/sitemap.xml?part=2")),
    ("/favicon.ico", Page.FAVICON, 404),
    *((path, Page.SECURITY, 404) for path in ("/.well-known/security.txt", "/%2ewell-known//security.txt")),
    *((path, Page.SERVICE, 404) for path in ("/-/", "/-", "/-/health/live", "//-//health/ready", "/%2D/x")),
    *((path, Page.FILES, 404) for path in ("/packages", "/packages/", "/packages/source/f/foo-bar", "/packages//x")),
]


@pytest.mark.parametrize(("path", "page", "status"), RESERVED, ids=[title(row[0]) for row in RESERVED])
def test_reserved(path: str, page: Page, status: int) -> None:
    """The service's own paths are no project names, and are answered even where the table cannot say."""
    answer = resolve(_cannot_say, *split_target(path))
    assert answer == (status, None, None, None, page)


@pytest.mark.parametrize(
    "path", ["/packagesx", "/robots.txt.bak", "/Robots.txt", "/sitemap.xml2", "/robots", "/favicon.ico.x", "/--/"]
)
def test_not_reserved(path: str) -> None:
    """Only the reserved paths themselves are reserved."""
    answer = resolve(table(KEEP), path)
    assert (answer.status, answer.page) == (404, None)


DOTS = [".", "..", "%2e", "%2E", ".%2e", "%2E.", "%2e%2E"]
AROUND = [
    *(("/foo-bar/", ""), ("/foo-bar/", "/"), ("/foo-bar/", "/x"), ("/foo-bar/x/", "/y"), ("/foo-bar//", "//")),
    *(("/foo-bar/a%2F", ""), ("/foo-bar/a%2f", "%2Fb"), ("/foo-bar/a%5C", "%5cb"), ("/foo-bar/a\\", "\\b")),
    *(("/foo-bar/", "%2f"), ("/foo-bar/", "\\"), ("/foo-bar/%2F", "/"), ("/foo-bar/a%5c", "/b"), ("/foo-bar/", "?q")),
    *(("/", "/foo-bar/"), ("//", "//foo-bar"), ("/", ""), ("/", "%2Ffoo-bar"), ("/packages/", "/foo-bar")),
    *(("/foo-bar/old/", "/x"), ("/foo-bar/private/", "/../x")),
]


@pytest.mark.parametrize("dots", DOTS)
@pytest.mark.parametrize(("before", "after"), AROUND, ids=[f"{title(pre)}_{title(post)}" for pre, post in AROUND])
def test_dot_segment(before: str, dots: str, after: str) -> None:
    """A ``.`` or ``..`` segment is 404 in any disguise, also between escaped slashes and backslashes."""
    assert ask(RULED, before + dots + after) == (404, None, None, None, None)


@pytest.mark.parametrize(
    ("path", "carried"),
    [
        ("...", "..."),
        ("%2e%2e%2e", "..."),
        ("..a/b..", "..a/b.."),
        (".a", ".a"),
        ("a.%2e.b", "a...b"),
        ("%252e%252e/", "%252e%252e/"),
        ("a%252F..%252Fb", "a%252F..%252Fb"),
        ("..;x", "..;x"),
        ("..%20", "..%20"),
        ("..%3F", "..%3F"),
        ("a..%2Fb", "a..%2Fb"),
    ],
    ids=title,
)
def test_no_dot_segment(path: str, carried: str) -> None:
    """Dots that are not a whole segment are carried like any other character."""
    assert ask(KEEP, f"/foo-bar/{path}").location == BASE + carried


CONTROLS = [*range(0x20), 0x7F]


@pytest.mark.parametrize("code", CONTROLS, ids=hex)
def test_control_character(code: int) -> None:
    """A control character anywhere in the path, raw or escaped, is 404."""
    spellings = (chr(code), f"%{code:02x}", f"%{code:02X}")
    places = ("/foo-bar/{}", "/foo-bar/a{}b/c", "/foo{}bar", "/foo-bar{}", "{}/foo-bar", "/packages/{}", "/foo-bar/%{}")
    for place, spelling in product(places, spellings):
        assert resolve(table(RULED), place.format(spelling)) == (404, None, None, None, None)


REQUEST_LIMIT = 8_192
LOCATION_LIMIT = 8_000


@pytest.mark.parametrize("over", [0, 1], ids=["8192", "8193"])
@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/foo-bar/" + "a" * 100, "b" * (REQUEST_LIMIT - 109)),
        ("/foo-bar/" + "a" * (REQUEST_LIMIT - 9), ""),
        ("/foo-bar/", "\u00e9" * ((REQUEST_LIMIT - 9) // 2) + "b"),
        ("/nobody/" + "\u4e2d" * 2_728, ""),
        ("/-illegal/" + "%00" * 2_727 + "a", ""),
        ("/robots.txt", "a" * (REQUEST_LIMIT - 11)),
        ("/" * REQUEST_LIMIT, ""),
    ],
    ids=["query", "path", "bytes-of-query", "bytes-of-path", "illegal", "reserved", "slashes"],
)
def test_request_limit(path: str, query: str, over: int) -> None:
    """Path and query over 8,192 bytes are 414, whatever they ask for; up to that they are looked at."""
    root = table(fields(path="root", target="https://t.example.org/?q=1"))
    assert len((path + query).encode()) == REQUEST_LIMIT
    answer = resolve(root, path + "x" * over, query)
    assert (answer.status == 414) == bool(over)
    assert answer.status in (200, 301, 404, 414)


@pytest.mark.parametrize("over", [0, 1], ids=["8000", "8001"])
@pytest.mark.parametrize(
    ("rest", "query"),
    [
        ("a" * (LOCATION_LIMIT - len(BASE)), ""),
        ("a" * 100, "b" * (LOCATION_LIMIT - len(BASE) - 101)),
        ("a" * ((LOCATION_LIMIT - len(BASE)) % 3) + " " * ((LOCATION_LIMIT - len(BASE)) // 3), ""),
    ],
    ids=["path", "query", "escapes"],
)
def test_location_limit(rest: str, query: str, over: int) -> None:
    """A `Location` over 8,000 bytes is 414, counted as it is sent."""
    answer = resolve(table(KEEP), f"/foo-bar/{'x' * over}{rest}", query)
    assert answer.status == (414 if over else 301)
    assert len(answer.location or "") == (0 if over else LOCATION_LIMIT)


def test_path_without_its_slash() -> None:
    """A path that has lost its leading slash is read as if it had it."""
    assert resolve(table(KEEP), "foo-bar/x").location == BASE + "x"


def test_location_limit_counts_fragment() -> None:
    """The target's own fragment counts towards the length of a `Location`."""
    record = fields(path="root", target="https://t.example.org/#" + "f" * 977)
    assert ask(record, "/foo-bar?" + "q" * 6_999).status == 301
    assert ask(record, "/foo-bar?" + "q" * 7_000).status == 414


def test_carries_nothing_long() -> None:
    """A path that is not carried cannot make a `Location` too long."""
    assert ask(ROOT, "/foo-bar/" + "\u00e9" * 4_000).status == 301


OUR_URLS = [
    *(f"{scheme}{host}/foo-bar/x" for scheme in ("http://", "https://", "HTTPS://", "") for host in HOSTS.own),
    *("PythonHosted.ORG/foo-bar/x", "pythonhosted.org./foo-bar/x", "pythonhosted.org:8080/foo-bar/x"),
    *("http://pythonhosted.org.:80/foo-bar/x", "http://pythonhosted.org:/foo-bar/x"),
    *("http://pythonhosted.org//foo-bar/x", "pythonhosted.org/foo-bar/x#y", "http://me@pythonhosted.org/foo-bar/x"),
    *("localhost/foo-bar/x", "http://localhost:8080/foo-bar/x", "http://127.0.0.1:8080/foo-bar/x"),
    *("http://[::1]:8080/foo-bar/x", "http://docs.localhost/foo-bar/x", "/foo-bar/x", "//foo-bar/x"),
]


@pytest.mark.parametrize("url", OUR_URLS, ids=title)
def test_our_url(url: str) -> None:
    """Full URLs of our hosts, scheme-less ones and absolute paths are answered alike."""
    assert ask(KEEP, url).location == BASE + "x"


FOREIGN_URLS = [
    *("http://example.org/foo-bar", "example.org/foo-bar", "foo-bar/x", "foo-bar"),
    *("http://docs.pythonhosted.org/foo-bar", "http://evilpythonhosted.org/foo-bar"),
    *("http://pythonhosted.org.evil.example/foo-bar", "http://pythonhosted.org../foo-bar", "python.org"),
    *("http://pythonhosted.org@evil.example/foo-bar", "http://10.0.0.1/", "http://[::2]/", "http://example.org/../"),
    *("http://1270.0.0.1/", "http://127.0.0.1.evil.example/", "http://localhost.evil.example/"),
]


@pytest.mark.parametrize("url", FOREIGN_URLS, ids=title)
def test_foreign_host(url: str) -> None:
    """A URL of another host is 421, also where the host only resembles one of ours."""
    assert ask(KEEP, url) == (421, None, None, None, None)


BAD_URLS = [
    *("", "http://", "https:///foo-bar", "http://:80/foo-bar", "?a", "#a", "ftp://pythonhosted.org/foo-bar"),
    *("http://python hosted.org/foo-bar", " http://pythonhosted.org/foo-bar", "http://pythonhosted.org:x/foo-bar"),
    *("http://[::1/foo-bar", "http://caf\u00e9.example/", "http://\ud800/", "javascript://pythonhosted.org/foo-bar"),
    *("http:pythonhosted.org/foo-bar", "http://pythonhosted.org:123456/foo-bar", "http://pythonhosted.org%2e/x"),
]


@pytest.mark.parametrize("url", BAD_URLS, ids=title)
def test_not_a_url(url: str) -> None:
    """What is no http(s) URL with a host is 400."""
    assert ask(KEEP, url) == (400, None, None, None, None)


def test_userinfo_trick_is_not_our_host() -> None:
    """A backslash ends a host for every browser, so what follows it cannot make a foreign URL ours."""
    assert ask(KEEP, "http://evil.example\\@pythonhosted.org/foo-bar").status in (400, 421)


def test_mail_address_is_not_a_url() -> None:
    """An address with another scheme is 400, also where it ends in one of our hosts."""
    assert ask(KEEP, "mailto:docs@pythonhosted.org").status == 400


def test_hosts_of_settings() -> None:
    """An added host is served like the legacy ones, and ``*`` serves every host."""
    added, every = HostRules.of(["Docs.Example.com."]), HostRules.of(["*"])
    assert resolve_url(table(KEEP), "http://docs.example.com/foo-bar", added).status == 301
    assert resolve_url(table(KEEP), "http://other.example.com/foo-bar", added).status == 421
    assert resolve_url(table(KEEP), "http://pythonhosted.org/foo-bar", added).status == 301
    assert resolve_url(table(KEEP), "http://any.example.com/foo-bar", every).status == 301


def test_too_long_before_foreign_host() -> None:
    """A URL that is too long is 414 even at a foreign host, and 400 comes before both."""
    tail = "/" + "a" * REQUEST_LIMIT
    assert ask(KEEP, "http://example.org" + tail).status == 414
    assert ask(KEEP, "http://exa mple.org" + tail).status == 400


@pytest.mark.parametrize(
    ("target", "parts"),
    [
        ("/a?b", ("/a", "b")),
        ("/a", ("/a", "")),
        ("/a?", ("/a", "")),
        ("/a?b?c", ("/a", "b?c")),
        ("/a#b?c", ("/a", "")),
        ("/a?b#c?d", ("/a", "b")),
        ("", ("", "")),
    ],
)
def test_split_target(target: str, parts: tuple[str, str]) -> None:
    """A request target is split into raw path and raw query, and a fragment is left out."""
    assert split_target(target) == parts


def _recording(asked: list[str]) -> Find:
    def find(name: str) -> None:
        asked.append(name)

    return find


def _cannot_say(_: str) -> Lookup:
    return UNKNOWN
