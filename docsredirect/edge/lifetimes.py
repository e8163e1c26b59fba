"""How long an answer may be kept, chosen when it is sent: by its status, and by the state of the table and purger."""

from typing import NamedTuple

from docsredirect.domain.settings import Lifetimes

TEMPORARY = (302, 307)


class TableState(NamedTuple):
    """What is known of the table at the moment of an answer."""

    stale: bool
    purging: bool
    """Whether a purger is configured and working."""


class CacheControl(NamedTuple):
    """The two header values: for browsers, and for the CDN."""

    browser: str
    cdn: str


NOT_KEPT = CacheControl("no-store", "no-store")
"""Of what was denied: it ends as soon as it is taken back. Said to the CDN too, which would keep a 410 otherwise."""


def for_answer(status: int, state: TableState, lifetimes: Lifetimes) -> CacheControl:
    """Return the lifetimes of a redirect, 404 or 410."""
    absent = status == 404
    if state.stale:
        browser = lifetimes.browser_stale
    elif absent:
        browser = lifetimes.browser_absent
    else:
        browser = lifetimes.browser_temporary if status in TEMPORARY else lifetimes.browser
    if absent:
        cdn = lifetimes.cdn_absent_stale if state.stale else lifetimes.cdn_absent
        stale_if_error = lifetimes.cdn_absent_stale_if_error
    else:
        cdn = lifetimes.cdn_purged if state.purging and not state.stale else lifetimes.cdn
        stale_if_error = lifetimes.cdn_stale_if_error
    return CacheControl(f"public, max-age={browser}", f"max-age={cdn}, stale-if-error={stale_if_error}")
