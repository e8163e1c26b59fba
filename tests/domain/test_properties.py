"""What holds for every path, every query and every record, however nasty. Found or refuted by Hypothesis."""

import json
from typing import Any
from urllib.parse import urlsplit

from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from docsredirect.domain.errors import InvalidRecord
from docsredirect.domain.escapes import (
    collapse_slashes,
    has_control,
    has_dot_segment,
    normalise_path,
    normalise_query,
)
from docsredirect.domain.hosts import HostRules
from docsredirect.domain.names import normalise
from docsredirect.domain.paths import clean, page_key
from docsredirect.domain.records import Record, parse_record, to_fields
from docsredirect.domain.resolve import UNKNOWN, Answer, resolve, resolve_url, strip_prose
from docsredirect.domain.routes import Route
from docsredirect.domain.rules import match_key
from tests.domain.cases import HOSTS, Fields

modest = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The number of examples is the profile's. No deadline: other work on the machine is no failure."""

REDIRECTED = frozenset({301, 302, 307, 308})
STATUSES = REDIRECTED | {200, 404, 410, 414, 503}
URL_STATUSES = STATUSES | {400, 421}

FRAGMENTS = [
    *("/", "//", "/", "\\", "%2f", "%2F", "%5c", "%5C", "%252f", ".", "..", "%2e", "%2E%2e", "...", "..;", "%252e"),
    *("@", "%40", ":", "%3A", ";", "*", "%2A", "?", "%3f", "#", "%23", "%", "%%", "%4", "%zz", "%25", "~", "%7e"),
    *("index.html", "/index.html", ".html", "x.html", "html", "a", "b", "A", "api", "old", "index", "-", "_", "%61"),
    *(
        "\r\n",
        "%0d%0a",
        "\x00",
        "%00",
        "\t",
        " ",
        "%20",
        "\x7f",
        "\x85",
        "\u2028",
        '"',
        "<",
        ">",
        "[",
        "]",
        "{|}",
        "^`",
    ),
    *("\u00e9", "%c3%a9", "\u4e2d", "\U0001f600", "\ud800", "\udc80", "\udcff", "\udc0a", "\uff0e", "\uff0f", "\u3002"),
    *("evil.example", "//evil.example/", "https://evil.example/", "@evil.example", "a" * 700, "%2e" * 300, "/" * 900),
    *(")", ".", ",", "%29", "%22", "'", "&a=b", "=", "+", "packages", "-/", "robots.txt"),
]
texts = st.text(st.characters(exclude_categories=()), max_size=4)
nasty = st.lists(st.sampled_from(FRAGMENTS) | texts, max_size=14).map("".join)

origins = st.sampled_from(
    [
        "https://t.example.org",
        "http://T.Example.org:8080",
        "HTTPS://xn--caf-dma.example.net",
        "https://a.b-c.example.com:1",
    ]
)
segments = st.sampled_from(
    ["a", "b", "api", "old", "x.html", "A", "%7euser", "caf%c3%a9", "a b", "a%2fb", "...", "@", "x:y"]
)
folders = st.lists(segments.map(lambda part: part.replace(" ", "%20")), max_size=3).map(
    lambda parts: "".join(f"{part}/" for part in parts)
)
page_ends = st.sampled_from(["", "x", "x.html", "?q=1", "#top", "x?q=1#top", "//x", "[x]", "100%", "?", "#"])
bases = st.builds("{}/{}".format, origins, folders) | origins
page_targets = st.builds("{}/{}{}".format, origins, folders, page_ends)

page_froms = st.builds(
    "{}{}".format,
    st.lists(segments, max_size=3).map("/".join),
    st.sampled_from(["", "", "/", "/index.html"]),
).map(lambda source: source.lstrip("/"))
folder_froms = st.lists(segments, min_size=0, max_size=3).map(lambda parts: "/".join([*parts, "*"]))

relative_ends = st.sampled_from(["", "x", "x.html", "?q=1", "#top", "x?q=1#top"])
absolute_tos = page_targets
relative_tos = st.builds("{}{}".format, folders, relative_ends).map(lambda to: to.replace(":", "%3A"))
carrying = st.builds("{}*".format, bases | folders.map(lambda to: to.replace(":", "%3A")))


@st.composite
def records(draw: st.DrawFn, project: str = "Foo.Bar") -> Record:
    """Draw a record that the checks accept, with up to eight rules."""
    path = draw(st.sampled_from(["keep", "clean", "root"]))
    target = draw(bases if path != "root" else bases | page_targets)
    relative = path != "root" or (target.endswith("/") and not {"?", "#"} & set(target))
    page_tos: st.SearchStrategy[str | None] = st.none() | absolute_tos
    folder_tos: st.SearchStrategy[str | None] = st.none() | absolute_tos | st.builds("{}*".format, bases)
    if relative:
        page_tos, folder_tos = page_tos | relative_tos, folder_tos | carrying
    pages = draw(st.dictionaries(page_froms, page_tos, max_size=4))
    below = draw(st.dictionaries(folder_froms, folder_tos, max_size=4))
    once = {match_key(source): (source, to) for source, to in (pages | below).items()}
    status, state = draw(st.sampled_from([301, 302, 307, 308])), draw(st.sampled_from(["active"] * 5 + ["gone"]))
    raw = {"project": project, "target": target, "path": path, "status": status, "state": state}
    return parse_record(raw | {"rules": dict(once.values())}, HOSTS).record


