"""Reading a table from lines: what goes in, what is refused and why, and that the rest goes in all the same."""

import io
import json
import time
import tracemalloc
from typing import Any

import pytest

from docsredirect.domain.faults import MAX_FAULTS
from docsredirect.domain.hosts import HostRules
from docsredirect.domain.records import MAX_RECORD_BYTES, Record
from docsredirect.formats.lines import MAX_LINE, MAX_LISTED, Batch, read_batch

HOSTS = HostRules.of()

SIX = b'{"project": "six", "target": "https://six.example.org/", "path": "keep"}'
OLD = b'{"project_name": "old", "include_path": true, "base_uri": "https://old.example.org/docs"}'
SIX_RECORD = Record(project="six", target="https://six.example.org/", path="keep")
OLD_RECORD = Record(project="old", target="https://old.example.org/docs/", path="keep")


def read(*lines: bytes, end: bytes = b"\n") -> Batch:
    """Read lines, each ended with `end`."""
    return read_batch(io.BytesIO(b"".join(line + end for line in lines)), HOSTS)


def record_line(project: str, target: str = "https://t.example.org/", **changes: Any) -> bytes:
    """Return a JSON Lines record."""
    return json.dumps({"project": project, "target": target, "path": "keep", **changes}).encode()


def row_line(project_name: object, base_uri: object, include_path: object = True, **more: Any) -> bytes:
    """Return a line of an old redirects.txt."""
    row = {"project_name": project_name, "include_path": include_path, "base_uri": base_uri, **more}
    return json.dumps(row).encode()


def faults(batch: Batch) -> list[tuple[int, str, str]]:
    """Return what was refused as (line, pointer, code), each with a sentence for a person."""
    assert all(fault.detail.endswith(".") for refusal in batch.refusals for fault in refusal.errors)
    assert [refusal.line for refusal in batch.refusals] == sorted({refusal.line for refusal in batch.refusals})
    return [(refusal.line, fault.pointer, fault.code) for refusal in batch.refusals for fault in refusal.errors]


def test_both_formats_in_one_file() -> None:
    """Records and lines of the old redirects.txt are told apart by their fields, line by line."""
    batch = read(SIX, OLD, record_line("a", path="root"), row_line("b", "https://b.example.org/x.html", False))
    assert batch.records == {
        "six": SIX_RECORD,
        "old": OLD_RECORD,
        "a": Record(project="a", target="https://t.example.org/", path="root"),
        "b": Record(project="b", target="https://b.example.org/x.html", path="root"),
    }
    assert (batch.refusals, batch.warnings, batch.repeated) == ([], [], 0)


BOM = b"\xef\xbb\xbf"

WHOLE_FILES = {
    "plain": SIX + b"\n" + OLD + b"\n",
    "no newline at the end": SIX + b"\n" + OLD,
    "CRLF": SIX + b"\r\n" + OLD + b"\r\n",
    "byte order mark": BOM + SIX + b"\n" + OLD + b"\n",
    "byte order mark and CRLF": BOM + SIX + b"\r\n" + OLD,
    "byte order mark and a blank line": BOM + b"\n" + SIX + b"\n" + OLD,
    "blank lines": b"\n\n" + SIX + b"\n\r\n  \t\n" + OLD + b"\n\n\n",
    "blanks around": b"  \t" + SIX + b"  \n\t" + OLD + b" \t\r\n",
}


@pytest.mark.parametrize("text", WHOLE_FILES.values(), ids=WHOLE_FILES)
def test_forms_of_a_file(text: bytes) -> None:
    """Line ends of either kind, blank lines, blanks, a byte order mark and a missing last newline mean nothing."""
    batch = read_batch(io.BytesIO(text), HOSTS)
    assert faults(batch) == []
    assert batch.records == {"six": SIX_RECORD, "old": OLD_RECORD}


@pytest.mark.parametrize("text", [b"", b"\n", b"\r\n\r\n", b"   ", BOM], ids=ascii)
def test_file_without_lines(text: bytes) -> None:
    """A file that holds nothing holds no records, and nothing is wrong with it."""
    batch = read_batch(io.BytesIO(text), HOSTS)
    assert faults(batch) == []
    assert batch.records == {}


MALFORMED = {
    "text": b"six https://six.example.org/",
    "cut short": SIX[:-1],
    "two objects": SIX + SIX,
    "comma at the end": SIX + b",",
    "comment": b"# six",
    "single quotes": b"{'project': 'six'}",
    "duplicate keys": b'{"project": "six", "project": "seven", "target": "https://t.example.org/", "path": "keep"}',
    "duplicate rules": SIX[:-1] + b', "rules": {"a": null, "a": null}}',
    "NUL inside": SIX.replace(b"six", b"s\x00x", 1),
    "NUL alone": b"\x00",
    "NULs around": b"\x00" + SIX + b"\x00",
    "not UTF-8": SIX.replace(b"six", b"s\xefx", 1),
    "UTF-16": SIX.decode().encode("utf-16-le"),
    "NaN": SIX[:-1] + b', "status": NaN}',
    "half a surrogate pair": SIX.replace(b"six", rb"\ud800", 1),
    "deep": b"[" * 100_000,
    "huge number": b"1" * 10_000,
    "carriage returns alone": SIX + b"\r" + OLD,
    "control character": SIX.replace(b"six", b"s\x1bx", 1),
}


