"""When readers see a change: how long caches on the way, and browsers, may go on with the earlier answer."""

import math
from typing import Final

import msgspec

from docsredirect.domain.settings import Lifetimes

_TEMPORARY = (302, 307)
_UNITS: Final = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


class Visible(msgspec.Struct, frozen=True):
    """Until when earlier answers may be seen, in seconds: from caches on the way, counted from the publication, and
    after that from a browser that has followed the same link before."""

    caches_seconds: int
    browsers_seconds: int
    purged: bool
    """Whether caches are told of the change, so that none has to be waited out."""


def visible(earlier: int, lifetimes: Lifetimes, *, purged_within: float | None) -> Visible:
    """Return when readers see a change where the status `earlier` was answered. `purged_within`: in how many seconds
    caches are purged; None: they are not."""
    absent = earlier == 404
    if purged_within is not None:
        caches = math.ceil(purged_within)
    else:
        caches = lifetimes.cdn_absent if absent else lifetimes.cdn
    if absent:
        browsers = lifetimes.browser_absent
    else:
        browsers = lifetimes.browser_temporary if earlier in _TEMPORARY else lifetimes.browser
    return Visible(caches, browsers, purged=purged_within is not None)


def duration(seconds: int) -> str:
    """Return a time in words: 5 minutes, 1 hour."""
    if not seconds:
        return "no time"
    unit, size = next((unit, size) for unit, size in _UNITS if seconds >= size and seconds % size == 0)
    count = seconds // size
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