def named_origins(record: Record) -> set[str]:
    """Return the origins that the record names, taken apart by nothing of ours."""
    urls = [record.target, *(to for to in record.rules.values() if to is not None)]
    return {
        "/".join(url.split("/", 3)[:3]).removesuffix("*") for url in urls if url.startswith(("http://", "https://"))
    }


def answers(record: Record, path: str, query: str = "") -> Answer:
    """Return what `record` alone answers."""
    route = Route(record)
    return resolve(lambda name: route if name == record.name else None, path, query)


def paths_below(record: Record) -> st.SearchStrategy[str]:
    """Return nasty paths below the record's root, many of them below its rules."""
    folders_of = [source.removesuffix("*") for source in record.rules]
    return st.builds("/foo-bar/{}{}".format, st.sampled_from(["", *folders_of]), nasty)


@modest
@given(st.data(), records(), nasty)
def test_location_stays_at_a_named_origin(data: st.DataObject, record: Record, query: str) -> None:
    """A `Location` never leaves the origins that the record names, by whatever rules its reader takes it apart."""
    answer = answers(record, data.draw(paths_below(record)), query)
    assert answer.status in STATUSES
    assert (answer.location is not None) == (answer.status in REDIRECTED)
    if answer.location is None:
        return
    assert_one_safe_line(answer.location)
    origin = browser_origin(answer.location)
    split = urlsplit(answer.location)
    assert origin == f"{split.scheme}://{split.netloc}"
    assert origin in named_origins(record)
    assert answer.location.startswith(origin + "/")
    assert len(answer.location) <= 8_000


def assert_one_safe_line(location: str) -> None:
    """Check that no reader of a header, and no reader of a URL, can see more in `location` than one URL."""
    assert all("!" <= char <= "~" for char in location), "ASCII without blanks, controls, CR and LF"
    assert not set(location) & set('\\"<>^`{|}'), "nothing that a browser repairs"
    assert location.count("#") <= 1


def browser_origin(location: str) -> str:
    """Return the origin as the WHATWG URL standard finds it: a backslash is a slash, the last ``@`` ends a user."""
    scheme, _, after = location.partition("://")
    end = min(at for mark in "/\\?#" if (at := f"{after}/".find(mark)) >= 0)
    assert "@" not in after[:end]
    return f"{scheme}://{after[:end]}"


@modest
@given(st.data(), records())
@example(
    None, parse_record({"project": "Foo.Bar", "target": "https://t.example.org/a/", "path": "clean"}, HOSTS).record
)
def test_location_has_no_dot_segment(data: st.DataObject | None, record: Record) -> None:
    """A `Location` never holds a dot segment, so it never leaves the folder that its target names either."""
    path = "/foo-bar/...html" if data is None else data.draw(paths_below(record))
    location = answers(record, path).location
    assume(location is not None)
    assert location is not None
    assert not has_dot_segment(urlsplit(location).path), (path, location)


@modest
@given(nasty, nasty)
def test_resolve_never_raises(path: str, query: str) -> None:
    """Any text at all gets an answer out of the closed set, whatever the table says."""
    record = parse_record({"project": "a", "target": "https://t.example.org/", "path": "clean"}, HOSTS).record
    for find in (Route, lambda _: None, lambda _: UNKNOWN):
        answer = resolve(lambda name, find=find: find(record), path, query)  # type: ignore[misc]
        assert answer.status in STATUSES
        assert (answer.location is not None) == (answer.status in REDIRECTED)
        assert answer.name is None or normalise(answer.name) == answer.name


@modest
@given(st.sampled_from(["", "http://", "HTTPS://", "ftp://", "//"]), st.sampled_from(["", "pythonhosted.org"]), nasty)
def test_resolve_url_never_raises(scheme: str, host: str, tail: str) -> None:
    """Any text at all may be asked as a URL."""
    for hosts in (HOSTS, HostRules.of(["*"])):
        answer = resolve_url(lambda _: None, scheme + host + tail, hosts)
        assert answer.status in URL_STATUSES
        assert answer.location is None


@modest
@given(nasty)
def test_normalising_twice_changes_nothing(text: str) -> None:
    """A normal form is its own normal form, is ASCII, and holds no control and no stray escape."""
    for function in (normalise_path, normalise_query, lambda path: collapse_slashes(normalise_path(path))):
        normal = function(text)
        assert function(normal) == normal
        assert all("!" <= char <= "~" for char in normal)
        assert not has_control(normal) or has_control(text)
        assert all(len(part) >= 2 and part[:2] == part[:2].upper() for part in normal.split("%")[1:])
    assert page_key(page_key(text)) == page_key(text)
    assert strip_prose(strip_prose(normal)) == strip_prose(normal)


