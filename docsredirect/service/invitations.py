"""Invitations: links that sign a maintainer in once, for one project. Knows nothing of how a link looks.

The new token is made first and the invitation spent for it by compare-and-swap: a crash between the two leaves a
token that nobody holds, and an invitation that still works.
"""

import asyncio
from contextlib import suppress

import msgspec
import structlog

from docsredirect.domain import tokens
from docsredirect.domain.clock import Clock
from docsredirect.domain.errors import (
    Conflict,
    DocsRedirectError,
    InvitationSpent,
    NoSuchInvitation,
    StoreError,
    StoreUnavailable,
)
from docsredirect.domain.tokens import StoredToken
from docsredirect.service.background import Background
from docsredirect.service.issued_tokens import ATTEMPTS, Created, IssuedTokens, Wanted, date_of
from docsredirect.service.known_tokens import Known

TOKEN_SECONDS = 90 * 86_400.0
"""How long the token lives that an invitation was redeemed for."""

log = structlog.get_logger(__name__)


class Invitations:
    """Makes and redeems invitations among the `issued` tokens. `clock` gives seconds since the epoch."""

    def __init__(self, issued: IssuedTokens, background: Background, *, clock: Clock) -> None:
        self._issued = issued
        self._background = background
        self._clock = clock

    async def invite(self, project_name: str, *, created_by: str, seconds: float, label: str | None) -> Created:
        """Make an invitation for one project, in any spelling.

        Raises `InvalidRecord` where that is no project's name, `StoreUnavailable`, `WritesRefused`.
        """
        scope, expires = (tokens.parse_project(project_name),), self._clock() + seconds
        wanted = Wanted(kind="invitation", scope=scope, label=label, created_by=created_by, expires=expires)
        return await self._issued.issue(wanted)

    async def look_at(self, text: str) -> Known:
        """Return the invitation that `text` could still redeem. Changes nothing.

        Raises `NoSuchInvitation`, `InvitationSpent`, `StoreUnavailable`, `Damaged`.
        """
        known = await self._issued.matching(text, "invitation")
        if known is None:
            raise NoSuchInvitation(
                "This invitation is not one of this service. Check that the link was copied in full, or ask whoever "
                "sent it for a new one."
            )
        self._check_open(known.token)
        return known

    async def redeem(self, text: str) -> Created:
        """Spend an invitation for a new token.

        Raises `NoSuchInvitation`, `InvitationSpent`, `StoreUnavailable`, `WritesRefused`, `Damaged`.
        """
        known = await self.look_at(text)
        redeeming = asyncio.create_task(self._redeem(known), name="redeem")
        try:
            return await asyncio.shield(redeeming)
        except asyncio.CancelledError:  # whoever asked was told to try again: then that has to work
            self._background.run(self._undo(known.token.id, redeeming))
            raise

    async def _redeem(self, known: Known) -> Created:
        created = await self._issued.issue(self._wanted_for(known.token))
        try:
            await self._spend(known, created.token.id)
        except DocsRedirectError:
            self._background.run(self._take_back(known.token.id, created.token.id))
            raise
        return created

    async def _undo(self, invitation: str, redeeming: "asyncio.Task[Created]") -> None:
        with suppress(DocsRedirectError):  # what was not redeemed after all has been taken back already
            await self._take_back(invitation, (await redeeming).token.id)

    def _wanted_for(self, invitation: StoredToken) -> Wanted:
        return Wanted(
            kind="token",
            scope=invitation.scope,
            label=invitation.label,
            created_by=f"invitation {invitation.id} by {invitation.created_by}",
            expires=self._clock() + TOKEN_SECONDS,
        )

    async def _spend(self, known: Known, token_id: str) -> None:
        """Mark an invitation as redeemed for a token. Raises `InvitationSpent` where it was for another."""
        for _ in range(ATTEMPTS):
            used = msgspec.structs.replace(known.token, used=self._clock(), used_for=token_id)
            try:
                return await self._issued.replace(known, used)
            except (Conflict, StoreUnavailable) as error:
                known = await self._issued.read(known.token.id)
                if known.token.used_for == token_id:  # the answer was lost, and not the race
                    return None
                if isinstance(error, StoreUnavailable):
                    raise
            self._check_open(known.token)
        raise Conflict(f"The invitation {known.token.id} changed {ATTEMPTS} times while it was being redeemed.")

    def _check_open(self, invitation: StoredToken) -> None:
        ended = None
        if invitation.used is not None:
            ended = f"was used on {date_of(invitation.used)}, and works only once"
        elif invitation.revoked is not None:
            ended = f"was revoked on {date_of(invitation.revoked)}"
        elif self._clock() >= invitation.expires:
            ended = f"expired on {date_of(invitation.expires)}"
        if ended is not None:
            raise InvitationSpent(f"This invitation {ended}. Ask whoever sent it for a new one.")

    async def _take_back(self, invitation: str, token_id: str) -> None:
        """Undo a redemption of which nobody has the token's text: the invitation is as good as before, and no list
        shows a token that nobody holds."""
        try:
            await self._unspend(invitation, token_id)
            await self._issued.revoke(token_id)
        except StoreError as error:
            log.warning("token that nobody holds not taken back", token=token_id, reason=str(error))

    async def _unspend(self, invitation: str, token_id: str) -> None:
        for _ in range(ATTEMPTS):
            known = await self._issued.read(invitation)
            if known.token.used_for != token_id:
                return
            with suppress(Conflict):
                await self._issued.replace(known, msgspec.structs.replace(known.token, used=None, used_for=None))
                return
