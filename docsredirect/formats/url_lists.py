"""Reading legacy URLs from lists and logs, line by line: one URL a line, JSON Lines with a ``"url"``, or access logs.

An access log is in the Common or Combined Log Format of Apache httpd and nginx, with or without the virtual host in
front. A line that holds no URL of ours is given back with the reason, and the rest goes on.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Final, NamedTuple

from docsredirect.domain import json_text
from docsredirect.domain.errors import MalformedText, shorten
from docsredirect.domain.hosts import HostRules
from docsredirect.domain.legacy_urls import LegacyUrl, parse_url
from docsredirect.formats.numbered import numbered

MAX_LINE = 64 * 1024
"""The longest line in bytes. A URL of over 8 KiB is answered with 414 wherever it is asked."""

_LOG = re.compile(r'([^"\[]+) \[[^\]]*\] "((?:[^"\\]|\\.)*)" [0-9-]{1,3}(?: |\Z)')
_REQUEST = re.compile(r"([A-Z]+) (.+?)(?: HTTP/[0-9.]+)?", re.DOTALL)
_LOG_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|(.))")
_LOG_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "v": "\v", "b": "\b", "f": "\f"}
_FOLLOWED: Final = ("GET", "HEAD")
_NO_IDENT: Final = "-"


class NoUrl(NamedTuple):
    """A line that holds no URL of ours, and why."""

    line: int
    why: str


class _Refused(Exception):
    """Why a line holds no URL of ours."""


def read_urls(file: IO[bytes], hosts: HostRules, schemes: Sequence[str]) -> Iterator[LegacyUrl | NoUrl]:
    """Yield the URL of each line that is not blank, or why there is none. One without a scheme has each of `schemes`.

    Holds one line at a time, of at most `MAX_LINE` bytes.
    """
    for number, line in numbered(file, MAX_LINE):
        try:
            text = None if line is None else line.decode("utf-8", "surrogateescape")
            yield from _ours(_text_of(text), hosts, schemes)
        except _Refused as refused:
            yield NoUrl(number, str(refused))


def _ours(text: str, hosts: HostRules, schemes: Sequence[str]) -> Iterable[LegacyUrl]:
    found: dict[LegacyUrl, None] = {}
    for scheme in schemes:
        url = parse_url(text, scheme)
        if url is None:
            raise _Refused(f"{shorten(text)} is no http(s) URL and no path.")
        if not hosts.serves(url.host):
            raise _Refused(f"{shorten(url.host)} is no host of ours.")
        found[url] = None
    return found


def _text_of(line: str | None) -> str:
    """Return the URL in a line as it stands there."""
    if line is None:
        raise _Refused(f"The line is longer than {MAX_LINE} bytes.")
    if line.startswith("{"):
        return _in_json(line)
    match = _LOG.match(line)
    return line if match is None else _in_log(match.group(1).split(" "), match.group(2))


def _in_json(line: str) -> str:
    try:
        value = json_text.loads(line.encode("utf-8", "surrogateescape"))
    except MalformedText as error:
        raise _Refused(str(error)) from error
    url = value.get("url")
    if not isinstance(url, str):
        raise _Refused("The object has no text `url`.")
    return url.strip()


def _in_log(who: list[str], request: str) -> str:
    """Return the URL of a logged request. `who` is what stands in front of its time."""
    match = _REQUEST.fullmatch(_LOG_ESCAPE.sub(_unescaped, request))
    if match is None:
        raise _Refused(f"The request {shorten(request)} is none.")
    method, target = match.groups()
    if method not in _FOLLOWED:
        raise _Refused(f"The request is a {method}. Links are followed with {' or '.join(_FOLLOWED)}.")
    if not target.startswith("/"):
        return target
    # The client's address is followed by its identity, which nobody has; so a fourth field is the virtual host.
    is_virtual = len(who) > 3 and who[1] != _NO_IDENT
    return f"{who[0]}{target}" if is_virtual else target


def _unescaped(match: re.Match[str]) -> str:
    """Return the byte or character that a web server has escaped in its log."""
    code, char = match.groups()
    if code is None:
        return _LOG_ESCAPES.get(char, char)
    return bytes((int(code, 16),)).decode("utf-8", "surrogateescape")
