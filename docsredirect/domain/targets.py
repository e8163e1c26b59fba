"""Targets: which URLs a redirect may lead to, and their normal form. Knows nothing of records or requests.

Every check runs, and every fault is reported at once. Nothing is repaired in silence except what the normal form
names: the host in lower case, ``/`` for an empty path, escapes (RFC 3986, section 6.2.2), and one slash at the
end of a base that paths are appended to.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from docsredirect.domain import escapes
from docsredirect.domain.errors import Fault, shorten
from docsredirect.domain.hosts import HostRules

MAX_TARGET = 2_048
"""The longest target in characters: what every browser and proxy is known to carry."""

_ABSOLUTE = re.compile(r"(https?)://([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?", re.IGNORECASE | re.DOTALL)
_RELATIVE = re.compile(r"([^?#]*)(\?[^#]*)?(#.*)?", re.DOTALL)
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\\"<>^{|}`]")
_PORT = re.compile(r"[0-9]{1,5}")
_PAGE_ENDINGS = (".html", ".htm")


class CheckedUrl(NamedTuple):
    """A URL's normal form, or None where a fault left none, and what is wrong with it."""

    url: str | None
    faults: list[Fault]


class _Parts(NamedTuple):
    origin: str
    path: str
    query: str
    fragment: str

    def join(self) -> str:
        return "".join(self)


def is_absolute(url: str) -> bool:
    """Tell whether `url` says its own host."""
    return url[:8].lower().startswith(("http://", "https://"))


def is_folder(url: str) -> bool:
    """Tell whether paths may be appended to `url`, a URL in normal form."""
    return url.endswith("/") and "?" not in url and "#" not in url


def check_target(url: str, hosts: HostRules, pointer: str, *, base: bool) -> CheckedUrl:
    """Check an absolute target. With `base`, paths will be appended to it."""
    faults = list(_text_faults(url, pointer))
    match = _ABSOLUTE.fullmatch(url)
    if match is None:
        detail = f"{shorten(url)} is not an absolute URL. Give one that starts with https:// or http://."
        faults.append(Fault(pointer, "url-scheme", detail))
        return _finish(_Parts("", url, "", ""), faults, pointer, base=False)
    scheme, authority, path, query, fragment = (part or "" for part in match.groups())
    faults += _authority_faults(authority, hosts, pointer)
    faults += _path_faults(path, pointer)
    parts = _Parts(
        origin=f"{scheme}://{authority}".lower(),
        path=escapes.normalise_path(path) or "/",
        query=_normalise_suffix(query),
        fragment=_normalise_suffix(fragment),
    )
    return _finish(parts, faults, pointer, base=base)


def check_relative(url: str, pointer: str, *, base: bool) -> CheckedUrl:
    """Check a URL that is relative to a target's folder. With `base`, paths will be appended to it."""
    faults = list(_text_faults(url, pointer))
    match = _RELATIVE.fullmatch(url)
    assert match is not None, "the pattern accepts any text"
    path, query, fragment = (part or "" for part in match.groups())
    if path.startswith(("/", "\\")):
        detail = f"{shorten(url)} starts with a slash. Write it relative to the target, or as an absolute URL."
        faults.append(Fault(pointer, "to-leading-slash", detail))
    if ":" in path.split("/", 1)[0]:
        detail = f"{shorten(url)} has a colon in its first segment, which reads as a scheme. Escape it as %3A."
        faults.append(Fault(pointer, "to-colon", detail))
    faults += _path_faults(path, pointer)
    parts = _Parts("", escapes.normalise_path(path), _normalise_suffix(query), _normalise_suffix(fragment))
    return _finish(parts, faults, pointer, base=base)


def _finish(parts: _Parts, faults: list[Fault], pointer: str, *, base: bool) -> CheckedUrl:
    if base:
        faults += _base_faults(parts, pointer)
        if parts.path:
            parts = parts._replace(path=parts.path.rstrip("/") + "/")
    url = parts.join()
    if len(url) > MAX_TARGET:
        detail = f"The URL has {len(url)} characters in normal form. At most {MAX_TARGET} are accepted."
        faults.append(Fault(pointer, "url-too-long", detail))
    return CheckedUrl(None if faults else url, faults)


