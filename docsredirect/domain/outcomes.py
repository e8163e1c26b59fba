"""What asking a server for a legacy URL came to, once its own redirects are followed. Asks nobody."""

from enum import Enum
from typing import NamedTuple

PERMANENT = frozenset({301, 308})
TEMPORARY = frozenset({302, 303, 307})
REDIRECTS = PERMANENT | TEMPORARY

MAX_HOPS = 10
"""How many redirects are followed from one legacy URL to the next: half of what browsers follow."""


class Problem(Enum):
    """Why there is no answer that leads anywhere: a stable code, and words for people."""

    UNREACHABLE = "unreachable", "cannot be reached"
    TIMEOUT = "timeout", "no answer in time"
    BROKEN = "broken", "the connection broke off"
    """The connection ended too early, or what came was no HTTP."""

    LOOP = "loop", "leads in a circle"
    TOO_MANY_HOPS = "too-many-hops", "too many hops"
    NOWHERE = "nowhere", "no absolute http(s) URL"
    """A redirect whose `Location` is missing or leads to no absolute http(s) URL: ``//evil.example`` is made from
    the request."""

    def __init__(self, code: str, words: str) -> None:
        self.code = code
        self.words = words


UNANSWERED = frozenset({Problem.UNREACHABLE, Problem.TIMEOUT, Problem.BROKEN})
"""What happens on the way, and not in the server."""

_PASSING = frozenset({403, 421, 429, 502, 503, 504})
"""Statuses that tell of who asks, of how often, or of a bad moment, and not of the URL."""


class Kind(Enum):
    """What a reader gets."""

    REDIRECT = "redirect"
    PAGE = "page"
    ABSENT = "absent"
    GONE = "gone"
    REFUSED = "refused"
    """A 4xx that is neither 404 nor 410."""
    FAILED = "failed"


class Outcome(NamedTuple):
    """The last answer. `via` are the legacy URLs that the server's own redirects led through on the way."""

    status: int | None
    location: str | None = None
    """Where it leads, if that is elsewhere: an absolute http(s) URL, unless `problem` says otherwise."""
    via: tuple[str, ...] = ()
    problem: Problem | None = None
    digest: str | None = None
    """Of the body of a page, as far as it was read."""

    @property
    def kind(self) -> Kind:
        """What a reader gets."""
        if self.problem is not None or self.status is None:
            return Kind.FAILED
        if self.status in REDIRECTS:
            return Kind.REDIRECT
        if 200 <= self.status < 300:
            return Kind.PAGE
        return {404: Kind.ABSENT, 410: Kind.GONE}.get(self.status, _of_class(self.status))

    @property
    def hops(self) -> int:
        """How many redirects a reader follows."""
        return len(self.via) + (self.location is not None)

    @property
    def unanswered(self) -> bool:
        """Whether no answer arrived at all."""
        return self.problem in UNANSWERED

    @property
    def tells_nothing(self) -> bool:
        """Whether nothing is known of what the URL answers: no answer, or one that tells of something else."""
        return self.unanswered or (self.problem is None and self.status in _PASSING)


def _of_class(status: int) -> Kind:
    return Kind.REFUSED if 400 <= status < 500 else Kind.FAILED