@pytest.mark.parametrize("line", MALFORMED.values(), ids=MALFORMED)
def test_malformed_line_is_refused_alone(line: bytes) -> None:
    """A line that is not one JSON value is refused with its number, and the lines around it go in."""
    batch = read(SIX, b"", line, OLD)
    assert faults(batch) == [(3, "", "malformed")]
    assert batch.records == {"six": SIX_RECORD, "old": OLD_RECORD}
    assert batch.refusals[0].errors[0].detail.isprintable()


@pytest.mark.parametrize("value", [b"[]", b"[1, 2]", b'"project_name"', b"1", b"1.5e3", b"true", b"null"])
def test_line_that_is_no_object_is_refused(value: bytes) -> None:
    """JSON that is no object is no record, whatever it holds."""
    batch = read(SIX, value, OLD)
    assert faults(batch) == [(2, "", "type")]
    assert list(batch.records) == ["six", "old"]


BAD_ROWS: dict[str, tuple[Any, set[tuple[str, str]]]] = {
    "empty object": ({}, {("/project", "missing"), ("/target", "missing"), ("/path", "missing")}),
    "name alone": ({"project_name": "a"}, {("/include_path", "missing"), ("/base_uri", "missing")}),
    "no name": (
        {"include_path": True, "base_uri": "https://t.example.org/"},
        {("/project_name", "missing")},
    ),
    "include_path is text": (
        {"project_name": "a", "include_path": "true", "base_uri": "https://t.example.org/"},
        {("/include_path", "type")},
    ),
    "include_path is a number": (
        {"project_name": "a", "include_path": 1, "base_uri": "https://t.example.org/"},
        {("/include_path", "type")},
    ),
    "include_path is null": (
        {"project_name": "a", "include_path": None, "base_uri": "https://t.example.org/"},
        {("/include_path", "type")},
    ),
    "unknown field": (
        {"project_name": "a", "include_path": True, "base_uri": "https://t.example.org/", "note": "x"},
        {("/note", "unknown-field")},
    ),
    "field of the other format": (
        {"project_name": "a", "include_path": True, "base_uri": "https://t.example.org/", "path": "keep"},
        {("/path", "unknown-field")},
    ),
    "field that needs escaping": (
        {"project_name": "a", "include_path": True, "base_uri": "https://t.example.org/", "a/b~c": 1},
        {("/a~1b~0c", "unknown-field")},
    ),
    "name is no text": (
        {"project_name": 6, "include_path": True, "base_uri": "https://t.example.org/"},
        {("/project_name", "type")},
    ),
    "name is not legal": (
        {"project_name": "-six", "include_path": True, "base_uri": "https://t.example.org/"},
        {("/project_name", "name")},
    ),
    "name is reserved": (
        {"project_name": "packages", "include_path": True, "base_uri": "https://t.example.org/"},
        {("/project_name", "name-reserved")},
    ),
    "target is null": ({"project_name": "a", "include_path": False, "base_uri": None}, {("/base_uri", "type")}),
    "target is relative": (
        {"project_name": "a", "include_path": False, "base_uri": "//t.example.org/"},
        {("/base_uri", "url-scheme")},
    ),
    "target is our own": (
        {"project_name": "a", "include_path": True, "base_uri": "https://pythonhosted.org/b"},
        {("/base_uri", "url-own-host")},
    ),
    "path appended to a page": (
        {"project_name": "a", "include_path": True, "base_uri": "https://t.example.org/index.html"},
        {("/base_uri", "base-page")},
    ),
    "everything at once": (
        {"project_name": "", "include_path": 0, "base_uri": "http://user@localhost:0/", "x": 1},
        {
            *(("/project_name", "name"), ("/include_path", "type"), ("/x", "unknown-field")),
            *(("/base_uri", "url-userinfo"), ("/base_uri", "url-localhost"), ("/base_uri", "url-port")),
        },
    ),
}


