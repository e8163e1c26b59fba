"""What a request must be before it is looked at: the checks that come before the decision, in their order.

Everything here works on the bytes of the request line as they were sent. aiohttp's decoded forms are not used: no
redirect may ever be made from a decoded path.
"""

import re
from typing import NamedTuple

from aiohttp import HttpVersion10, HttpVersion11, hdrs
from aiohttp.web import BaseRequest

from docsredirect.domain.hosts import HostRules, host_of
from docsredirect.domain.resolve import split_target

ALLOWED_METHODS = ("GET", "HEAD")
_VERSIONS = (HttpVersion10, HttpVersion11)
_HEALTH_PREFIX = "/-/health/"
_VISIBLE = re.compile(r"[!-~]+")
_ABSOLUTE = re.compile(r"https?://([^/?#]*)(.*)", re.IGNORECASE)


class Target(NamedTuple):
    """What a request asks for: a host as it is compared, the raw path and the raw query."""

    host: str
    path: str
    query: str


def read_target(request: BaseRequest) -> Target | None:
    """Return what `request` asks for, or None where it is malformed (400): RFC 9112, sections 3.2 and 3.3.

    An authority in the request line beats ``Host``, which must be there exactly once all the same. A body has no
    meaning on GET and HEAD, and is where request smuggling begins, so it is refused.
    """
    raw = request.raw_path
    hosts = request.headers.getall(hdrs.HOST, [])
    if len(hosts) != 1 or not _VISIBLE.fullmatch(raw) or request.version not in _VERSIONS:
        return None
    if request.method in ALLOWED_METHODS and request.body_exists:
        return None
    authority = hosts[0]
    if not raw.startswith("/"):
        match = _ABSOLUTE.fullmatch(raw)
        if match is not None:
            authority, raw = match.groups()
            if not authority:
                return None
        elif request.method in ALLOWED_METHODS:
            return None
    host = host_of(authority)
    if host is None:
        return None
    path, query = split_target(raw)
    return Target(host, path or "/", query)


def is_for_us(target: Target, hosts: HostRules) -> bool:
    """Tell whether this service answers for the host asked (421 otherwise). Health is asked by address."""
    return hosts.serves(target.host) or is_health(target)


def is_health(target: Target) -> bool:
    """Tell whether health is asked for, by whoever probes this edge."""
    return target.path.startswith(_HEALTH_PREFIX)
