"""Following a server's own redirects from one legacy URL to the next, up to where they lead elsewhere or end."""

import re
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from docsredirect.asking.client import Asker, Reply
from docsredirect.domain.hosts import HostRules
from docsredirect.domain.legacy_urls import LegacyUrl, parse_url
from docsredirect.domain.outcomes import MAX_HOPS, REDIRECTS, Outcome, Problem
from docsredirect.domain.places import place_of

_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_OTHER_HOST = re.compile(r"[/\\]{2}")
"""How a relative reference begins that names a host (RFC 3986, section 4.2), also as browsers read it."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
"""Browsers drop some of them, wherever they stand: what is left may name another host."""


class Followed(NamedTuple):
    """What asking for a URL came to, and the last answer on the way, if there was one."""

    outcome: Outcome
    reply: Reply | None


async def follow(asker: Asker, url: LegacyUrl, hosts: HostRules) -> Followed:
    """Ask for `url`, and for each legacy URL that the answer leads to, until it leads elsewhere or nowhere."""
    via: list[str] = []
    seen, reply = {url}, None
    while True:
        answer = await asker.ask(url)
        if isinstance(answer, Problem):
            return Followed(Outcome(None, None, tuple(via), answer), reply)
        reply = answer
        location = reply.headers.get("Location")
        if reply.status not in REDIRECTS:
            return Followed(Outcome(reply.status, None, tuple(via), None, reply.digest), reply)
        to = None if location is None else _absolute(url, location)
        if to is None:
            return Followed(Outcome(reply.status, location, tuple(via), Problem.NOWHERE), reply)
        onward = _onward(to, hosts)
        if onward is None:
            return Followed(Outcome(reply.status, to, tuple(via)), reply)
        if onward in seen or len(via) == MAX_HOPS:
            problem = Problem.LOOP if onward in seen else Problem.TOO_MANY_HOPS
            return Followed(Outcome(reply.status, location, tuple(via), problem), reply)
        via.append(str(onward))
        seen.add(onward)
        url = onward


def _absolute(url: LegacyUrl, location: str) -> str | None:
    """Return where a `Location` leads from `url`: a path stays on its host. None where it is no place for a reader."""
    if _OTHER_HOST.match(location) or _CONTROL.search(location):
        return None
    try:
        if not _ABSOLUTE.match(location):
            location = urljoin(str(url), location)
        urlsplit(location)
    except ValueError:  # what it has for a host is none
        return None
    return None if place_of(location) is None else location


def _onward(location: str, hosts: HostRules) -> LegacyUrl | None:
    """Return the legacy URL at `location`, or None where that is elsewhere."""
    url = parse_url(location)
    return url if url is not None and url.host in hosts.own else None