@modest
@given(nasty)
def test_control_is_found_before_and_after_normalising(text: str) -> None:
    """No control character hides from the raw path and appears in the normal form."""
    assert has_control(text) == has_control(normalise_path(text))


@modest
@given(records())
def test_stored_record_is_accepted_as_it_is(record: Record) -> None:
    """What is stored is accepted again as the same record, also after a journey as JSON text."""
    stored = json.loads(json.dumps(to_fields(record)))
    again = parse_record(stored, HOSTS).record
    assert again == record
    assert to_fields(again) == stored == to_fields(record)
    assert list(again.rules) == list(record.rules)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | nasty,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
likely_urls = st.builds(
    "{}{}".format, st.sampled_from(["https://", "http://t.example.org", "https://t.example.org/", ""]), nasty
)
any_records = st.fixed_dictionaries(
    {
        "project": st.sampled_from(["a", "Foo.Bar"]) | json_values,
        "target": st.sampled_from(["https://t.example.org/", "https://t.example.org/x"]) | likely_urls | json_values,
        "path": st.sampled_from(["keep", "clean", "root"]) | json_values,
    },
    optional={
        "status": st.sampled_from([301, 302]) | json_values,
        "state": st.sampled_from(["active", "gone"]) | json_values,
        "rules": st.dictionaries(nasty, likely_urls | json_values, max_size=3) | json_values,
    },
)


@modest
@given(st.one_of(any_records, json_values))
def test_any_value_is_a_record_or_has_faults(raw: Any) -> None:
    """Any JSON value is either refused with faults that have a place and a sentence, or stored in a stable form."""
    try:
        json.dumps(raw, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        assume(False)
    try:
        record = parse_record(raw, HOSTS).record
    except InvalidRecord as error:
        faults = error.faults
    else:
        assert parse_record(to_fields(record), HOSTS).record == record
        assert Route(record).status == record.status
        return
    assert faults
    assert all(fault.code and fault.detail.endswith(".") for fault in faults)


@modest
@given(st.data(), records())
def test_every_accepted_record_resolves(data: st.DataObject, record: Record) -> None:
    """Every record that the checks accept answers at its root and below each of its rules: never 404."""
    assert answers(record, "/foo-bar").status in (record.status, 410)
    tail = data.draw(st.sampled_from(["", "x", "x/", "x.html", "x/index.html", "%2F", "caf\u00e9"]))
    for source in record.rules:
        answer = answers(record, f"/foo-bar/{source.replace('*', tail)}")
        assert answer.status in (record.status, 410)
        assert record.state == "gone" or answer.rule in record.rules


@modest
@given(records(), nasty)
def test_bare_name_equals_name_with_slash(record: Record, query: str) -> None:
    """A bare name answers exactly like the name with its slash, and like every spelling of the name."""
    answer = answers(record, "/foo-bar", query)
    for path in ("/foo-bar/", "//foo-bar//", "/Foo_Bar", "/foo.bar).", "/FOO--BAR%22/"):
        assert answers(record, path, query) == answer


@modest
@given(st.data(), records())
def test_order_of_rules_does_not_matter(data: st.DataObject, record: Record) -> None:
    """A map has no order: rules in any other order give the same record and the same answers."""
    shuffled = dict(data.draw(st.permutations(list(record.rules.items()))))
    fields: Fields = {**to_fields(record), "rules": shuffled}
    assert parse_record(fields, HOSTS).record == record
    path = data.draw(paths_below(record))
    reordered = Record(**fields)
    assert answers(reordered, path) == answers(record, path)


@modest
@given(st.data(), records())
def test_spellings_of_a_page_answer_alike(data: st.DataObject, record: Record) -> None:
    """``x``, ``x/`` and ``x/index.html`` are one page: the same rule answers for all three."""
    parts = data.draw(st.lists(segments, max_size=3))
    page = "/".join(["/foo-bar", *parts])
    spellings = [answers(record, page + tail) for tail in ("", "/", "/index.html", "//index.html", "/%69ndex.html/")]
    assert len({(answer.status, answer.rule) for answer in spellings}) == 1


@modest
@given(nasty)
def test_cleaned_path_keeps_its_folder(rest: str) -> None:
    """``clean`` changes nothing but the last segment, and does nothing more when it is done again to a folder."""
    rest = collapse_slashes(normalise_path(rest)).lstrip("/")
    folder = rest[: rest.rfind("/") + 1]
    cleaned = clean(rest)
    assert cleaned.startswith(folder)
    assert cleaned in (rest, folder, rest.removesuffix(".html") + "/")
    assert not cleaned.endswith("/") or clean(cleaned) == cleaned
