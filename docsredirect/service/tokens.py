"""Who is let in, and the one door to tokens and invitations. Knows no HTTP, and no project but by name.

No secret is logged, stored, or named in an error.
"""

import hmac
from collections.abc import Callable

import msgspec
import structlog
from cachetools import TTLCache

from docsredirect.domain import tokens
from docsredirect.domain.clock import Clock
from docsredirect.domain.errors import StoreError, TokenExpired, TokenMissing, TokenRevoked, TokenUnknown
from docsredirect.domain.tokens import Identity, Scope, StoredToken
from docsredirect.service.background import Background
from docsredirect.service.invitations import TOKEN_SECONDS, Invitations
from docsredirect.service.issued_tokens import Created, IssuedTokens, Wanted, date_of
from docsredirect.service.known_tokens import Known
from docsredirect.store import Store

__all__ = ["INVITATION_SECONDS", "TOKEN_SECONDS", "Created", "Tokens"]

INVITATION_SECONDS = 72 * 3_600.0
"""How long an invitation lives where nobody says otherwise: a weekend and a day."""

LAST_USED_SECONDS = 300.0
"""How old the note of a last use may be: a busy token costs one write in this time."""

_NOTED = 10_000
"""Tokens of which it is remembered that their use was noted."""

_CLOSE_SECONDS = 2.0

log = structlog.get_logger(__name__)


