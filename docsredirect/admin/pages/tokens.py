"""Tokens and invitations, for administrators. Secrets leave here once, in the answer to the form that made them."""

import re
import shlex
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple, TypeVar

from aiohttp import web

from docsredirect.admin.access import INVITATIONS
from docsredirect.admin.bodies import DEFAULT_HOURS, MAX_HOURS, MIN_HOURS, moment, moment_or_none
from docsredirect.admin.pages.projects import cut
from docsredirect.admin.pages.visits import VIEWS, Form, Visit, see_other
from docsredirect.admin.reading import whole_number
from docsredirect.admin.services import in_time
from docsredirect.domain.errors import Fault, InvalidRecord, MalformedText, NoSuchToken, shorten
from docsredirect.domain.tokens import Scope, StoredToken, is_id, parse_label, parse_project, parse_scope
from docsredirect.service.issued_tokens import Created
from docsredirect.service.tokens import TOKEN_SECONDS

TOKENS = "/tokens"
PAGE = 40
"""Rows on a page: it stays under 60 KiB, whatever stands in them."""

DAY = 86_400
DEFAULT_DAYS, MAX_DAYS = round(TOKEN_SECONDS / DAY), 3_650

_SCOPE_SHOWN, _BY_SHOWN = 3, 40
_TOKEN, _INVITATION = "token", "invitation"
_MAX_FIELD = 14_000
"""How much of a field is shown again, in characters: a hundred of the longest names."""

_DEFAULTS = {
    "scope": "projects", "projects": "", "label": "", "days": str(DEFAULT_DAYS),
    "project": "", "whom": "", "hours": str(DEFAULT_HOURS),
}  # fmt: skip

_INVITED = """\
You are invited to say where old links to the documentation of {project} lead:
the links to pythonhosted.org/{project}/ that stand in books, answers and other pages.

Open this link, and follow the page. It works once, until {expires}.

{link}
"""

T = TypeVar("T")


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
    return await _show(visit, Form([("project", visit.parameter("project"))]), {})


async def make(visit: Visit) -> web.StreamResponse:
    """Make a token or an invitation, and show its secret this once."""
    form, sessions = visit.form, visit.services.sessions
    making = _make_invitation if form.text("make") == _INVITATION else _make_token
    once = form.text("once")
    if not sessions.spend(once):
        return see_other(f"{TOKENS}?again=1")
    try:
        return await making(visit)
    except InvalidRecord as error:
        sessions.give_back(once)
        faults = {fault.pointer.split("/")[1]: fault.detail for fault in reversed(error.faults)}
        return await _show(visit, form, faults)
    except BaseException:
        sessions.give_back(once)
        raise


async def show_revoking(visit: Visit) -> web.StreamResponse:
    """Ask whether a token or an invitation is to be taken back."""
    async with in_time("read"):
        token = await visit.services.tokens.get(_id(visit))
    return VIEWS.page(visit, "token_revoke.html", token=_shown(token, visit), own=token.id == visit.session.token_id)


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


async def _make_token(visit: Visit) -> web.StreamResponse:
    form, faults = visit.form, _Faults()
    scope = faults.take(lambda: _scope(form))
    label = faults.take(lambda: parse_label(form.text("label")))
    days = faults.take(lambda: _number(form, "days", 1, MAX_DAYS))
    faults.check()
    assert scope is not None and days is not None
    services = visit.services
    async with in_time("commit"):
        created = await services.tokens.create(
            scope, created_by=visit.who.name, expires=services.clock() + days * DAY, label=label
        )
    visit.audit("token-create", token=created.token.id, scope=created.token.scope, label=label)
    command = f"export DOCSREDIRECT_URL={shlex.quote(_base(visit))} DOCSREDIRECT_TOKEN={created.text}"
    return _made(visit, created, token=created.text, command=command)


async def _make_invitation(visit: Visit) -> web.StreamResponse:
    form, faults = visit.form, _Faults()
    project = faults.take(lambda: parse_project(form.text("project")))
    hours = faults.take(lambda: _number(form, "hours", MIN_HOURS, MAX_HOURS))
    label = faults.take(lambda: parse_label(form.text("whom"), "/whom"))
    faults.check()
    assert project is not None and hours is not None
    async with in_time("commit"):
        created = await visit.services.tokens.invite(
            project, created_by=visit.who.name, seconds=hours * 3_600, label=label
        )
    visit.audit("invite", token=created.token.id, project=project, label=label)
    link = f"{_base(visit)}{INVITATIONS}{created.text}"
    expires = f"{moment(created.token.expires):%Y-%m-%d %H:%M} UTC"
    return _made(visit, created, link=link, mail=_INVITED.format(project=project, expires=expires, link=link))


def _made(visit: Visit, created: Created, **values: str) -> web.Response:
    return VIEWS.page(visit, "token_made.html", status=201, made=_shown(created.token, visit), **values)


class _Faults:
    """What is wrong with the fields of a form, said all at once."""

    def __init__(self) -> None:
        self._found: list[Fault] = []

    def take(self, parse: Callable[[], T]) -> T | None:
        """Return what `parse` gives, or None where it finds faults."""
        try:
            return parse()
        except InvalidRecord as error:
            self._found += error.faults
            return None

    def check(self) -> None:
        """Raises `InvalidRecord` where anything was wrong."""
        if self._found:
            raise InvalidRecord(self._found)


def _scope(form: Form) -> Scope:
    if form.text("scope") == "admin":
        return "admin"
    projects = form.text("projects").replace(",", " ").split()
    if not projects:
        raise InvalidRecord([Fault("/projects", "scope-size", "Name at least one project, or choose administrator.")])
    return parse_scope(projects, "/projects")


def _number(form: Form, name: str, low: int, high: int) -> int:
    text = form.text(name)
    return whole_number(name, low, high)(int(text) if re.fullmatch(r"[0-9]{1,9}", text) else text)


async def _show(visit: Visit, fields: Form, faults: Mapping[str, str]) -> web.Response:
    """Show the list with the forms, or where there are faults the forms alone, as they were filled in."""
    after = visit.parameter("after")
    if after and not is_id(after):
        raise MalformedText(f"The list cannot go on after {shorten(after)}. Follow its links.")
    found: list[StoredToken] = []
    following = None
    if not faults:
        async with in_time("read"):
            found, following = await visit.services.tokens.page(after, PAGE)
    shown = sorted((_shown(token, visit) for token in found), key=lambda each: each.created, reverse=True)
    shown.sort(key=lambda each: not each.open)
    values = {name: cut(fields.text(name, default), _MAX_FIELD) for name, default in _DEFAULTS.items()}
    return VIEWS.page(
        visit,
        "tokens.html",
        status=422 if faults else 200,
        tokens=[each for each in shown if each.kind == _TOKEN],
        invitations=[each for each in shown if each.kind == _INVITATION],
        following=following,
        after=after,
        again=bool(visit.parameter("again")),
        once=visit.services.sessions.new_once(),
        values=values,
        faults=faults,
        own=visit.session.token_id,
    )


def _shown(token: StoredToken, visit: Visit) -> Shown:
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
    return "active" if token.kind == _TOKEN else "not used yet", True


def _words(scope: Scope) -> str:
    if scope == "admin":
        return "administrator"
    more = len(scope) - _SCOPE_SHOWN
    return ", ".join(scope[:_SCOPE_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _base(visit: Visit) -> str:
    """Return where the public reaches the admin side: the setting, else where this request has reached it."""
    return visit.services.settings.admin_base or f"http://{visit.request.host}"
