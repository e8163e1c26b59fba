"""Sessions of people with a browser: a signed cookie that names the token which began it, never its secret; and what
guards their forms against other sites. Knows no page.

Who has not signed in has a session too, of nobody: the form to sign in is guarded like any other.
"""

import hashlib
import hmac
from collections.abc import Callable
from typing import NamedTuple

from aiohttp import hdrs, web
from cachetools import TTLCache
from itsdangerous import BadData, URLSafeTimedSerializer

from docsredirect.admin.errors import FormRefused
from docsredirect.domain.errors import TokenRefused
from docsredirect.domain.tokens import Identity
from docsredirect.service.tokens import Tokens

SECONDS = 12 * 3_600
"""How long a session lasts: a working day. Its token's expiry and revocation end it earlier."""

MAX_SPENT = 10_000
"""Forms of which it is remembered that they were sent."""

CSRF_FIELD = "csrf"
_NAME = "docsredirect-session"
_NONCE_LENGTH = 22


class Session(NamedTuple):
    """What a cookie says: the id of the token that signed in (None: nobody has), and a nonce of its own."""

    token_id: str | None
    nonce: str


class Sessions:
    """Reads and writes session cookies, signed with `secret`; `new_nonce` gives random text of a length.
    Under `https` cookies are for it alone, and cannot be set by another host (``__Host-``, RFC 6265bis)."""

    def __init__(self, secret: str, tokens: Tokens, new_nonce: Callable[[int], str], *, https: bool) -> None:
        self._serializer = URLSafeTimedSerializer(secret, salt="docsredirect-session")
        self._secret = secret.encode()
        self._tokens = tokens
        self._new_nonce = new_nonce
        self._https = https
        self._spent: TTLCache[str, bool, float] = TTLCache(MAX_SPENT, SECONDS)
        self._ended: TTLCache[str, bool, float] = TTLCache(MAX_SPENT, SECONDS)
        self.cookie = f"__Host-{_NAME}" if https else _NAME

    def read(self, request: web.Request) -> Session | None:
        """Return the session of a request, or None where it has none that is good."""
        cookie = request.cookies.get(self.cookie)
        if cookie is None:
            return None
        try:
            token_id, nonce = self._serializer.loads(cookie, max_age=SECONDS)
        except (BadData, TypeError, ValueError):
            return None
        return None if nonce in self._ended else Session(token_id, nonce)

    def end(self, session: Session) -> None:
        """Take a session's cookie for nobody's from now on, in this process: one that was copied is of no use after its
        owner has signed out. What ends it everywhere is revoking its token."""
        self._ended[session.nonce] = True

    def begin(self, token_id: str | None) -> Session:
        """Return a new session."""
        return Session(token_id, self._new_nonce(_NONCE_LENGTH))

    def write(self, response: web.StreamResponse, session: Session) -> None:
        """Set the cookie of a session."""
        value = self._serializer.dumps(list(session))
        response.set_cookie(
            self.cookie, value, max_age=SECONDS, path="/", httponly=True, samesite="Strict", secure=self._https
        )

    async def identity(self, session: Session | None) -> Identity | None:
        """Return who is signed in, or None: also where the token has expired or was revoked. Raises `StoreUnavailable`
        where that cannot be known now."""
        if session is None or session.token_id is None:
            return None
        try:
            return await self._tokens.holder_of(session.token_id)
        except TokenRefused:
            return None

    def csrf(self, session: Session) -> str:
        """Return what the forms of a session carry."""
        return hmac.new(self._secret, f"csrf {session.nonce}".encode(), hashlib.sha256).hexdigest()

    def new_once(self) -> str:
        """Return what a form carries that may make something only once."""
        return self._new_nonce(_NONCE_LENGTH)

    def spend(self, once: str) -> bool:
        """Tell whether a form with `once` is sent for the first time, as far as this process knows: a page that is
        loaded again sends its form again."""
        if len(once) != _NONCE_LENGTH or once in self._spent:
            return False
        self._spent[once] = True
        return True

    def give_back(self, once: str) -> None:
        """Let a form be sent again: nothing was made of it."""
        self._spent.pop(once, None)

    def check_form(self, request: web.Request, session: Session | None, csrf: str | None) -> None:
        """Raises `FormRefused` where a form was not sent from a page of ours, in this session."""
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is not None and origin.partition("://")[2] != request.host:
            raise FormRefused("The form was sent from another site. Nothing was changed.")
        if origin is None and request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
            raise FormRefused("The form was sent from another site. Nothing was changed.")
        if session is None or csrf is None or not hmac.compare_digest(self.csrf(session).encode(), csrf.encode()):
            raise FormRefused("The page was open for too long, or in another session. Load it again, then send it.")
