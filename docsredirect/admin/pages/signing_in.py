"""Signing in and out: by an invitation link, or with a token."""

from aiohttp import web

from docsredirect.admin.bodies import moment
from docsredirect.admin.pages.visits import VIEWS, Visit, see_other, segment
from docsredirect.admin.services import in_time
from docsredirect.domain.errors import InvitationSpent, NoSuchInvitation, TokenRefused, TooManyWrongTokens
from docsredirect.domain.tokens import Identity

SIGN_IN = "/sign-in"


async def show_sign_in(visit: Visit) -> web.StreamResponse:
    """Ask for a token."""
    if visit.identity is not None:
        return see_other(_next(visit))
    return VIEWS.page(visit, "sign_in.html", problem=None, next=_next(visit))


async def sign_in(visit: Visit) -> web.StreamResponse:
    """Begin a session with a token."""
    tokens = visit.services.tokens
    try:
        async with in_time("read"):
            identity = await tokens.identify(visit.form.text("token") or None)
    except TokenRefused as error:
        try:
            visit.services.note_refusal(visit.request, error)
        except TooManyWrongTokens as limited:
            response = VIEWS.page(visit, "sign_in.html", status=429, problem=str(limited), next=_next(visit))
            response.headers["Retry-After"] = str(limited.retry_after)
            return response
        return VIEWS.page(visit, "sign_in.html", status=401, problem=str(error), next=_next(visit))
    response = see_other(_next(visit))
    _begin(visit, response, identity)
    return response


async def sign_out(visit: Visit) -> web.StreamResponse:
    """End the session."""
    response = see_other(SIGN_IN)
    visit.services.sessions.end(visit.session)
    visit.services.sessions.write(response, visit.services.sessions.begin(None))
    return response


async def show_invitation(visit: Visit) -> web.StreamResponse:
    """Say what an invitation is for. Changes nothing: whoever previews a link fetches it too."""
    try:
        async with in_time("read"):
            invitation = await visit.services.tokens.look_at(visit.request.match_info["invitation"])
    except (NoSuchInvitation, InvitationSpent) as error:
        return VIEWS.page(visit, "invitation_spent.html", status=error.status, problem=str(error))
    return VIEWS.page(
        visit,
        "invitation.html",
        project=invitation.scope[0],
        expires=moment(invitation.expires),
        label=invitation.label,
    )


async def take_up_invitation(visit: Visit) -> web.StreamResponse:
    """Spend an invitation for a session."""
    try:
        async with in_time("commit"):
            created = await visit.services.tokens.redeem(visit.request.match_info["invitation"])
    except (NoSuchInvitation, InvitationSpent) as error:
        return VIEWS.page(visit, "invitation_spent.html", status=error.status, problem=str(error))
    token = created.token
    visit.services.audit(
        "invitation-redeem", by=token.created_by, request_id=visit.request_id, token=token.id, scope=token.scope
    )
    identity = Identity(id=token.id, name=token.created_by, scope=token.scope)
    response = see_other(f"/projects/{segment(token.scope[0])}")
    _begin(visit, response, identity)
    return response


def _begin(visit: Visit, response: web.Response, identity: Identity) -> None:
    sessions, tokens = visit.services.sessions, visit.services.tokens
    sessions.write(response, sessions.begin(identity.id or tokens.bootstrap_id))


def _next(visit: Visit) -> str:
    """Return where to go once signed in: a path of ours, and nothing else that somebody may have put there."""
    wanted = visit.form.text("next") or visit.request.query.get("next", "")
    own = wanted.startswith("/") and not wanted.startswith("//") and "\\" not in wanted and wanted.isprintable()
    return wanted if own else "/"
