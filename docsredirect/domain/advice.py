"""Advice on a record that may be stored, and would probably serve readers better otherwise; where it can be said, with
the record that it would be better as. Refuses nothing: what may not be stored is in ``records``.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec

from docsredirect.domain import targets
from docsredirect.domain.errors import shorten
from docsredirect.domain.records import Record
from docsredirect.domain.routes import Route

INVENTORY = "objects.inv"
"""What other projects' documentation reads to link into this one (intersphinx)."""

_URL = re.compile(r"(?P<origin>(?P<scheme>https?)://(?P<host>[^/:?#]+)(?::(?P<port>\d+))?)(?P<path>[^?#]*)(?P<rest>.*)")
_HOSTED = re.compile(r"(?P<slug>[^.]+)\.(?:readthedocs\.(?:io|org)|rtfd\.(?:io|org)|readthedocs-hosted\.com)")
_DEFAULT_VERSION = "en/latest/"
_SUBPROJECT = re.compile(r"/projects/([^/]+)/")
_AFFIX = re.compile(r"^(?:python|py|the)|(?:documentation|docs|doc|python|py)$")
_NOT_ALPHANUMERIC = re.compile(r"[^a-z0-9]")

# By name: a dot alone makes no page, as in /docs/2.1/ and /en/v1.0.x/.
_PAGE = re.compile(r"[^/]+\.(?:html?|xhtml|php|aspx?|jsp|cgi)", re.IGNORECASE)
_DOCUMENT = re.compile(r"[^/]+\.(?:md|rst|txt|pdf|epub|zip|ipynb)", re.IGNORECASE)
_REPOSITORY_HOSTS = frozenset({"github.com", "gitlab.com", "bitbucket.org", "codeberg.org", "sr.ht", "git.sr.ht"})


class Advice(NamedTuple):
    """One thing that may be better otherwise: a stable code, a sentence or two, and the record with the remedy, with
    words for the button that applies it (None, and no words: only the maintainer can tell)."""

    code: str
    detail: str
    remedy: Record | None = None
    remedy_label: str = ""


class _Url(NamedTuple):
    scheme: str
    host: str
    port: str
    origin: str
    path: str
    rest: str


def advise(record: Record, is_project: Callable[[str], bool] = lambda name: False) -> list[Advice]:
    """Return what a maintainer should know of `record`, each code at most once. `is_project` tells whether a normalised
    name is a project that has a redirect. A record that is withdrawn leads nowhere, so there is nothing to say of it.
    """
    if record.state == "gone":
        return []
    target = _take_apart(record.target)
    checks = (
        _plain_http(record),
        _plain_http_rules(record),
        _no_inventory(record, target),
        _other_slug(record, target, is_project),
        _no_version(record, target),
        _page(record, target),
        _repository(record, target),
    )
    return [advice for found in checks for advice in found]


def _take_apart(url: str) -> _Url:
    match = _URL.fullmatch(url)
    assert match is not None, "a checked target is an absolute http(s) URL"
    port = match["port"] or ""
    return _Url(match["scheme"], match["host"], port, match["origin"], match["path"], match["rest"])


def _secured(url: str) -> str | None:
    """Return a plain http URL with https; None where its port says nothing of where that would be."""
    parts = _take_apart(url)
    return f"https://{parts.host}{parts.path}{parts.rest}" if parts.port in ("", "80") else None


def _plain_http(record: Record) -> Iterator[Advice]:
    if not record.target.startswith("http://"):
        return
    detail = (
        "The target is plain http, so readers reach it unprotected, or by a second hop. Use https if the host has it."
    )
    secured = _secured(record.target)
    remedy = None if secured is None else msgspec.structs.replace(record, target=secured)
    yield Advice("plain-http", detail, remedy, "Use https" if remedy else "")


def _plain_http_rules(record: Record) -> Iterator[Advice]:
    plain = {source: to for source, to in record.rules.items() if to is not None and to.startswith("http://")}
    if not plain:
        return
    rules = dict(record.rules)
    for source, to in plain.items():
        rules[source] = _secured(to) or to
    remedy = None if rules == record.rules else msgspec.structs.replace(record, rules=rules)
    which = f"The rule for {shorten(next(iter(plain)))} leads" if len(plain) == 1 else f"{len(plain)} rules lead"
    detail = f"{which} to plain http. Use https if the hosts have it."
    yield Advice("plain-http-rules", detail, remedy, "Use https in the rules" if remedy else "")


