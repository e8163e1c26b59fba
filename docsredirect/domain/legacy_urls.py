"""Legacy URLs as lists and logs hold them, and as they travel. Knows no file, no socket, and not what they answer."""

import re
from typing import NamedTuple

from docsredirect.domain import escapes
from docsredirect.domain.hosts import OWN_HOSTS
from docsredirect.domain.resolve import split_target, take_apart

HTTP, HTTPS = "http", "https"

_SCHEME = re.compile(r"(https?)://", re.IGNORECASE)
_NOT_VISIBLE = re.compile(r"[^!-~]+")


class LegacyUrl(NamedTuple):
    """A URL without its fragment, which no server sees: what a client makes its request line and `Host` from."""

    scheme: str
    host: str
    target: str
    """The raw path and query, in ASCII without blanks: it can stand in a request line as it is."""

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}{self.target}"

    @property
    def path(self) -> str:
        """The raw path."""
        return split_target(self.target)[0]

    @property
    def query(self) -> str:
        """The raw query, without its ``?``."""
        return split_target(self.target)[1]


def parse_url(text: str, scheme: str = HTTPS) -> LegacyUrl | None:
    """Return the URL that `text` is: whole, without a scheme (`scheme` then), or, with a leading ``/``, a path of the
    first legacy host. None where it is no http(s) URL.

    Path and query stay as they are, a bare ``?`` too. Only what cannot stand in a request line (blanks, controls, and
    whatever is not ASCII) is escaped, as browsers do.
    """
    asked = take_apart(text)
    if asked is None:
        return None
    given = _SCHEME.match(text)
    mark = "?" if asked.query or text.partition("#")[0].endswith("?") else ""
    target = _NOT_VISIBLE.sub(_escaped, asked.path + mark + asked.query)
    return LegacyUrl(given.group(1).lower() if given else scheme, asked.host or OWN_HOSTS[0], target)


def _escaped(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in escapes.utf8(match.group()))
