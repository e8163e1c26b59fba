"""Places: which are the same, which lie below another, and what decoding makes equal."""

import pytest

from docsredirect.domain.places import decoded, is_below, place_of

SAME = [
    ("https://s.org", "https://s.org/"),
    ("HTTPS://S.org:443/x", "https://s.org/x"),
    ("http://s.org:80/x?", "http://s.org/x"),
    ("https://s.org/%7e%2f", "https://s.org/~%2F"),
    ("https://s.org/caf\u00e9", "https://s.org/caf%C3%A9"),
    ("https://s.org/x#", "https://s.org/x"),
]
DIFFERENT = [
    ("https://s.org/x", "https://s.org/x/"),
    ("https://s.org/x", "http://s.org/x"),
    ("https://s.org/x", "https://s.org:80/x"),
    ("https://s.org/a%2Fb", "https://s.org/a/b"),
    ("https://s.org/x?a", "https://s.org/x?b"),
    ("https://s.org/x#a", "https://s.org/x#b"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_equivalent_urls_are_one_place(one: str, other: str) -> None:
    """Case of scheme and host, a default port, an empty path and the form of escapes make no difference."""
    assert place_of(one) == place_of(other) is not None


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_other_urls_are_other_places(one: str, other: str) -> None:
    """Anything else does."""
    assert place_of(one) != place_of(other)


@pytest.mark.parametrize("location", ["", "/x", "//s.org/", "s.org/x", "ftp://s.org/", "https:///x", "javascript:1"])
def test_what_is_no_absolute_http_url_is_no_place(location: str) -> None:
    """A reader's browser would make something of it that nobody has written."""
    assert place_of(location) is None


BELOW = [
    ("https://s.org/en/x", "https://s.org/en/", True),
    ("https://s.org/en/x", "https://s.org/en", True),
    ("https://www.s.org/x", "http://s.org/", True),
    ("https://s.org/en/", "https://s.org/en", False),
    ("https://s.org/en/", "https://s.org/en/", False),
    ("https://s.org/english", "https://s.org/en", False),
    ("https://t.org/en/x", "https://s.org/en/", False),
    ("https://s.org/", "https://s.org/en/", False),
]


@pytest.mark.parametrize(("inner", "outer", "is_so"), BELOW)
def test_below_is_deeper_on_the_same_site(inner: str, outer: str, is_so: bool) -> None:
    """By whole segments, with or without ``www.`` and https."""
    inside, outside = place_of(inner), place_of(outer)
    assert inside is not None
    assert outside is not None
    assert is_below(inside, outside) is is_so


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a%2Fb", b"a/b"), ("a%252Fb", b"a/b"), ("%", b"%"), ("%zz%4", b"%zz%4"), ("caf\u00e9", "caf\u00e9".encode())],
)
def test_decoding_takes_every_layer_off(text: str, expected: bytes) -> None:
    """Escapes of escapes too; what is no escape stays."""
    assert decoded(text) == expected
