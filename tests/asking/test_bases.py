"""Where URLs are asked for: the addresses of a side, and what of a URL goes to which."""

import pytest

from docsredirect.asking.bases import parse_base, parse_bases
from docsredirect.domain.legacy_urls import LegacyUrl

BASES = [
    ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
    ("http://edge", "http://edge"),
    ("https://pythonhosted.org/", "https://pythonhosted.org"),
    ("https://PythonHosted.org:443", "https://pythonhosted.org"),
    ("http://[::1]:80", "http://[::1]"),
    ("http://x:443", "http://x:443"),
]


@pytest.mark.parametrize(("text", "base"), BASES)
def test_a_base(text: str, base: str) -> None:
    """A scheme and a host, and a port where it is not the scheme's own."""
    assert str(parse_base(text)) == base


NO_BASES = [
    "",
    "pythonhosted.org",
    "ftp://x",
    "https://x/path",
    "https://x?q",
    "https://u:p@x",
    "http://x:0",
    "http://x:99999",
    "http:// ",
]


@pytest.mark.parametrize("text", NO_BASES)
def test_what_is_no_base_is_refused_with_a_sentence(text: str) -> None:
    """It says what would be accepted."""
    with pytest.raises(ValueError, match=r"(Give http:// or https://|Ports are 1 to 65535|has a path)"):
        parse_base(text)


@pytest.mark.parametrize("text", ["http://a/x", "https://a:8443/x/", "http://a/?q"])
def test_a_path_is_named_as_the_fault(text: str) -> None:
    """The host is right, and the sentence does not ask for one."""
    with pytest.raises(ValueError, match="has a path"):
        parse_base(text)


def test_one_base_gets_all_urls_and_is_told_their_scheme() -> None:
    """The connection does not say how the reader came, so a header does; `Host` is the URL's own."""
    bases = parse_bases(["http://127.0.0.1:8080"])
    for scheme in ("http", "https"):
        url = LegacyUrl(scheme, "packages.python.org", "/six")
        assert str(bases.request_url(url)) == "http://127.0.0.1:8080/six"
        assert bases.headers(url) == {"Host": "packages.python.org", "X-Forwarded-Proto": scheme}


def test_of_two_bases_each_gets_the_urls_of_its_scheme() -> None:
    """They are told nothing more: the connection says it."""
    bases = parse_bases(["https://cdn.example.org", "http://cdn.example.org"])
    for scheme in ("http", "https"):
        url = LegacyUrl(scheme, "pythonhosted.org", "/six")
        assert str(bases.request_url(url)) == f"{scheme}://cdn.example.org/six"
        assert bases.headers(url) == {"Host": "pythonhosted.org"}


@pytest.mark.parametrize("texts", [["http://a", "http://b"], ["http://a", "https://a", "http://b"]])
def test_two_bases_of_one_scheme_are_refused(texts: list[str]) -> None:
    """Nobody could say which of them a URL is meant for."""
    with pytest.raises(ValueError, match="one of http and one of https"):
        parse_bases(texts)
