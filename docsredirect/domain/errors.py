"""Everything that can go wrong, as one small tree.

DocsRedirectError
 ├ InvalidRecord      a record breaks rules; all its faults are listed
 ├ MalformedText      text that is not what its format says
 ├ InvalidSettings    the environment cannot be used; all its problems are listed
 ├ ImportRefused      an import as a whole would do too much
 ├ NotModified        the object is still what the reader holds
 ├ Unknown            nobody can say now where a name leads: never taken for "nowhere"
 ├ NoSuchProject      there is no redirect to read or remove
 ├ NoSuchRevision     a project never had that revision
 ├ NoSuchToken        there is no token of that id
 ├ PreconditionFailed  the project is not what the writer has seen
 ├ TokenRefused       nobody is let in
 │  ├ TokenMissing      no token was shown
 │  ├ TokenUnknown      the token is not one of ours
 │  ├ TokenExpired      its time is over
 │  └ TokenRevoked      somebody took it back
 ├ ScopeMissing       the token does not reach that far
 ├ TooManyWrongTokens an address has tried too often
 ├ NoSuchInvitation   the link is not one of ours
 ├ InvitationSpent    the link was used, taken back, or is too old
 ├ PurgeFailed        the CDN did not take a purge
 ├ MirrorRefused      the old service's file has what the table does not know
 └ StoreError
    ├ StoreUnavailable  the store did not answer, or answered something other than yes or no
    ├ WritesRefused     the store does not keep the conditions of writes, so nothing is written to it
    ├ Conflict          the object is not what the writer believed it to be
    └ Damaged           an object is there, and is not what it should be

Each class has a stable ``code`` and the HTTP ``status`` that a face shows for it.
"""

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from docsredirect.domain.projects import Project


def shorten(value: str, limit: int = 80) -> str:
    """Return `value` quoted for a message, cut to `limit` characters."""
    return repr(value if len(value) <= limit else value[:limit] + "…")


def pointer_to(*path: str) -> str:
    """Return the JSON pointer to a value (RFC 6901)."""
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)


class Fault(msgspec.Struct, frozen=True):
    """One thing wrong with a record: where (RFC 6901 pointer), a stable code, and what would be accepted."""

    pointer: str
    code: str
    detail: str


class DocsRedirectError(Exception):
    """The root of the tree."""

    code = "internal"
    status = 500


class InvalidRecord(DocsRedirectError):
    """A record breaks rules. `faults` lists every one of them."""

    code = "invalid-record"
    status = 422

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(f"{fault.pointer or '/'}: {fault.detail}" for fault in faults))
        self.faults = faults


class MalformedText(DocsRedirectError):
    """Text is not what its format says."""

    code = "malformed"
    status = 400


class InvalidSettings(DocsRedirectError):
    """The environment cannot be used. `problems` lists why, one sentence each."""

    code = "invalid-settings"

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class ImportRefused(DocsRedirectError):
    """An import as a whole would do too much without being told to."""

    code = "import-refused"
    status = 422


class NotModified(DocsRedirectError):
    """The object still has the ETag that the reader holds."""

    code = "not-modified"
    status = 304


class Unknown(DocsRedirectError):
    """Nobody can say now where a name leads."""

    code = "unknown"
    status = 503


class NoSuchProject(DocsRedirectError):
    """There is no redirect of that name. `etag` is a tombstone's, where there is one."""

    code = "no-such-project"
    status = 404

    def __init__(self, message: str, etag: str | None = None) -> None:
        super().__init__(message)
        self.etag = etag


class NoSuchRevision(DocsRedirectError):
    """A project never had that revision."""

    code = "no-such-revision"
    status = 422


class NoSuchToken(DocsRedirectError):
    """There is no token of that id."""

    code = "no-such-token"
    status = 404


class PreconditionFailed(DocsRedirectError):
    """The project is not what the writer has seen. `current` is what it is; None: it never was."""

    code = "precondition-failed"
    status = 412

    def __init__(self, message: str, current: "Project | None") -> None:
        super().__init__(message)
        self.current = current


class TokenRefused(DocsRedirectError):
    """Nobody is let in."""

    code = "token-refused"
    status = 401


class TokenMissing(TokenRefused):
    """No token was shown."""

    code = "token-missing"


class TokenUnknown(TokenRefused):
    """The token is not one of ours: no such id, another secret, or no token at all by its form."""

    code = "token-unknown"


class TokenExpired(TokenRefused):
    """The time of the token is over."""

    code = "token-expired"


class TokenRevoked(TokenRefused):
    """Somebody took the token back."""

    code = "token-revoked"


class ScopeMissing(DocsRedirectError):
    """The token does not reach that far. `scope` is what it would need."""

    code = "scope-missing"
    status = 403

    def __init__(self, message: str, scope: str) -> None:
        super().__init__(message)
        self.scope = scope


class TooManyWrongTokens(DocsRedirectError):
    """An address has shown wrong tokens too often. `retry_after` says in how many seconds it may try again."""

    code = "too-many-wrong-tokens"
    status = 429

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NoSuchInvitation(DocsRedirectError):
    """The link is not one of ours."""

    code = "no-such-invitation"
    status = 404


class InvitationSpent(DocsRedirectError):
    """The link was used already, was taken back, or is too old."""

    code = "invitation-spent"
    status = 410


class PurgeFailed(DocsRedirectError):
    """The CDN did not take a purge: it may still answer with what it has kept. `again` tells whether it may do so when
    it is asked again soon, and `after` how many seconds it wants to be left alone for."""

    code = "purge-failed"
    status = 502

    def __init__(self, message: str, *, again: bool, after: float | None = None) -> None:
        super().__init__(message)
        self.again = again
        self.after = after


class MirrorRefused(DocsRedirectError):
    """The old service's file holds projects that the table knows nothing of: rewriting it would lose them."""

    code = "mirror-refused"
    status = 409


class StoreError(DocsRedirectError):
    """The object store and this process do not agree. `step` is what failed of a write: read, commit or publish."""

    code = "store"
    status = 503
    step: str | None = None


class StoreUnavailable(StoreError):
    """The store did not answer, or answered something other than yes or no."""

    code = "store-unavailable"


class WritesRefused(StoreError):
    """The store does not keep the conditions of writes: nothing is written to it, and reading goes on."""

    code = "writes-refused"


class Conflict(StoreError):
    """The object is not what the writer believed it to be: it was there already, has changed, or is gone."""

    code = "conflict"


class Damaged(StoreError):
    """An object is there, and is not what it should be."""

    code = "damaged"
