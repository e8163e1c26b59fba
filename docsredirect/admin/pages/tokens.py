"""The list of tokens and invitations, for administrators, and taking them back. How they are made, `issuing` says."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from aiohttp import web

from docsredirect.admin.bodies import DEFAULT_HOURS, moment, moment_or_none
from docsredirect.admin.pages.projects import cut
from docsredirect.admin.pages.visits import VIEWS, Form, Visit, see_other
from docsredirect.admin.services import in_time
from docsredirect.domain.errors import MalformedText, NoSuchToken, shorten
from docsredirect.domain.tokens import Scope, StoredToken, is_id
from docsredirect.service.tokens import TOKEN_SECONDS

TOKENS = "/tokens"
PAGE = 30
"""Rows on a page: it stays under 60 KiB, whatever stands in them."""

DAY = 86_400
DEFAULT_DAYS, MAX_DAYS = round(TOKEN_SECONDS / DAY), 3_650

_SCOPE_SHOWN, _BY_SHOWN = 3, 40
TOKEN, INVITATION = "token", "invitation"
_MAX_FIELD = 14_000
"""How much of a field is shown again, in characters: a hundred of the longest names."""

_DEFAULTS = {
    "scope": "projects", "projects": "", "label": "", "days": str(DEFAULT_DAYS),
    "project": "", "whom": "", "hours": str(DEFAULT_HOURS),
}  # fmt: skip


class Shown(NamedTuple):
    """A token or an invitation as the list shows it."""

    id: str
    kind: str
    scope: str
    label: str | None
    created: datetime
    by: str
    expires: datetime
    last_used: datetime | None
    state: str
    open: bool
    """Whether it is still good for something."""


async def show_tokens(visit: Visit) -> web.StreamResponse:
    """List tokens and invitations, with the forms to make more."""
    return await show(visit, Form([("project", visit.parameter("project"))]), {})


async def show_revoking(visit: Visit) -> web.StreamResponse:
    """Ask whether a token or an invitation is to be taken back."""
    async with in_time("read"):
        token = await visit.services.tokens.get(_id(visit))
    return VIEWS.page(visit, "token_revoke.html", token=shown(token, visit), own=token.id == visit.session.token_id)


async def revoke(visit: Visit) -> web.StreamResponse:
    """Take a token or an invitation back."""
    async with in_time("commit"):
        revoked = await visit.services.tokens.revoke(_id(visit))
    visit.audit("token-revoke", token=revoked.id)
    return see_other(TOKENS)


def _id(visit: Visit) -> str:
    id_ = visit.request.match_info["id"]
    if not is_id(id_):
        raise NoSuchToken("No token or invitation has that id.")
    return id_


async def show(visit: Visit, fields: Form, faults: Mapping[str, str]) -> web.Response:
    """Show the list with the forms, or where there are faults the forms alone, as they were filled in."""
    after = visit.parameter("after")
    if after and not is_id(after):
        raise MalformedText(f"The list cannot go on after {shorten(after)}. Follow its links.")
    found: list[StoredToken] = []
    following = None
    if not faults:
        async with in_time("read"):
            found, following = await visit.services.tokens.page(after, PAGE)
    listed = sorted((shown(token, visit) for token in found), key=lambda each: each.created, reverse=True)
    listed.sort(key=lambda each: not each.open)
    values = {name: cut(fields.text(name, default), _MAX_FIELD) for name, default in _DEFAULTS.items()}
    return VIEWS.page(
        visit,
        "tokens.html",
        status=422 if faults else 200,
        tokens=[each for each in listed if each.kind == TOKEN],
        invitations=[each for each in listed if each.kind == INVITATION],
        following=following,
        after=after,
        again=bool(visit.parameter("again")),
        once=visit.services.sessions.new_once(),
        values=values,
        faults=faults,
        own=visit.session.token_id,
    )


def shown(token: StoredToken, visit: Visit) -> Shown:
    """Return a token or an invitation as a page shows it."""
    state, is_open = _state(token, visit.services.clock())
    return Shown(
        id=token.id,
        kind=token.kind,
        scope=_words(token.scope),
        label=token.label,
        created=moment(token.created),
        by=cut(token.created_by, _BY_SHOWN),
        expires=moment(token.expires),
        last_used=moment_or_none(token.last_used),
        state=state,
        open=is_open,
    )


def _state(token: StoredToken, now: float) -> tuple[str, bool]:
    """Return the state of a token in words, and whether it is still good for something."""
    if token.revoked is not None:
        return f"revoked {moment(token.revoked):%-d %b %Y}", False
    if token.used is not None:
        return f"used {moment(token.used):%-d %b %Y}", False
    if now >= token.expires:
        return "expired", False
    return "active" if token.kind == TOKEN else "not used yet", True


def _words(scope: Scope) -> str:
    if scope == "admin":
        return "administrator"
    more = len(scope) - _SCOPE_SHOWN
    return ", ".join(scope[:_SCOPE_SHOWN]) + (f" and {more} more" if more > 0 else "")
