"""Places: where a redirect leads, in normal form, and how two of them relate. Fetches nothing."""

import re
from typing import NamedTuple

from docsredirect.domain import escapes

_URL = re.compile(r"(https?)://([^/?#\\]+)([^?#]*)(?:\?([^#]*))?(?:#(.*))?", re.IGNORECASE | re.DOTALL)
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}

_DECODINGS = 4
"""How many layers of escapes are taken off. A link with more was made by nobody who wanted a page."""


class Place(NamedTuple):
    """An absolute http(s) URL, taken apart; equal where the URLs are equivalent (RFC 3986, section 6.2)."""

    scheme: str
    authority: str
    path: str
    query: str
    fragment: str

    @property
    def site(self) -> str:
        """The authority without ``www.``: what one owner has."""
        return self.authority.removeprefix("www.")


def place_of(location: str) -> Place | None:
    """Return where `location` leads, or None where it is no absolute http(s) URL."""
    match = _URL.fullmatch(location)
    if match is None:
        return None
    scheme, authority, path, query, fragment = match.groups("")
    scheme = scheme.lower()
    return Place(
        scheme,
        authority.lower().removesuffix(_DEFAULT_PORTS[scheme]),
        escapes.normalise_path(path or "/"),
        escapes.normalise_query(query),
        escapes.normalise_query(fragment),
    )


def is_below(inner: Place, outer: Place) -> bool:
    """Tell whether `inner` is on the same site as `outer`, and deeper: `outer` is a folder that holds it."""
    folder = outer.path if outer.path.endswith("/") else outer.path + "/"
    return inner.site == outer.site and inner.path != folder and inner.path.startswith(folder)


def decoded(text: str) -> bytes:
    """Return `text` with all its escapes decoded, those in decoded text too: what programs that decode make equal."""
    found = escapes.utf8(text)
    for _ in range(_DECODINGS):
        before, found = found, _ESCAPE.sub(lambda match: bytes((int(match.group(1), 16),)), found)
        if found == before:
            break
    return found


def whole(place: Place) -> str:
    """Return all of a place behind its authority, as one text."""
    query = f"?{place.query}" if place.query else ""
    return place.path + query + (f"#{place.fragment}" if place.fragment else "")