class Tokens:
    """The tokens of `store`, and the `bootstrap` token, which needs no store.

    `clock` gives seconds since the epoch, `monotonic` seconds from any fixed start; `new_text` as many random base62
    characters as it is told.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock,
        monotonic: Clock,
        new_text: Callable[[int], str],
        bootstrap: str | None,
    ) -> None:
        self._clock = clock
        self._bootstrap = tokens.digest(bootstrap) if bootstrap else None
        self._background = Background()
        self._issued = IssuedTokens(store, clock=clock, monotonic=monotonic, new_text=new_text)
        self._invitations = Invitations(self._issued, self._background, clock=clock)
        self._noted: TTLCache[str, bool, float] = TTLCache(_NOTED, LAST_USED_SECONDS, monotonic)

    async def identify(self, text: str | None) -> Identity:
        """Return who holds the token `text`, and note its use.

        Raises `TokenMissing`, `TokenUnknown` (also for a wrong secret, and for an invitation), `TokenRevoked` and
        `TokenExpired`; `StoreUnavailable` where that cannot be known now, and `Damaged`.
        """
        if not text:
            raise TokenMissing("No token was shown. Send one as `Authorization: Bearer drd_…`.")
        if self._bootstrap is not None and hmac.compare_digest(tokens.digest(text), self._bootstrap):
            return tokens.BOOTSTRAP
        known = await self._issued.matching(text, "token")
        if known is None:
            raise TokenUnknown(
                "The token is not one of this service. Check that it was copied in full, or ask an administrator "
                "for a new one."
            )
        now = self._clock()
        _check_valid(known.token, now)
        self._note_use(known, now)
        return tokens.identity_of(known.token)

    async def holder_of(self, id_: str) -> Identity:
        """Return who holds the token of that id, for a session that it began; `bootstrap_id` is the bootstrap token's.
        Raises as `identify` does."""
        if id_ == self.bootstrap_id:
            return tokens.BOOTSTRAP
        known = await self._issued.find(id_) if tokens.is_id(id_) else None
        if known is None or known.token.kind != "token":
            raise TokenUnknown("The token that began this session is not known any more. Sign in again.")
        now = self._clock()
        _check_valid(known.token, now)
        self._note_use(known, now)
        return tokens.identity_of(known.token)

    @property
    def bootstrap_id(self) -> str | None:
        """What stands for the bootstrap token in a session: another one, once the token is. None without a token."""
        return None if self._bootstrap is None else f"bootstrap-{tokens.digest(self._bootstrap)[:16]}"

    async def create(
        self, scope: Scope, *, created_by: str, expires: float | None = None, label: str | None = None
    ) -> Created:
        """Make a token that may write `scope` until `expires` (seconds since the epoch; None: for 90 days), and not
        beyond the year 9999, which a local time may reach.

        Scope and label are checked ones (`parse_scope`, `parse_label`). Raises `StoreUnavailable`, `WritesRefused`.
        """
        if expires is None:
            expires = self._clock() + TOKEN_SECONDS
        wanted = Wanted(
            kind="token", scope=scope, label=label, created_by=created_by, expires=min(expires, tokens.LAST_TIME)
        )
        return await self._issued.issue(wanted)

    async def get(self, id_: str) -> StoredToken:
        """Return a token or an invitation as it is now. Raises `NoSuchToken`, `StoreUnavailable`, `Damaged`."""
        return (await self._issued.read(id_)).token

    async def revoke(self, id_: str) -> StoredToken:
        """Take a token or an invitation back: at once in this process, within 5 seconds in every other. One that was
        taken back before is returned as it is.

        Raises `NoSuchToken`, `StoreUnavailable`, `WritesRefused`, `Damaged`, and `Conflict` where a hundred attempts
        lost their race.
        """
        return await self._issued.revoke(id_)

    async def page(self, after: str, limit: int) -> tuple[list[StoredToken], str | None]:
        """Return the first `limit` tokens and invitations whose ids come after `after` ("" for all), by id, and what
        to give as `after` for more; None: there are no more. Damaged ones are left out and logged.

        Raises `StoreUnavailable`.
        """
        return await self._issued.page(after, limit)

    async def invite(
        self, project_name: str, *, created_by: str, seconds: float = INVITATION_SECONDS, label: str | None = None
    ) -> Created:
        """Make an invitation: a text that signs in once, within `seconds`, for one project, in any spelling.

        Raises `InvalidRecord` where that is no project's name, `StoreUnavailable`, `WritesRefused`.
        """
        return await self._invitations.invite(project_name, created_by=created_by, seconds=seconds, label=label)

    async def look_at(self, text: str) -> StoredToken:
        """Return the invitation that `text` could still redeem. Changes nothing: a preview of a link fetches it too.

        Raises `NoSuchInvitation`, `InvitationSpent`, `StoreUnavailable`, `Damaged`.
        """
        return (await self._invitations.look_at(text)).token

    async def redeem(self, text: str) -> Created:
        """Spend an invitation for a new token, which may write its project for 90 days. Of all who redeem it at once,
        in any process, one succeeds.

        Raises `NoSuchInvitation`, `InvitationSpent`, `StoreUnavailable`, `WritesRefused`, `Damaged`.
        """
        return await self._invitations.redeem(text)

    async def close(self) -> None:
        """Let what goes on in the background finish, for a moment, and stop the rest."""
        await self._background.close(_CLOSE_SECONDS)
        await self._issued.close()

    def _note_use(self, known: Known, now: float) -> None:
        token = known.token
        recent = token.last_used is not None and now - token.last_used < LAST_USED_SECONDS
        if not recent and token.id not in self._noted:
            self._noted[token.id] = True
            self._background.run(self._write_use(known, now))

    async def _write_use(self, known: Known, now: float) -> None:
        try:
            # On the state that was read: what was revoked since then stays revoked.
            await self._issued.replace(known, msgspec.structs.replace(known.token, last_used=now))
        except StoreError as error:
            log.debug("last use not noted", token=known.token.id, reason=str(error))


def _check_valid(token: StoredToken, now: float) -> None:
    if token.revoked is not None:
        date = date_of(token.revoked)
        raise TokenRevoked(f"The token {token.id} was revoked on {date}. Ask an administrator for a new one.")
    if now >= token.expires:
        date = date_of(token.expires)
        raise TokenExpired(f"The token {token.id} expired on {date}. Ask an administrator for a new one.")