@pytest.mark.parametrize(("value", "expected"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_faults_of_a_line_point_into_it(value: object, expected: set[tuple[str, str]]) -> None:
    """All faults of a line are reported at once, each at the field of that line that it is in."""
    found = faults(read(SIX, json.dumps(value).encode(), OLD))
    assert {line for line, _, _ in found} == {2}
    assert {(pointer, code) for _, pointer, code in found} == expected
    assert len(found) == len(expected)


def test_line_that_is_too_long() -> None:
    """A line over the limit is refused by its number without being held, and the lines after it go in."""
    for length in (MAX_LINE + 1, MAX_LINE + 2, 2 * MAX_LINE, 3 * MAX_LINE + 7):
        batch = read(SIX, b"x" * length, OLD, b"x")
        assert faults(batch) == [(2, "", "line-too-long"), (4, "", "malformed")]
        assert list(batch.records) == ["six", "old"]
    assert faults(read_batch(io.BytesIO(SIX + b"\n" + b"x" * (MAX_LINE + 1)), HOSTS)) == [(2, "", "line-too-long")]


@pytest.mark.parametrize("end", [b"\n", b""], ids=["newline", "end of file"])
def test_longest_line_goes_in(end: bytes) -> None:
    """A line of just the limit is read."""
    batch = read(SIX + b" " * (MAX_LINE - len(SIX)), end=end)
    assert batch.records == {"six": SIX_RECORD}


def test_every_legal_record_fits_into_a_line() -> None:
    """The longest legal record goes in also when every character of it is escaped."""
    rules = {f"{number:03}/{'p' * 100}": f"https://t.example.org/{'q' * 300}" for number in range(290)}
    line = record_line("six", rules=rules)
    assert MAX_RECORD_BYTES * 0.9 < len(line) < MAX_RECORD_BYTES
    escaped = "".join(f'"{_escape(text)}"' if odd else text for odd, text in _by_quotes(line.decode()))
    batch = read(escaped.encode())
    assert faults(batch) == []
    assert batch.records["six"].rules == rules


def _by_quotes(text: str) -> list[tuple[bool, str]]:
    return [(number % 2 == 1, part) for number, part in enumerate(text.split('"'))]


def _escape(text: str) -> str:
    return "".join(f"\\u{ord(char):04x}" for char in text)


A, B, C = "https://a.example.org/", "https://b.example.org/", "https://c.example.org/"

CONFLICTS: dict[str, tuple[list[bytes], list[int]]] = {
    "two records": ([record_line("x", A), record_line("x", B)], [1, 2]),
    "two spellings": ([record_line("Foo.Bar", A), record_line("foo_bar", B)], [1, 2]),
    "two rows": ([row_line("Foo.Bar", A), row_line("foo-bar", B)], [1, 2]),
    "record and row": ([record_line("x", A), row_line("X", B)], [1, 2]),
    "another path": ([record_line("x", A), record_line("x", A, path="clean")], [1, 2]),
    "keep and root": ([row_line("x", A, True), row_line("X", A, False)], [1, 2]),
    "another status": ([record_line("x", A), record_line("x", A, status=302)], [1, 2]),
    "another state": ([record_line("x", A), record_line("x", A, state="gone")], [1, 2]),
    "another rule": ([record_line("x", A), record_line("x", A, rules={"a": "b"})], [1, 2]),
    "three targets": ([record_line("x", A), record_line("x", B), record_line("x", C)], [1, 2, 3]),
    "first said twice, at the end": ([record_line("x", A), record_line("x", B), record_line("x", A)], [1, 2, 3]),
    "first said twice, at the start": ([record_line("x", A), record_line("X", A), record_line("x", B)], [1, 2, 3]),
    "second said twice": ([record_line("x", A), record_line("x", B), record_line("x", B)], [1, 2, 3]),
    "others between": ([record_line("x", A), SIX, record_line("x", B), OLD], [1, 3]),
}


@pytest.mark.parametrize(("lines", "refused"), CONFLICTS.values(), ids=CONFLICTS)
def test_conflict_is_reported_not_chosen(lines: list[bytes], refused: list[int]) -> None:
    """Of names equal under PEP 503 with different redirects every line is reported, and none goes in."""
    batch = read(*lines)
    assert faults(batch) == [(line, "", "conflict") for line in refused]
    assert not {"x", "foo-bar"} & set(batch.records)
    assert len(batch.records) + batch.repeated + len(refused) == len(lines)


def test_conflict_names_the_other_lines() -> None:
    """Each line of a conflict says which others it is in conflict with, and of which project."""
    batch = read(SIX, row_line("Foo.Bar", A), row_line("foo-bar", B))
    details = {refusal.line: refusal.errors[0].detail for refusal in batch.refusals}
    assert "3" in details[2]
    assert "2" in details[3]
    assert all("foo-bar" in detail for detail in details.values())


SAME: dict[str, list[bytes]] = {
    "the same line": [record_line("Foo.Bar", A), record_line("Foo.Bar", A)],
    "two spellings": [row_line("Foo.Bar", A), row_line("foo-bar", A), row_line("FOO_BAR", A)],
    "record and row": [record_line("Foo.Bar", A), row_line("foo-bar", A)],
    "the same in normal form": [row_line("Foo.Bar", "https://A.example.org"), row_line("foo.bar", A)],
    "defaults said and unsaid": [record_line("Foo.Bar", A), record_line("foo.bar", A, status=301, state="active")],
    "rules in another order": [
        record_line("Foo.Bar", A, rules={"a": "b", "c": None}),
        record_line("foo.bar", A, rules={"c": None, "a": "b"}),
    ],
}


@pytest.mark.parametrize("lines", SAME.values(), ids=SAME)
def test_spellings_with_one_target_are_one_record(lines: list[bytes]) -> None:
    """Lines that say the same of one project are one record, spelled as the first one spells it."""
    batch = read(SIX, *lines)
    assert faults(batch) == []
    assert list(batch.records) == ["six", "foo-bar"]
    assert batch.records["foo-bar"].project == "Foo.Bar"
    assert batch.repeated == len(lines) - 1


def test_refused_line_is_in_no_conflict() -> None:
    """A line that is refused for itself does not take the good line of the same project down with it."""
    batch = read(record_line("x", "https://localhost/"), record_line("x", A))
    assert faults(batch) == [(1, "/target", "url-localhost")]
    assert batch.records["x"].target == A


def test_plain_http_is_a_warning() -> None:
    """A target that is plain http goes in, with a warning at its line and field."""
    batch = read(SIX, row_line("x", "http://x.example.org/"))
    assert list(batch.records) == ["six", "x"]
    assert [(warning.line, warning.errors[0].code) for warning in batch.warnings] == [(2, "plain-http")]
    assert [warning.errors[0].pointer for warning in batch.warnings] == ["/base_uri"]


def test_own_hosts_are_those_of_the_settings() -> None:
    """A target at a host that the settings add is refused like the legacy hosts."""
    batch = read_batch(io.BytesIO(SIX), HostRules.of(["six.example.org"]))
    assert faults(batch) == [(1, "/target", "url-own-host")]


UNKNOWN: dict[str, Any] = {f"x{number}": 1 for number in range(1_000)}
BAD_RULES = {f"/{number}?": "/" for number in range(1_000)}
FULL_OF_FAULTS = {
    "rules": record_line("x", rules=BAD_RULES),
    "fields": record_line("x", **UNKNOWN),
    "fields of a row": row_line("x", A, **UNKNOWN),
}


@pytest.mark.parametrize("line", FULL_OF_FAULTS.values(), ids=FULL_OF_FAULTS)
def test_a_line_full_of_faults_lists_the_first(line: bytes) -> None:
    """A hundred, and how many more there are; of the line after it as if it stood alone."""
    batch = read(line, record_line("x", "https://localhost/"))
    assert [len(refusal.errors) for refusal in batch.refusals] == [MAX_FAULTS + 1, 1]
    assert batch.refusals[0].errors[-1].code == "more-faults"
    assert " 900 more" in batch.refusals[0].errors[-1].detail or " 2900 more" in batch.refusals[0].errors[-1].detail


@pytest.mark.parametrize("line", FULL_OF_FAULTS.values(), ids=FULL_OF_FAULTS)
def test_a_file_full_of_faults_lists_so_many(line: bytes) -> None:
    """Lines are listed with their faults until these come to the limit; the others are counted, and good ones go in."""
    bad = MAX_LISTED // MAX_FAULTS + 5
    text = b"\n".join([*[line] * bad, SIX])
    tracemalloc.start()
    try:
        batch = read_batch(io.BytesIO(text), HOSTS)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert MAX_LISTED - MAX_FAULTS <= sum(len(refusal.errors) for refusal in batch.refusals) <= MAX_LISTED
    assert [refusal.line for refusal in batch.refusals] == list(range(1, len(batch.refusals) + 1))
    assert len(batch.refusals) + batch.unlisted == bad
    assert batch.unlisted > 0
    assert list(batch.records) == ["six"]
    assert peak < 12_000_000


def test_conflicts_and_warnings_are_listed_up_to_the_limit_too() -> None:
    """A file may hold nothing else, and reading it takes a time that grows with its length alone."""
    plain = {f"{number}": "http://t.example.org/" for number in range(1_000)}
    warned = [record_line(f"y{number}", rules=plain) for number in range(MAX_LISTED // 1_000 + 1)]
    begin = time.process_time()
    batch = read(*[record_line("x", A), record_line("x", B)] * MAX_LISTED, *warned)
    assert time.process_time() - begin < 10
    assert (len(batch.refusals), batch.unlisted) == (MAX_LISTED, MAX_LISTED)
    assert sum(len(warning.errors) for warning in batch.warnings) == MAX_LISTED
    assert len(batch.records) == len(warned)
