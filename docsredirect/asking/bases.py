"""Where legacy URLs are asked for: the addresses of one side, and what of a URL goes to which. Sends nothing."""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from yarl import URL

from docsredirect.domain.errors import shorten
from docsredirect.domain.legacy_urls import HTTP, HTTPS, LegacyUrl

_BASE = re.compile(r"(https?)://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9.])?)(?::([0-9]{1,5}))?/?")
_WITH_PATH = re.compile(rf"{_BASE.pattern.removesuffix('/?')}/.+", re.DOTALL)
_PORTS = {HTTP: 80, HTTPS: 443}


class Base(NamedTuple):
    """A scheme, a host and a port."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """Host and port as they stand in a URL; the scheme's own port is left out."""
        return self.host if self.port == _PORTS[self.scheme] else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"


class Bases(NamedTuple):
    """The addresses of one side: one for all URLs, or one for each scheme."""

    by_scheme: Mapping[str, Base]

    def request_url(self, url: LegacyUrl) -> URL:
        """Return what to connect to for `url`, with the request target exactly as it stands there."""
        base = self._base(url.scheme)
        # Path and query in one: yarl would drop a bare `?`.
        return URL.build(scheme=base.scheme, host=base.host.strip("[]"), port=base.port, path=url.target, encoded=True)

    def headers(self, url: LegacyUrl) -> dict[str, str]:
        """Return what the request says of `url`: its host, and, where the connection does not say it, its scheme."""
        headers = {"Host": url.host}
        if len(self.by_scheme) == 1:
            headers["X-Forwarded-Proto"] = url.scheme
        return headers

    def __str__(self) -> str:
        return " and ".join(map(str, self.by_scheme.values()))

    def _base(self, scheme: str) -> Base:
        return self.by_scheme.get(scheme) or next(iter(self.by_scheme.values()))


def parse_base(text: str) -> Base:
    """Return the base that `text` is. Raises `ValueError` with a sentence where it is none."""
    match = _BASE.fullmatch(text)
    if match is None and _WITH_PATH.fullmatch(text):
        raise ValueError(f"{shorten(text)} has a path. Leave it out: each URL brings its own.")
    if match is None:
        raise ValueError(f"{shorten(text)} is no base. Give http:// or https://, a host, and a port if it needs one.")
    scheme, host, port = match.groups()
    number = _PORTS[scheme] if port is None else int(port)
    if not 1 <= number <= 65_535:
        raise ValueError(f"{shorten(text)} has a port that cannot be. Ports are 1 to 65535.")
    return Base(scheme, host.lower(), number)


def parse_bases(texts: Iterable[str]) -> Bases:
    """Return the bases of one side. Raises `ValueError` with a sentence where they are none, or two of one scheme."""
    bases = [parse_base(text) for text in texts]
    by_scheme = {base.scheme: base for base in bases}
    if len(by_scheme) != len(bases):
        raise ValueError("Give one base, or two: one of http and one of https.")
    return Bases(by_scheme)
