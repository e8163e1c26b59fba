"""Percent-encoding: the one normal form of a path and of a query."""

import pytest

from docsredirect.domain.escapes import (
    collapse_slashes,
    has_control,
    has_dot_segment,
    normalise_path,
    normalise_query,
    utf8,
)
from tests.domain.cases import title

UNRESERVED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
RAW_IN_PATH = UNRESERVED + "!$&'()*+,;=:@/"
RAW_IN_QUERY = RAW_IN_PATH + "?"


@pytest.mark.parametrize("byte", range(256), ids=lambda byte: f"{byte:02X}")
def test_escape(byte: int) -> None:
    """An escaped unreserved character is decoded, and any other keeps its escape, in upper case."""
    normal = chr(byte) if chr(byte) in UNRESERVED else f"%{byte:02X}"
    for spelling in (f"%{byte:02X}", f"%{byte:02x}"):
        assert normalise_path(spelling) == normalise_query(spelling) == normal


@pytest.mark.parametrize("code", range(128), ids=lambda code: f"{code:02X}")
def test_raw_character(code: int) -> None:
    """A raw character stands where RFC 3986 lets it stand, and is escaped where not."""
    char, escaped = chr(code), f"%{code:02X}"
    assert normalise_path(char) == (char if char in RAW_IN_PATH else escaped)
    assert normalise_query(char) == (char if char in RAW_IN_QUERY else escaped)


NORMAL = [
    ("", ""),
    ("caf\u00e9", "caf%C3%A9"),
    ("\u4e2d", "%E4%B8%AD"),
    ("\U0001f600", "%F0%9F%98%80"),
    ("\udcff", "%FF"),
    ("\ud800", "%ED%A0%80"),
    ("\udc0a", "%ED%B0%8A"),
    ("\ud83d\ude00", "%ED%A0%BD%ED%B8%80"),
    ("%", "%25"),
    ("%%", "%25%25"),
    ("%a", "%25a"),
    ("%zz", "%25zz"),
    ("%%41", "%25A"),
    ("%4%31", "%2541"),
    ("%\uff14\uff11", "%25%EF%BC%94%EF%BC%91"),
    ("%u0041", "%25u0041"),
    ("%2525", "%2525"),
    ("%252e", "%252e"),
    ("a/b//c/", "a/b//c/"),
    ("%2f%5c%3f%23%25", "%2F%5C%3F%23%25"),
]


@pytest.mark.parametrize(("text", "normal"), NORMAL, ids=[title(row[0]) for row in NORMAL])
def test_normal_form(text: str, normal: str) -> None:
    """Text has one normal form, which is its own: nothing is decoded twice."""
    for normalise in (normalise_path, normalise_query):
        assert normalise(text) == normal
        assert normalise(normal) == normal


@pytest.mark.parametrize(
    ("path", "collapsed"),
    [("", ""), ("/", "/"), ("//", "/"), ("a", "a"), ("a//b///c", "a/b/c"), ("a/%2F/b", "a/%2F/b"), ("\\\\", "\\\\")],
)
def test_collapsed_slashes(path: str, collapsed: str) -> None:
    """A run of slashes is one slash; escaped ones and backslashes are none."""
    assert collapse_slashes(path) == collapsed


@pytest.mark.parametrize("code", range(256), ids=lambda code: f"{code:02X}")
def test_control_characters(code: int) -> None:
    """The ASCII control characters are found raw and escaped, and nothing else is taken for one."""
    control = code < 0x20 or code == 0x7F
    assert has_control(f"a%{code:02x}b") is control
    assert has_control(f"a%{code:02X}b") is control
    assert has_control(f"a{chr(code)}b") is control
    assert not has_control(f"a%25{code:02x}b")


@pytest.mark.parametrize(
    "path", [".", "..", "/.", "/..", "a/.", "./a", "a/../b", "a%2F..", "..%5Ca", "%2F.%2F", "a%5C.%2Fb", "a/..%2F"]
)
def test_dot_segments(path: str) -> None:
    """A ``.`` or ``..`` between slashes, escaped slashes, escaped backslashes or the ends is a dot segment."""
    assert has_dot_segment(path)


@pytest.mark.parametrize(
    "path",
    ["", "/", "...", "a.", ".a", "a..b", "a/...", ".a/b.", "a%252F..b", "%252F..%252F", "..%20", "a.%2F", "%2Fa."],
)
def test_no_dot_segments(path: str) -> None:
    """Dots with anything else in their segment are none."""
    assert not has_dot_segment(path)


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("a", b"a"),
        ("\u00e9", b"\xc3\xa9"),
        ("\udcff", b"\xff"),
        ("\ud800", b"\xed\xa0\x80"),
        ("\udc41", b"\xed\xb1\x81"),
    ],
    ids=title,
)
def test_utf8(text: str, encoded: bytes) -> None:
    """Any text has bytes: those that a reader has smuggled in come out as they were."""
    assert utf8(text) == encoded
