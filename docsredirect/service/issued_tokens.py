"""Tokens and invitations as objects of the store: made, read, changed, listed. Decides nothing about who is let in.

Every change is a compare-and-swap on the state that was read, so no change can undo another.
"""

import hmac
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
import structlog

from docsredirect.domain import tokens
from docsredirect.domain.clock import Clock
from docsredirect.domain.errors import Conflict, Damaged, NoSuchToken
from docsredirect.domain.tokens import Kind, Scope, StoredToken, TokenText
from docsredirect.service.concurrency import for_each
from docsredirect.service.known_tokens import Known, KnownTokens
from docsredirect.store import Store

ATTEMPTS = 100
"""Lost races for one token before that is reported instead."""

_PAGE_READS = 16

log = structlog.get_logger(__name__)


class Created(msgspec.Struct, frozen=True):
    """A new token or invitation, and its text, which can be had only now. `repr` leaves it out."""

    text: str
    token: StoredToken

    def __repr__(self) -> str:
        return f"Created(token={self.token!r})"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a new token or invitation is to be. `expires` is in seconds since the epoch."""

    kind: Kind
    scope: Scope
    label: str | None
    created_by: str
    expires: float


class IssuedTokens:
    """The tokens of `store`. The parameters are those of `docsredirect.service.tokens.Tokens`."""

    def __init__(self, store: Store, *, clock: Clock, monotonic: Clock, new_text: Callable[[int], str]) -> None:
        self._store = store
        self._clock = clock
        self._new_text = new_text
        self._known = KnownTokens(store, monotonic=monotonic)

    async def matching(self, text: str, kind: Kind) -> Known | None:
        """Return the token of that kind whose whole text is `text`, as it was within the last 3 seconds, or None.
        Text that is no token by its form costs no read. Raises `StoreUnavailable`, `Damaged`."""
        shown = tokens.parse(text)
        known = None if shown is None else await self._known.find(shown.id)
        if known is None or not hmac.compare_digest(tokens.digest(text), known.token.hash):
            return None
        return known if known.token.kind == kind else None

    async def find(self, id_: str) -> Known | None:
        """Return the token of that id as it was within the last 3 seconds, or None. Raises as `matching` does."""
        return await self._known.find(id_)

    async def read(self, id_: str) -> Known:
        """Return a token as it is now. Raises `NoSuchToken`, `StoreUnavailable`, `Damaged`."""
        if not tokens.is_id(id_):  # which is not named: it may be a whole token, given by mistake
            raise NoSuchToken(
                f"A token's id is {tokens.ID_LENGTH} letters and digits, the part between the two `_` of a token. "
                "`docsredirect token list` shows those that there are."
            )
        known = await self._known.read(id_)
        if known is None:
            raise NoSuchToken(f"There is no token {id_}. `docsredirect token list` shows those that there are.")
        return known

    async def issue(self, wanted: Wanted) -> Created:
        """Make a new token. Raises `StoreUnavailable`, `WritesRefused`."""
        for _ in range(ATTEMPTS):
            text = TokenText(self._new_text(tokens.ID_LENGTH), self._new_text(tokens.SECRET_LENGTH))
            token = StoredToken(
                id=text.id,
                hash=tokens.digest(str(text)),
                created=self._clock(),
                **msgspec.structs.asdict(wanted),
            )
            if await self._create(token):
                return Created(str(text), token)
        raise Conflict(f"{ATTEMPTS} new ids were all taken: the source of random text is broken.")

    async def replace(self, known: Known, token: StoredToken) -> None:
        """Put `token` where the store still holds what is `known`. Raises `Conflict`, `StoreUnavailable`,
        `WritesRefused`."""
        try:
            await self._store.replace(tokens.key_of(token.id), tokens.encode(token), known.etag)
        finally:  # a write that was not answered may have gone through as well
            self._known.forget(token.id)

    async def revoke(self, id_: str) -> StoredToken:
        """Take a token back. One that was taken back before is returned as it is.

        Raises `NoSuchToken`, `StoreUnavailable`, `WritesRefused`, `Damaged`, and `Conflict` where every attempt lost
        its race.
        """
        for _ in range(ATTEMPTS):
            known = await self.read(id_)
            if known.token.revoked is not None:
                self._known.forget(id_)  # another process did it: this one is not to be 3 seconds behind either
                return known.token
            revoked = msgspec.structs.replace(known.token, revoked=self._clock())
            try:
                await self.replace(known, revoked)
            except Conflict:
                continue
            return revoked
        raise Conflict(f"The token {id_} changed {ATTEMPTS} times while it was being revoked.")

    async def page(self, after: str, limit: int) -> tuple[list[StoredToken], str | None]:
        """Return the first `limit` tokens whose ids come after `after`, by id, and what to give as `after` for more;
        None: there are no more. Damaged ones are left out and logged. Raises `StoreUnavailable`."""
        ids: list[str] = []
        async for listed in self._store.list_objects(tokens.PREFIX):
            id_ = tokens.id_of(listed.key)
            if id_ is not None and id_ > after:
                ids.append(id_)
            if len(ids) > limit:
                break
        found: dict[str, StoredToken] = {}

        async def read(id_: str) -> None:
            try:
                stored = await self._store.get(tokens.key_of(id_))
                if stored is not None:
                    found[id_] = tokens.decode(stored.body, id_)
            except Damaged as error:
                log.error("damaged token", token=id_, reason=str(error))

        await for_each(ids[:limit], read, _PAGE_READS)
        return [found[id_] for id_ in sorted(found)], ids[limit - 1] if len(ids) > limit else None

    async def close(self) -> None:
        """Stop what is still being read."""
        await self._known.close()

    async def _create(self, token: StoredToken) -> bool:
        """Put a new token. Returns False where its id is taken by another."""
        key, body = tokens.key_of(token.id), tokens.encode(token)
        try:
            await self._store.create(key, body)
        except Conflict:  # also the answer to a second attempt whose first one had succeeded
            stored = await self._store.get(key)
            return stored is not None and stored.body == body
        finally:
            self._known.forget(token.id)
        return True


def date_of(seconds: float) -> str:
    """Return a time in seconds since the epoch as an error states it."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"
