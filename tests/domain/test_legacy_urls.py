"""Legacy URLs as people write them, and the request line and Host that are made of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docsredirect.domain.legacy_urls import LegacyUrl, parse_url

ORG = "pythonhosted.org"

URLS = [
    ("https://pythonhosted.org/six/", ("https", ORG, "/six/")),
    ("http://pythonhosted.org/six/", ("http", ORG, "/six/")),
    ("HTTP://PythonHosted.org.:80/six", ("http", ORG, "/six")),
    ("http://packages.python.org", ("http", "packages.python.org", "/")),
    ("pythonhosted.org/six", ("https", ORG, "/six")),
    ("/six", ("https", ORG, "/six")),
    ("//six//x", ("https", ORG, "//six//x")),
    ("/six/x?q=1#f", ("https", ORG, "/six/x?q=1")),
    ("/six/x?", ("https", ORG, "/six/x?")),
    ("/six/x#f?", ("https", ORG, "/six/x")),
    ("https://pythonhosted.org?q", ("https", ORG, "/?q")),
    ("/six/%7ex%2f%%zz?a=%2B+b", ("https", ORG, "/six/%7ex%2f%%zz?a=%2B+b")),
    ('/six/a"<>\\^`{|}[]', ("https", ORG, '/six/a"<>\\^`{|}[]')),
    ("/six/../x/./", ("https", ORG, "/six/../x/./")),
    ("/http://x/", ("https", ORG, "/http://x/")),
    ("/six/a b", ("https", ORG, "/six/a%20b")),
    ("/six/caf\u00e9?\u00e9", ("https", ORG, "/six/caf%C3%A9?%C3%A9")),
    ("/six/\r\n\x00", ("https", ORG, "/six/%0D%0A%00")),
    ("/six/\udce9", ("https", ORG, "/six/%E9")),
    ("ftp://pythonhosted.org/", None),
    ("", None),
    ("no url", None),
    ("# six", None),
]


@pytest.mark.parametrize(("text", "expected"), URLS)
def test_a_url_is_kept_as_it_is(text: str, expected: tuple[str, str, str] | None) -> None:
    """Path and query stay as they are written; only what no request line can hold is escaped."""
    assert parse_url(text) == (None if expected is None else LegacyUrl(*expected))


def test_a_url_without_a_scheme_has_the_one_that_is_given() -> None:
    """A log knows no schemes; a URL that has one keeps it."""
    assert [
        str(parse_url(text, "http")) for text in ("/six", "pythonhosted.org/six", "https://pythonhosted.org/six")
    ] == [
        "http://pythonhosted.org/six",
        "http://pythonhosted.org/six",
        "https://pythonhosted.org/six",
    ]


def test_path_and_query_are_parted() -> None:
    """The decision takes them apart."""
    url = parse_url("/six/x?a?b#c")
    assert url is not None
    assert (url.path, url.query) == ("/six/x", "a?b")


@given(st.text())
def test_whatever_is_taken_can_stand_in_a_request_line(text: str) -> None:
    """Any path is a URL whose target is visible ASCII and begins with a slash; written out and read, it is the same."""
    url = parse_url("/" + text)
    assert url is not None
    assert url.target.startswith("/")
    assert all("!" <= char <= "~" for char in url.target)
    assert parse_url(str(url)) == url
