"""Old links that somebody pastes, one a line or as a sitemap: which they are, and what each answers now and after a
change. Decides nothing: the answers are `resolve_url`'s."""

import html
import re
from itertools import islice
from typing import NamedTuple

from docsredirect.domain import names
from docsredirect.domain.hosts import OWN_HOSTS, HostRules
from docsredirect.domain.records import Record
from docsredirect.domain.resolve import Answer, Find, Lookup, normal_path, resolve_url, take_apart
from docsredirect.domain.routes import Route

MAX_SHOWN = 25
"""How many links are shown of those that were pasted: what fits into a page of 60 KiB beside all else."""

_LOCATION = re.compile(r"<(?:\w+:)?loc>([^<]*)</", re.IGNORECASE)
_URL = re.compile(r"https?://[^\s<>\"']+", re.IGNORECASE)


class OldLink(NamedTuple):
    """An old link as it was pasted, and what it answers now and after the change."""

    url: str
    before: Answer
    after: Answer


class Pasted(NamedTuple):
    """The links of a text: the first `MAX_SHOWN`, and how many there are in all."""

    links: list[str]
    total: int


def read_links(text: str, project: str, hosts: HostRules) -> Pasted:
    """Return the links in a text, each once: those of a sitemap, of prose, or one a line, where a page alone is one of
    `project`'s."""
    if "<loc>" in text.lower() or ":loc>" in text.lower():
        found = [html.unescape(location).strip() for location in _LOCATION.findall(text)]
    else:
        found = [link for line in text.split("\n") for link in (_URL.findall(line) or [line.strip()])]
    links = dict.fromkeys(link for link in found if link)
    shown = dict.fromkeys(_whole(link, project, hosts) for link in islice(links, MAX_SHOWN))
    return Pasted(list(shown), len(links))


def _whole(link: str, project: str, hosts: HostRules) -> str:
    if link.startswith("/") or "://" in link:
        return link
    asked = take_apart(link)
    if asked is not None and asked.host is not None and hosts.serves(asked.host):
        return link
    return f"https://{OWN_HOSTS[0]}/{project}/{link}"


def page_in(link: str, name: str) -> str | None:
    """Return the page of the project `name` that a link asks for, in normal form; None where it is another project's,
    or its front page."""
    asked = take_apart(link)
    path = None if asked is None else normal_path(asked.path)
    if path is None:
        return None
    segment, _, rest = path[1:].partition("/")
    return rest if rest and names.normalise(segment) == name else None


def ask(links: list[str], before: Record | None, after: Record, find: Find, hosts: HostRules) -> list[OldLink]:
    """Return what each link answers while the project of `after` has the record `before`, and then with `after`. Of
    other projects `find` tells."""
    old, new = _with(find, after.name, before), _with(find, after.name, after)
    return [OldLink(link, resolve_url(old, link, hosts), resolve_url(new, link, hosts)) for link in links]


def _with(find: Find, name: str, record: Record | None) -> Find:
    route = None if record is None else Route(record)

    def found(asked: str) -> Route | Lookup | None:
        return route if asked == name else find(asked)

    return found
