"""What an answer's headers tell of the cache that it came out of: whether it was there, and for how long."""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

_TEXT = r'"(?:[^"\\]|\\.)*"'
_MEMBER = re.compile(rf"(?:[^\",]|{_TEXT})+")
_PARAMETER = re.compile(rf"(?:[^\";]|{_TEXT})+")
_DETAIL_AGE = re.compile(r"\bage=([0-9]{1,9})\b", re.IGNORECASE)
_AGE = re.compile(r"[0-9]{1,9}")
_MAX_STATUS = 1_024
"""How many characters of ``Cache-Status`` are read: taking apart what is not well formed costs their square."""

_CLOUDFLARE_HITS: Final = frozenset({"HIT", "STALE", "UPDATING", "REVALIDATED"})


class Kept(NamedTuple):
    """Whether a cache had the answer, and its age there in seconds; None where nothing is said of it."""

    hit: bool | None
    age: int | None


def read_kept(headers: Mapping[str, str]) -> Kept:
    """Read ``Cache-Status`` (RFC 9211) and ``Age``, else what CDNs say in ``CF-Cache-Status`` and ``X-Cache``. Of
    several caches on the way, one that had it is a hit."""
    status = headers.get("Cache-Status", "")[:_MAX_STATUS]
    hit = _in_cache_status(status) if status else _by_cdn(headers)
    age = _AGE.fullmatch(headers.get("Age", "").strip()) or _DETAIL_AGE.search(status)
    return Kept(hit, None if age is None else int(age.group(age.lastindex or 0)))


def _in_cache_status(status: str) -> bool:
    members = (_PARAMETER.findall(member) for member in _MEMBER.findall(status))
    return any(parameter.strip() in ("hit", "hit=?1") for member in members for parameter in member[1:])


def _by_cdn(headers: Mapping[str, str]) -> bool | None:
    cloudflare = headers.get("CF-Cache-Status")
    if cloudflare is not None:
        return cloudflare.strip().upper() in _CLOUDFLARE_HITS
    other = headers.get("X-Cache")
    return None if other is None else "hit" in other.lower()
