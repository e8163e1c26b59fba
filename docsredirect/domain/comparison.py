"""Judging: whether a new answer to a legacy URL is the same as the old one, better or worse, and why.

The new answer is held to two things: to the old answer, and, where it is known, to the published table. Another place
for a page is better only where the table wants it so; without a table, only where it lies below the old one.
Where the old side has told nothing, only what is wrong by itself or by the table can be found.
"""

import re
from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

from docsredirect.domain import names, reserved
from docsredirect.domain.differences import NOTHING, between_kinds, between_redirects, by_folder
from docsredirect.domain.legacy_urls import LegacyUrl
from docsredirect.domain.outcomes import Kind, Outcome, Problem
from docsredirect.domain.reasons import Better, Reason, Worse
from docsredirect.domain.resolve import MAX_REQUEST, normal_path
from docsredirect.domain.told import Told, against_table, excused

_NOT_RAW = re.compile(r'["<>\[\]\\^`{|}]|%(?![0-9A-Fa-f]{2})')
"""What of visible ASCII cannot stand in a request line (RFC 3986, section 2)."""

_ORDER = {reason: number for number, reason in enumerate((*Better, *Worse))}

_OLD_FAILURES = {
    Problem.LOOP: Better.OLD_LOOPED,
    Problem.TOO_MANY_HOPS: Better.OLD_LOOPED,
    Problem.NOWHERE: Better.OLD_STRAYED,
}
_FAILURES = {Problem.LOOP: Worse.LOOPED, Problem.TOO_MANY_HOPS: Worse.LOOPED, Problem.NOWHERE: Worse.STRAYED}


class Verdict(Enum):
    """What a new answer is, beside the old one."""

    SAME = "same"
    BETTER = "better"
    WORSE = "worse"
    NOT_COMPARED = "not-compared"


class Judgement(NamedTuple):
    """All that makes the new answer better, and all that makes it worse, if there was something to compare it with."""

    better: tuple[Better, ...]
    worse: tuple[Worse, ...]
    is_compared: bool = True

    @property
    def verdict(self) -> Verdict:
        """Worse where anything is."""
        if self.worse:
            return Verdict.WORSE
        if not self.is_compared:
            return Verdict.NOT_COMPARED
        return Verdict.BETTER if self.better else Verdict.SAME

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """The reasons for the verdict."""
        return self.worse or self.better


def judge(url: LegacyUrl, old: Outcome, new: Outcome, told: Told | None = None) -> Judgement:
    """Return what the `new` answer to `url` is beside the `old` one, and beside what the table says, if that is known.

    A new side that fails is worse even where the old one fails too: nothing can be said of it.
    """
    if new.kind is Kind.FAILED:
        return _judgement({_failure(new)})
    by_table = set() if told is None else against_table(url.query, old, new, told.expected)
    if _refuses(url, new) and 404 in (old.status, told and told.expected.status):
        by_table.add(Worse.ERROR)
    if old.tells_nothing:
        return _judgement(by_table)._replace(is_compared=False)
    found = _against_old(url, old, new, told)
    if told is None:
        if old.kind is Kind.REDIRECT:
            found = by_folder(old, new, found)
    elif not by_table:
        found = excused(old, new, told, found)
    return _judgement(found | by_table | _hops(old, new))


def _judgement(found: Iterable[Reason]) -> Judgement:
    ordered = sorted(found, key=_ORDER.__getitem__)
    return Judgement(
        tuple(reason for reason in ordered if isinstance(reason, Better)),
        tuple(reason for reason in ordered if isinstance(reason, Worse)),
    )


def _failure(new: Outcome) -> Worse:
    if new.unanswered:
        return Worse.UNANSWERED
    return Worse.ERROR if new.problem is None else _FAILURES[new.problem]


def _hops(old: Outcome, new: Outcome) -> set[Reason]:
    """Compare the legacy URLs on the way. What answered nothing has not shown how many there are: then, none."""
    comparable = old.kind is new.kind or old.kind not in NOTHING | {Kind.FAILED}
    before, after = len(old.via) if comparable else 0, len(new.via)
    if after > before:
        return {Worse.MORE_HOPS}
    return {Better.FEWER_HOPS} if after < before else set()


def _against_old(url: LegacyUrl, old: Outcome, new: Outcome, told: Told | None) -> set[Reason]:
    if old.kind is Kind.FAILED:
        return {Better.OLD_FAILED if old.problem is None else _OLD_FAILURES.get(old.problem, Better.OLD_FAILED)}
    if old.kind is new.kind is Kind.REDIRECT:
        return between_redirects(old, new, url.query)
    reason = _between_bodies(old, new) if old.kind is new.kind else between_kinds(old.kind, new.kind)
    if reason is Better.FOUND and _is_spelled_otherwise(url, told):
        reason = Better.SPELLING
    if isinstance(reason, Worse) and new.kind is Kind.PAGE and _is_own_page(url):
        reason = Better.OWN_PAGE
    if isinstance(reason, Worse) and new.status in (404, 414) and _is_never_served(url):
        reason = Better.NEVER_SERVED
    return set() if reason is None else {reason}


def _between_bodies(old: Outcome, new: Outcome) -> Reason | None:
    return Worse.ANOTHER_BODY if new.kind is Kind.PAGE and new.digest != old.digest else None


def _is_spelled_otherwise(url: LegacyUrl, told: Told | None) -> bool:
    """Tell whether the old service, which looks names up by their exact spelling, cannot know this one."""
    if told is not None:
        return told.now is None
    segment = url.path[1:].partition("/")[0]
    return names.normalise(segment) != segment


def _is_never_served(url: LegacyUrl) -> bool:
    """Tell whether no redirect may be made of it, whatever the table says: scanners ask for such paths."""
    return normal_path(url.path) is None or len(url.path) + len(url.query) > MAX_REQUEST


def _refuses(url: LegacyUrl, new: Outcome) -> bool:
    """Tell whether the new side refuses to say that there is nothing. Servers may refuse, with 400, what cannot stand
    raw in a request line, and with 414 what is too long."""
    if new.status == 400 and _NOT_RAW.search(url.target):
        return False
    return new.kind is Kind.REFUSED and new.status != 414


def _is_own_page(url: LegacyUrl) -> bool:
    normal = normal_path(url.path)
    return normal is not None and reserved.page_at(normal) is not None
