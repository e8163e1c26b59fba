"""Making tokens and invitations. Secrets leave here once, in the answer to the form that asked for them."""

import re
import shlex
from collections.abc import Callable
from typing import TypeVar

from aiohttp import web

from docsredirect.admin.access import INVITATIONS
from docsredirect.admin.bodies import MAX_HOURS, MIN_HOURS, moment
from docsredirect.admin.pages import tokens
from docsredirect.admin.pages.visits import VIEWS, Form, Visit, see_other
from docsredirect.admin.reading import whole_number
from docsredirect.admin.services import in_time
from docsredirect.domain.errors import Fault, InvalidRecord
from docsredirect.domain.tokens import Scope, parse_label, parse_project, parse_scope
from docsredirect.service.issued_tokens import Created

_INVITED = """\
You are invited to say where old links to the documentation of {project} lead:
the links to pythonhosted.org/{project}/ that stand in books, answers and other pages.

Open this link, and follow the page. It works once, until {expires}.

{link}
"""

T = TypeVar("T")


async def make(visit: Visit) -> web.StreamResponse:
    """Make a token or an invitation, and show its secret this once."""
    form, sessions = visit.form, visit.services.sessions
    making = _make_invitation if form.text("make") == tokens.INVITATION else _make_token
    once = form.text("once")
    if not sessions.spend(once):
        return see_other(f"{tokens.TOKENS}?again=1")
    try:
        return await making(visit)
    except InvalidRecord as error:
        sessions.give_back(once)
        faults = {fault.pointer.split("/")[1]: fault.detail for fault in reversed(error.faults)}
        return await tokens.show(visit, form, faults)
    except BaseException:
        sessions.give_back(once)
        raise


async def _make_token(visit: Visit) -> web.StreamResponse:
    form, faults = visit.form, _Faults()
    scope = faults.take(lambda: _scope(form))
    label = faults.take(lambda: parse_label(form.text("label")))
    days = faults.take(lambda: _number(form, "days", 1, tokens.MAX_DAYS))
    faults.check()
    assert scope is not None and days is not None
    services = visit.services
    async with in_time("commit"):
        created = await services.tokens.create(
            scope, created_by=visit.who.name, expires=services.clock() + days * tokens.DAY, label=label
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
    return VIEWS.page(visit, "token_made.html", status=201, made=tokens.shown(created.token, visit), **values)


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


def _base(visit: Visit) -> str:
    """Return where the public reaches the admin side: the setting, else where this request has reached it."""
    return visit.services.settings.admin_base or f"http://{visit.request.host}"
