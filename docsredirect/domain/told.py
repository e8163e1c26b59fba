"""What the published table says of an answer: what of it is wrong by the table alone, and what the table excuses."""

from typing import NamedTuple

from docsredirect.domain.differences import between_kinds, between_redirects, by_folder
from docsredirect.domain.outcomes import Kind, Outcome
from docsredirect.domain.places import decoded, place_of, whole
from docsredirect.domain.reasons import Better, Reason, Worse
from docsredirect.domain.resolve import Answer
from docsredirect.domain.routes import BY_PATH

_WANTED_SO = frozenset({Worse.HTTP, Worse.QUERY_LOST, Worse.ESCAPES_LOST, Worse.TEMPORARY})
"""What is no fault in an answer that is the table's own."""


class Told(NamedTuple):
    """What the published table says of a URL, and where the old service leads with that same record: None is 404.
    `earlier` is the same for what the record was before. `spelled`: where it leads if its file has the name in the
    URL's own spelling too, which nobody can tell from the table."""

    expected: Answer
    now: str | None
    earlier: frozenset[str | None] = frozenset()
    spelled: str | None = None


def against_table(query: str, old: Outcome, new: Outcome, expected: Answer) -> set[Reason]:
    """Return what is wrong with a new answer by the table, given the raw query of the request."""
    wanted = Outcome(expected.status, expected.location)
    if wanted.kind is Kind.REDIRECT:
        return _against_redirect(query, wanted, new)
    if wanted.kind is Kind.GONE:
        return set() if new.kind is Kind.GONE else {Worse.NOT_WITHDRAWN}
    # A project without a redirect may have its old pages still, which may lead elsewhere; but then, they did before.
    if new.kind is Kind.REDIRECT and old.kind is not Kind.REDIRECT and not old.tells_nothing:
        return {Worse.ANOTHER_PLACE}
    return {Worse.GONE} if new.kind is Kind.GONE else set()


def _against_redirect(query: str, wanted: Outcome, new: Outcome) -> set[Reason]:
    if new.kind is not Kind.REDIRECT:
        reason = between_kinds(Kind.REDIRECT, new.kind)
        return set() if reason is None else {reason}
    wrong = by_folder(wanted, new, between_redirects(wanted, new, query))
    if Better.PERMANENT in wrong:
        return wrong - {Better.PERMANENT} | {Worse.PERMANENT}
    # Whatever else is better than what the table says is not what it says.
    return {reason if isinstance(reason, Worse) else Worse.ANOTHER_PLACE for reason in wrong}


def excused(old: Outcome, new: Outcome, told: Told, found: set[Reason]) -> set[Reason]:
    """Return `found`, how the two differ, without what the table wants so. The new answer is what it says."""
    if new.kind is Kind.REDIRECT and told.expected.location is None:
        return found  # no redirect of the table's: it leads where it always did, or the table has not wanted it so
    found = found - _WANTED_SO
    if Worse.GONE in found and (old.kind is Kind.PAGE or _is_known(old, told)):
        return found - {Worse.GONE} | {Better.WITHDRAWN}
    if Worse.ABSENT in found and old.kind is Kind.REDIRECT and _is_known(old, told):
        return found - {Worse.ABSENT} | {Better.CHANGED}
    if Worse.ANOTHER_PLACE in found and old.kind is new.kind is Kind.REDIRECT:
        if _is_known(old, told):
            return found - {Worse.ANOTHER_PLACE} | {_why(old, told)}
        return by_folder(old, new, found)
    return found


def _is_known(old: Outcome, told: Told) -> bool:
    """Tell whether the old answer is what the old service makes of the record, as it is or as it was."""
    return any(_leads_to(old, place) for place in (told.now, told.spelled, *told.earlier))


def _leads_to(old: Outcome, place: str | None) -> bool:
    """Tell whether the old answer leads to `place`, but for the escapes that its web server writes otherwise."""
    if place is None or old.location is None:
        return place is old.location
    return place == old.location or decoded(_url(place)) == decoded(_url(old.location))


def _url(location: str) -> str:
    place = place_of(location)
    return location if place is None else f"{place.scheme}://{place.authority}{whole(place)}"


def _why(old: Outcome, told: Told) -> Better:
    if told.expected.rule not in (None, BY_PATH):
        return Better.RULE
    return Better.PAGE if _leads_to(old, told.now) or _leads_to(old, told.spelled) else Better.CHANGED
