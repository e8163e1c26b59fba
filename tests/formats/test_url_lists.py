"""Reading URLs from lists and logs: every form of a line, and none that is lost without a word."""

import io
import tracemalloc

import pytest

from docsredirect.domain.hosts import HostRules
from docsredirect.domain.legacy_urls import LegacyUrl
from docsredirect.formats import url_counts
from docsredirect.formats.url_counts import UrlCounts
from docsredirect.formats.url_lists import MAX_LINE, NoUrl, read_urls

SIX = "https://pythonhosted.org/six/"
TIME = "[10/Oct/2026:13:55:36 +0000]"


def read(text: bytes, *schemes: str, hosts: HostRules | None = None) -> list[LegacyUrl | NoUrl]:
    """Read a file that holds `text`."""
    return list(read_urls(io.BytesIO(text), hosts or HostRules.of(), schemes or ("https",)))


LINES = [
    (SIX, SIX),
    ("  /six/\t", SIX),
    ("pythonhosted.org/six/", SIX),
    ("http://packages.python.org/six", "http://packages.python.org/six"),
    ('{"url": "https://pythonhosted.org/six/", "count": 3}', SIX),
    ('{"url": " /six/caf\\u00e9 "}', SIX + "caf%C3%A9"),
    (f'192.0.2.1 - - {TIME} "GET /six/ HTTP/1.1" 302 0', SIX),
    (f'192.0.2.1 - - {TIME} "HEAD /six/ HTTP/2.0" 302 0 "-" "curl/8"', SIX),
    (f'2001:db8::1 - alice {TIME} "GET /six/ HTTP/1.0" 302 - "https://x.org/?a=[b]" "A \\"quoted\\" agent"', SIX),
    (f'192.0.2.1 - alice smith {TIME} "GET /six/ HTTP/1.1" 302 0', SIX),
    (f'192.0.2.1 - - {TIME} "GET /six/" 302 0', SIX),
    (f'packages.python.org:80 192.0.2.1 - - {TIME} "GET /six HTTP/1.1" 302 0', "https://packages.python.org/six"),
    (f'192.0.2.1 - - {TIME} "GET http://www.pythonhosted.org/six/ HTTP/1.1" 302 0', "http://www.pythonhosted.org/six/"),
    (f'192.0.2.1 - - {TIME} "GET /six/a%2fb?q=%7E#f HTTP/1.1" 302 0', SIX + "a%2fb?q=%7E"),
    (f'192.0.2.1 - - {TIME} "GET /six/a b HTTP/1.1" 400 0', SIX + "a%20b"),
    (f'192.0.2.1 - - {TIME} "GET /six/\\xC3\\xA9\\x22\\\\\\"\\t HTTP/1.1" 302 0', SIX + '%C3%A9"\\"%09'),
]


@pytest.mark.parametrize(("line", "url"), LINES)
def test_each_form_of_a_line(line: str, url: str) -> None:
    """Whole URLs, scheme-less ones and paths; a field of JSON; the request of an access log, raw as it was sent."""
    assert list(map(str, read(line.encode() + b"\n"))) == [url]


REFUSED = [
    ("hello world", "no http(s) URL"),
    ("# a comment", "no http(s) URL"),
    ("ftp://pythonhosted.org/six/", "no http(s) URL"),
    ("https://example.org/six/", "'example.org' is no host of ours."),
    ('{"url": 1}', "no text `url`"),
    ('{"link": "/six/"}', "no text `url`"),
    ('{"url": "/six/"', "Not JSON"),
    (f'192.0.2.1 - - {TIME} "-" 408 0', "'-' is none"),
    (f'192.0.2.1 - - {TIME} "\\x16\\x03\\x01" 400 0', "is none"),
    (f'192.0.2.1 - - {TIME} "POST /six/ HTTP/1.1" 405 0', "is a POST"),
    (f'192.0.2.1 - - {TIME} "GET * HTTP/1.1" 400 0', "'*' is no"),
    (f'docs.example.org:443 192.0.2.1 - - {TIME} "GET /six/ HTTP/1.1" 200 0', "'docs.example.org' is no host of ours."),
    ("/six/" + "x" * MAX_LINE, f"longer than {MAX_LINE} bytes"),
]


@pytest.mark.parametrize(("line", "why"), REFUSED)
def test_a_line_without_a_url_of_ours_is_told_of(line: str, why: str) -> None:
    """It is given back with its number and the reason, and what comes after it is read."""
    first, refused, last = read(f"/a\n\n{line}\n/b\n".encode())
    assert (str(first), str(last)) == ("https://pythonhosted.org/a", "https://pythonhosted.org/b")
    assert isinstance(refused, NoUrl)
    assert refused.line == 3
    assert why in refused.why
    assert len(refused.why) < 200


def test_bytes_that_are_no_text_are_sent_as_they_are() -> None:
    """A list may hold bytes of any encoding: each is escaped, and so are half a line's end and a byte order mark."""
    assert list(map(str, read(b"\xef\xbb\xbf/six/\xe9\r\n/six/x"))) == [SIX + "%E9", SIX + "x"]


def test_urls_without_a_scheme_have_each_that_is_asked_for() -> None:
    """A log tells no scheme; what has one is asked once."""
    assert list(map(str, read(b"/six\nhttps://pythonhosted.org/six\n", "http", "https"))) == [
        "http://pythonhosted.org/six",
        "https://pythonhosted.org/six",
        "https://pythonhosted.org/six",
    ]


def test_settings_say_which_hosts_are_ours() -> None:
    """A host that the settings add is ours here too, and ``*`` makes any."""
    assert list(map(str, read(b"docs.example.org/six\n", hosts=HostRules.of(["docs.example.org"])))) == [
        "https://docs.example.org/six"
    ]
    assert list(map(str, read(b"any.example/six\n", hosts=HostRules.of(["*"])))) == ["https://any.example/six"]


def test_urls_are_counted_in_the_order_in_which_they_were_first_seen() -> None:
    """Each distinct URL is there once, with how often it was; spelled otherwise, it is another."""
    urls = [LegacyUrl("https", "pythonhosted.org", target) for target in ("/b", "/a", "/b", "/A", "/b")]
    with UrlCounts() as counts:
        for url in urls:
            counts.add(url)
        counts.finish()
        assert counts.distinct == 3
        assert [(url.target, count) for url, count in counts] == [("/b", 3), ("/a", 1), ("/A", 1)]


def test_a_long_log_does_not_take_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Distinct URLs go to a file once there are some thousands, and their counts go on there."""
    monkeypatch.setattr(url_counts, "_HELD", 2_000)
    tracemalloc.start()
    with UrlCounts() as counts:
        for number in range(60_000):
            counts.add(LegacyUrl("https", "pythonhosted.org", f"/project-{number % 30_000}/{'x' * 60}.html"))
        counts.finish()
        assert counts.distinct == 30_000
        assert {count for _, count in counts} == {2}
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * 1024 * 1024  # in memory they take 9
