"""How two answers to one legacy URL differ: what each difference is called. Does not say which of them is wanted."""

from docsredirect.domain import escapes
from docsredirect.domain.outcomes import PERMANENT, Kind, Outcome
from docsredirect.domain.places import Place, decoded, is_below, place_of, whole
from docsredirect.domain.reasons import Better, Reason, Worse

NOTHING = frozenset({Kind.ABSENT, Kind.REFUSED})
"""What tells a reader that there is nothing."""


def between_kinds(old: Kind, new: Kind) -> Reason | None:
    """Return what it is that a reader gets something of another kind, or None where it is nothing both times. Neither
    has failed."""
    nothing_before = old in NOTHING
    if new is Kind.REDIRECT:
        return Better.REDIRECT_FOR_PAGE if old is Kind.PAGE else Better.FOUND
    if new is Kind.PAGE:
        return Worse.PAGE_FOR_REDIRECT if old is Kind.REDIRECT else Worse.PAGE_FOR_NOTHING
    if new is Kind.GONE:
        return Better.WITHDRAWN if nothing_before else Worse.GONE
    if nothing_before:
        return None
    return Worse.ABSENT if new is Kind.ABSENT else Worse.ERROR


def between_redirects(old: Outcome, new: Outcome, query: str) -> set[Reason]:
    """Return what the `new` redirect has or lacks beside the `old` one, given the raw query of the request."""
    found = _between_places(_place(old.location), _place(new.location), escapes.normalise_query(query))
    if (old.status in PERMANENT) != (new.status in PERMANENT):
        found.add(Better.PERMANENT if new.status in PERMANENT else Worse.TEMPORARY)
    return found


def by_folder(old: Outcome, new: Outcome, found: set[Reason]) -> set[Reason]:
    """Return `found` with another place as a page that is won or lost, where one of the two lies below the other."""
    if Worse.ANOTHER_PLACE not in found or old.location is None or new.location is None:
        return found
    before, after = _place(old.location), _place(new.location)
    if is_below(after, before):
        return found - {Worse.ANOTHER_PLACE} | {Better.PAGE}
    return found - {Worse.ANOTHER_PLACE} | {Worse.PAGE_LOST} if is_below(before, after) else found


def _place(location: str | None) -> Place:
    place = place_of(location or "")
    assert place is not None, "what is no absolute http(s) URL is a problem, and no redirect"
    return place


def _between_places(old: Place, new: Place, query: str) -> set[Reason]:
    """Return how two places differ, given the request's query in normal form."""
    found: set[Reason] = set()
    entire = whole(old)
    if decoded(old.path) != decoded(new.path) == decoded(entire):
        old = old._replace(path=entire, query="", fragment="")  # a decoded %3F or %23 has cut the path in two
    if query and new.query == query and not old.query:
        found.add(Better.QUERY_KEPT)
    elif query and old.query == query != new.query:
        found.add(Worse.QUERY_LOST)
    elif old.query != new.query:
        found.add(Worse.ANOTHER_PLACE)
    if old.authority != new.authority or old.fragment != new.fragment:
        return found | {Worse.ANOTHER_PLACE}
    if old.scheme != new.scheme:
        found.add(Better.HTTPS if new.scheme == "https" else Worse.HTTP)
    return found | _between_paths(old.path, new.path)


def _between_paths(old: str, new: str) -> set[Reason]:
    if old == new:
        return set()
    flat = escapes.collapse_slashes(old)
    if decoded(flat) != decoded(new):
        return {Worse.ANOTHER_PLACE}
    found: set[Reason] = set() if flat == old else {Better.SLASHES}
    if flat != new:
        found.add(Better.ESCAPES_KEPT if len(new) > len(flat) else Worse.ESCAPES_LOST)
    return found