def _normalise_suffix(suffix: str) -> str:
    """Normalise a query or fragment that still has its mark in front."""
    return suffix[:1] + escapes.normalise_query(suffix[1:])


def _text_faults(url: str, pointer: str) -> Iterator[Fault]:
    if not url.isascii():
        detail = f"{shorten(url)} is not ASCII. Write the host as punycode (xn--…) and escape the rest as UTF-8."
        yield Fault(pointer, "url-ascii", detail)
    if found := sorted(set(_FORBIDDEN.findall(url))):
        listed = ", ".join(map(repr, found))
        detail = f"{shorten(url)} holds {listed}, which may not stand in a URL. Escape what belongs there."
        yield Fault(pointer, "url-character", detail)
    if url.count("#") > 1:
        yield Fault(pointer, "url-fragment", f"{shorten(url)} has more than one #. At most one is accepted.")


def _authority_faults(authority: str, hosts: HostRules, pointer: str) -> Iterator[Fault]:
    _, at, location = authority.rpartition("@")
    if at:
        detail = f"The URL holds a user name or password before {shorten(location)}. Leave them out."
        yield Fault(pointer, "url-userinfo", detail)
    host, colon, port = location, "", ""
    if not location.endswith("]"):
        host, colon, port = location.rpartition(":") if ":" in location else (location, "", "")
    if colon and not (_PORT.fullmatch(port) and 1 <= int(port) <= 65_535):
        yield Fault(pointer, "url-port", f"{shorten(port)} is not a port. Give a number from 1 to 65535, or none.")
    yield from _host_faults(host.lower(), hosts, pointer)


def _host_faults(host: str, hosts: HostRules, pointer: str) -> Iterator[Fault]:
    labels = host.split(".")
    if hosts.owns(host.rstrip(".")):
        detail = f"{shorten(host)} is a host of this service or below one, which would make a loop. Give another."
        yield Fault(pointer, "url-own-host", detail)
    elif host.startswith("[") or _NUMBER.fullmatch(labels[-1]):
        detail = f"{shorten(host)} is an IP address. Give a host name such as docs.example.org."
        yield Fault(pointer, "url-ip-address", detail)
    elif host == "localhost" or host.endswith(".localhost"):
        yield Fault(pointer, "url-localhost", f"{shorten(host)} is a reader's own machine. Give a public host name.")
    elif len(labels) < 2 or len(host) > 253 or not all(map(_LABEL.fullmatch, labels)):
        detail = f"{shorten(host)} is not a full DNS host name. Give one such as docs.example.org."
        yield Fault(pointer, "url-host", detail)


def _path_faults(path: str, pointer: str) -> Iterator[Fault]:
    if escapes.has_escaped_control(path):
        yield Fault(pointer, "url-character", f"{shorten(path)} holds an escaped control character. Leave it out.")
    if escapes.has_dot_segment(escapes.normalise_path(path)):
        detail = f"{shorten(path)} holds a . or .. segment. Write the path that it stands for."
        yield Fault(pointer, "url-dot-segment", detail)


def _base_faults(parts: _Parts, pointer: str) -> Iterator[Fault]:
    if parts.query:
        detail = f"Paths are appended to this URL, so it can have no query ({shorten(parts.query)})."
        yield Fault(pointer, "base-query", detail)
    if parts.fragment:
        detail = f"Paths are appended to this URL, so it can have no fragment ({shorten(parts.fragment)})."
        yield Fault(pointer, "base-fragment", detail)
    if parts.path.lower().endswith(_PAGE_ENDINGS):
        detail = f"Paths are appended to this URL, so it must be a folder, not a page ({shorten(parts.path)})."
        yield Fault(pointer, "base-page", detail)
