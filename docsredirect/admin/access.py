"""The routes of tokens and invitations. Secrets leave here once, and are never logged."""

from typing import Any

from aiohttp import web

from docsredirect.admin import reading
from docsredirect.admin.bodies import (
    DEFAULT_HOURS,
    MAX_HOURS,
    MIN_HOURS,
    InvitationBody,
    NewTokenBody,
    TokensBody,
    moment,
    token_body,
)
from docsredirect.admin.services import NO_STORE, Call, in_time, json_response, next_link
from docsredirect.domain.errors import MalformedText, shorten
from docsredirect.domain.tokens import is_id, parse_label, parse_project, parse_scope
from docsredirect.service.issued_tokens import Created

INVITATIONS = "/-/invitations/"
MAX_LIMIT, DEFAULT_LIMIT = 1_000, 100

_INVITED = """\
You are invited to say where the documentation of {project} lives now.

This link works once, until {expires}. To take it up, run

    curl -X POST {link}

which answers with a token for {project}. Keep it, and give it to the command line as DOCSREDIRECT_TOKEN
with DOCSREDIRECT_URL={base}; then see `docsredirect set --help`.
"""


async def list_tokens(call: Call) -> web.Response:
    """Answer a page of tokens and invitations, without secrets."""
    after = call.query.text("cursor") or ""
    if after and not is_id(after):
        raise MalformedText(f"cursor is {shorten(after)}. Follow the link with rel=next instead of making one.")
    limit = call.query.number("limit", 1, MAX_LIMIT, DEFAULT_LIMIT)
    async with in_time("read"):
        found, cursor = await call.services.tokens.page(after, limit)
    return json_response(TokensBody([token_body(token) for token in found]), headers=next_link(call.request, cursor))


async def create_token(call: Call) -> web.Response:
    """Make a token and show its secret this once."""
    fields = reading.Fields(await reading.read_json(call.request), ("scope", "expires", "label"))
    scope = fields.need("scope", parse_scope)
    expires = fields.take("expires", reading.future_time("expires", call.services.clock()))
    label = fields.take("label", parse_label)
    fields.check()
    assert scope is not None
    async with in_time("commit"):
        created = await call.services.tokens.create(scope, created_by=call.who.name, expires=expires, label=label)
    call.audit("token-create", token=created.token.id, scope=created.token.scope, label=label)
    return _new_token(created)


async def revoke_token(call: Call) -> web.Response:
    """Take a token or an invitation back."""
    async with in_time("commit"):
        revoked = await call.services.tokens.revoke(call.request.match_info["id"])
    call.audit("token-revoke", token=revoked.id)
    return json_response(token_body(revoked))


async def invite(call: Call) -> web.Response:
    """Make a link that lets one person in, once, for one project."""
    fields = reading.Fields(await reading.read_json(call.request), ("project", "hours", "label"))
    project = fields.need("project", parse_project)
    hours = fields.take("hours", reading.whole_number("hours", MIN_HOURS, MAX_HOURS))
    label = fields.take("label", parse_label)
    fields.check()
    assert project is not None
    async with in_time("commit"):
        created = await call.services.tokens.invite(
            project, created_by=call.who.name, seconds=(hours or DEFAULT_HOURS) * 3_600, label=label
        )
    call.audit("invite", token=created.token.id, project=project, label=label)
    body = InvitationBody(
        id=created.token.id,
        link=f"{_base(call)}{INVITATIONS}{created.text}",
        project=project,
        expires=moment(created.token.expires),
        label=label,
    )
    return json_response(body, status=201)


async def show_invitation(call: Call) -> web.Response:
    """Say what an invitation is for. Changes nothing: whoever previews a link fetches it too."""
    text = call.request.match_info["invitation"]
    async with in_time("read"):
        token = await call.services.tokens.look_at(text)
    words = _INVITED.format(
        project=", ".join(token.scope),
        expires=f"{moment(token.expires):%Y-%m-%d %H:%M} UTC",
        link=f"{_base(call)}{INVITATIONS}{text}",
        base=_base(call),
    )
    return web.Response(text=words, headers={**NO_STORE, "Referrer-Policy": "no-referrer"})


async def redeem_invitation(call: Call) -> web.Response:
    """Spend an invitation for a token of its project."""
    async with in_time("commit"):
        created = await call.services.tokens.redeem(call.request.match_info["invitation"])
    token = created.token
    call.services.audit(
        "invitation-redeem", by=token.created_by, request_id=call.request_id, token=token.id, scope=token.scope
    )
    return _new_token(created)


def _new_token(created: Created) -> web.Response:
    token = created.token
    scope: Any = token.scope if token.scope == "admin" else list(token.scope)
    body = NewTokenBody(id=token.id, token=created.text, scope=scope, expires=moment(token.expires), label=token.label)
    return json_response(body, status=201)


def _base(call: Call) -> str:
    """Return where the public reaches the admin side: the setting, else where this request has reached it."""
    return call.services.settings.admin_base or f"http://{call.request.host}"
