"""The decision: what a legacy URL answers. One pure function, which every face, check and benchmark calls.

`resolve` never raises, whatever the text, and its cost is linear in the length of the request: over 8 KiB it does
not look at all, a name is at most 128 characters, and a path is walked once.
"""

import re
from collections.abc import Callable
from enum import Enum
from typing import Final, NamedTuple

from docsredirect.domain import escapes, names, reserved
from docsredirect.domain.hosts import HostRules, host_of
from docsredirect.domain.reserved import Page
from docsredirect.domain.routes import Route

MAX_REQUEST = 8 * 1024
"""The longest path and query together, in bytes."""

MAX_LOCATION = 8_000
"""The longest `Location` in bytes. Browsers and proxies begin to refuse at 8 KiB for a header line."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_PROSE = frozenset(".,;:!)'")
_PROSE_ESCAPED = frozenset({"%2C", "%3B", "%3A", "%21", "%29", "%5D", "%7D", "%3E", "%27", "%22"})


class Lookup(Enum):
    """What a table says of a name for which it has no route."""

    UNKNOWN = "unknown"
    """The table cannot say. Never the same as absent, which is None."""

    DENIED = "denied"
    """The operators have withdrawn it, whatever the table says."""


UNKNOWN: Final = Lookup.UNKNOWN
DENIED: Final = Lookup.DENIED

Find = Callable[[str], Route | Lookup | None]
"""A table as the decision sees it: a normalised name to its route, to None for absent, to `UNKNOWN` or `DENIED`."""


class Answer(NamedTuple):
    """What a legacy URL answers."""

    status: int
    location: str | None = None
    rule: str | None = None
    """The `from` of the rule that said so, ``"path"`` for the path policy, or None where no rule was asked."""
    name: str | None = None
    """The normalised name last looked up, or None where none was."""
    page: Page | None = None
    """The service's own page at this path, if it is one. The status is then what it answers where it stands alone."""


class Denial(Answer):
    """410 because the operators say so, whatever the table says. Nothing may keep it."""

    __slots__ = ()


class Asked(NamedTuple):
    """A URL taken apart: the host as it is compared (None: a path alone was given), the raw path and the raw query."""

    host: str | None
    path: str
    query: str


_TOO_LONG = Answer(414)
_NOT_FOUND = Answer(404)
_BAD_REQUEST = Answer(400)
_MISDIRECTED = Answer(421)
_RESERVED = {page: Answer(200 if page in (Page.HOME, Page.ROBOTS, Page.SITEMAP) else 404, page=page) for page in Page}


def split_target(target: str) -> tuple[str, str]:
    """Split a request target in origin form into its raw path and raw query. A fragment is left out."""
    path, _, query = target.partition("#")[0].partition("?")
    return path, query


def resolve(find: Find, path: str, query: str = "") -> Answer:
    """Return what the raw `path` and the raw `query` (without its ``?``), as sent, answer with the table `find`.

    The status is 301, 302, 307 or 308 with an absolute `location`; 410; 404; 414; 503 where the table cannot say;
    or that of the service's own page.
    """
    if _length(path) + _length(query) > MAX_REQUEST:
        return _TOO_LONG
    normal = normal_path(path)
    if normal is None:
        return _NOT_FOUND
    page = reserved.page_at(normal)
    if page is not None:
        return _RESERVED[page]
    segment, _, rest = normal[1:].partition("/")
    name = names.normalise(segment) or names.normalise(strip_prose(segment))
    if name is None:
        return _NOT_FOUND
    route = find(name)
    if isinstance(route, Route):
        return _follow(route, rest, query, name)
    if route is DENIED:
        return Denial(410, name=name)
    return Answer(404 if route is None else 503, name=name)


def resolve_url(find: Find, url: str, hosts: HostRules) -> Answer:
    """Return what a whole URL answers, as people write it: with a scheme, without one, or, with a leading ``/``,
    a path alone. A host that is not served answers 421, and what is no http(s) URL 400.
    """
    asked = take_apart(url)
    if asked is None:
        return _BAD_REQUEST
    host, path, query = asked
    if host is None or hosts.serves(host):
        return resolve(find, path, query)
    return _TOO_LONG if _length(path) + _length(query) > MAX_REQUEST else _MISDIRECTED


def take_apart(url: str) -> Asked | None:
    """Take a URL apart, as people write it, or return None where it is no http(s) URL."""
    if url.startswith("/"):
        return Asked(None, *split_target(url))
    match = _SCHEME.match(url)
    if match is not None and match.group(1).lower() not in ("http", "https"):
        return None
    after = url[match.end() :] if match is not None else url
    # A browser takes a backslash here for a slash: what stands behind it is no part of the host.
    end = min((at for mark in "/\\?#" if (at := after.find(mark)) >= 0), default=len(after))
    userinfo, _, authority = after[:end].rpartition("@")
    host = host_of(authority)
    if not host or (userinfo and match is None):
        return None
    target = after[end:]
    return Asked(host, *split_target(target if target.startswith("/") else "/" + target))


def normal_path(path: str) -> str | None:
    """Return `path` in normal form, or None where nothing may be found at it."""
    if escapes.has_control(path):
        return None
    normal = escapes.collapse_slashes(escapes.normalise_path("/" + path))
    return None if escapes.has_dot_segment(normal) else normal


def strip_prose(segment: str) -> str:
    """Return a path segment in normal form without the punctuation that prose leaves behind a link."""
    end = len(segment)
    while end:
        if segment[end - 1] in _PROSE:
            end -= 1
        elif segment[max(end - 3, 0) : end] in _PROSE_ESCAPED:
            end -= 3
        else:
            break
    return segment[:end]


def _length(text: str) -> int:
    return len(text) if text.isascii() else len(escapes.utf8(text))


def _follow(route: Route, rest: str, query: str, name: str) -> Answer:
    if route.gone:
        return Answer(410, name=name)
    rule, carried = route.match(rest)
    if rule.destination is None:
        return Answer(410, rule=rule.source, name=name)
    location = rule.destination.location(carried, escapes.normalise_query(query))
    if len(location) > MAX_LOCATION:
        return _TOO_LONG
    return Answer(route.status, location, rule.source, name)
