"""Host names: which are ours, and which a request may ask for. Knows nothing of sockets."""

import re
from collections.abc import Iterable

import msgspec

OWN_HOSTS = ("pythonhosted.org", "www.pythonhosted.org", "packages.python.org")
"""The legacy hosts. They are always ours, whatever the settings add."""

ANY_HOST = "*"

_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~-]*)(?::([0-9]{0,5}))?")
_LOOPBACK_V4 = re.compile(r"127(?:\.[0-9]{1,3}){3}")


def host_of(authority: str) -> str | None:
    """Return the host of an authority (``host[:port]``) as it is compared: lower case, no port, no trailing dot.

    None where `authority` is malformed, or holds what a ``Host`` field may not (RFC 9112, section 3.2).
    """
    match = _AUTHORITY.fullmatch(authority)
    if match is None or int(match.group(2) or 0) > 65_535:
        return None
    return match.group(1).lower().removesuffix(".")


class HostRules(msgspec.Struct, frozen=True):
    """The hosts that are ours, and whether a request for any other is answered too."""

    own: frozenset[str]
    serve_any: bool = False

    @classmethod
    def of(cls, extra: Iterable[str] = ()) -> "HostRules":
        """Return the rules for the legacy hosts and `extra`, of which ``*`` stands for any host."""
        given = set(extra)
        named = {host for each in given - {ANY_HOST} if (host := host_of(each))}
        return cls(own=frozenset({*OWN_HOSTS, *named}), serve_any=ANY_HOST in given)

    def owns(self, host: str) -> bool:
        """Tell whether `host`, in lower case, is one of ours or below one of ours: no target may be."""
        return any(host == own or host.endswith(f".{own}") for own in self.own)

    def serves(self, host: str) -> bool:
        """Tell whether a request for `host`, as `host_of` gives it, is ours to answer."""
        return host in self.own or self.serve_any or is_loopback(host)


def is_loopback(host: str) -> bool:
    """Tell whether `host` is a name or address of this machine (RFC 6761, section 6.3)."""
    return host in ("localhost", "[::1]") or host.endswith(".localhost") or _LOOPBACK_V4.fullmatch(host) is not None