def _no_inventory(record: Record, target: _Url) -> Iterator[Advice]:
    route = Route(record)
    if record.path != "root" or route.choose(INVENTORY)[0] is not route.path_rule:
        return
    inventory = _DEFAULT_VERSION + INVENTORY if _lacks_version(target) else INVENTORY
    folder = target.origin + target.path[: target.path.rfind("/") + 1]
    # Relative where that can be: so the rule follows when the target moves.
    to = inventory if targets.is_folder(record.target) else folder + inventory
    detail = (
        f"Every old link leads to the one target, `{INVENTORY}` too. Other projects' documentation reads that file to "
        "link to yours (intersphinx), and would get a page instead."
    )
    rules = dict(sorted({**record.rules, INVENTORY: to}.items()))
    yield Advice(
        "root-without-inventory", detail, msgspec.structs.replace(record, rules=rules), f"Add a rule for {INVENTORY}"
    )


def _other_slug(record: Record, target: _Url, is_project: Callable[[str], bool]) -> Iterator[Advice]:
    match = _HOSTED.fullmatch(target.host)
    if match is None:
        return
    below = _SUBPROJECT.match(target.path)
    slugs = [match["slug"], *([below[1].lower()] if below else [])]
    if any(_loose(slug) == _loose(record.name) for slug in slugs):
        return
    slug = slugs[-1]
    if is_project(slug) and slug != record.name:
        detail = f"{slug} on Read the Docs is also the name of another project here. Is it the documentation of "
    elif any(_bare(slug) == _bare(record.name) for slug in slugs):
        return
    else:
        detail = f"On Read the Docs, {slug} is the name of another project than {record.project}. Is it the one of "
    yield Advice("other-project", f"{detail}{record.project}?")


def _loose(name: str) -> str:
    return _NOT_ALPHANUMERIC.sub("", name)


def _bare(name: str) -> str:
    """Return a name without what a project's documentation often has in front or behind: python-x, x-docs."""
    loose = _loose(name)
    return _AFFIX.sub("", loose) or loose


def _no_version(record: Record, target: _Url) -> Iterator[Advice]:
    if record.path == "root" or not _lacks_version(target):
        return
    detail = (
        "On Read the Docs most projects have their pages below a language and a version, such as "
        f"`{_DEFAULT_VERSION}`. Old pages would not be found at the top. Leave it if this project has a single version "
        "there."
    )
    remedy = msgspec.structs.replace(record, target=f"{target.origin}/{_DEFAULT_VERSION}")
    yield Advice("no-version", detail, remedy, f"Lead to {_DEFAULT_VERSION}")


def _lacks_version(target: _Url) -> bool:
    return target.path == "/" and _HOSTED.fullmatch(target.host) is not None


def _page(record: Record, target: _Url) -> Iterator[Advice]:
    last = target.path.rstrip("/").rpartition("/")[2]
    if _PAGE.fullmatch(last) is not None:
        folder = target.origin + target.path.rstrip("/").removesuffix(last)
        detail = (
            f"The target is a page, {shorten(last)}. Pages are renamed more often than the folder that they are in."
        )
        yield Advice("target-page", detail, msgspec.structs.replace(record, target=folder), "Lead to the folder")
    elif _DOCUMENT.fullmatch(last) is not None and record.path != "root":
        detail = f"{shorten(last)} is one document, and old pages would be looked for below it, as if it were a folder."
        # Relative rules stand on the target as a folder.
        relative = any(to is not None and not targets.is_absolute(to) for to in record.rules.values())
        remedy = msgspec.structs.replace(record, path="root", target=record.target.rstrip("/"))
        label = "Lead every old link to that document"
        yield Advice("target-page", detail, None if relative else remedy, "" if relative else label)


def _repository(record: Record, target: _Url) -> Iterator[Advice]:
    if record.path == "root" or target.host.removeprefix("www.") not in _REPOSITORY_HOSTS:
        return
    detail = (
        f"{target.host} holds a project's source, seldom its pages under their old names. Most deep links would find "
        "nothing there."
    )
    remedy = msgspec.structs.replace(record, path="root")
    yield Advice("repository", detail, remedy, "Lead every old link to this one address")
