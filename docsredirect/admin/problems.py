"""Every problem that the API tells of (RFC 9457): its title, what it means, and what to do. The pages, the OpenAPI
document and the answers are made from this one table."""

from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET

from docsredirect.admin import errors as http
from docsredirect.admin.bodies import ProblemBody, project_body
from docsredirect.domain import errors
from docsredirect.domain.errors import DocsRedirectError

CONTENT_TYPE = "application/problem+json"
PREFIX = "/-/problems/"


class Problem(NamedTuple):
    """A kind of problem: its stable code, its status, and words for people."""

    code: str
    status: int
    title: str
    meaning: str
    remedy: str

    @property
    def type(self) -> str:
        """The path of its page, which is the problem's ``type``."""
        return PREFIX + self.code


def _of(kind: type[DocsRedirectError], title: str, meaning: str, remedy: str) -> Problem:
    return Problem(kind.code, kind.status, title, meaning, remedy)


PROBLEMS: tuple[Problem, ...] = (
    _of(errors.MalformedText, "The request cannot be read",
        "The body is not JSON, has an object with the same key twice, or a parameter or header is not what it has to "
        "be.", "The detail says what was found and what is accepted. Correct that and send the request again."),
    _of(errors.InvalidRecord, "The record breaks rules",
        "A redirect record has faults. All of them are listed under `errors`, each with a JSON pointer to the value.",
        "Correct every value that is pointed at. Nothing was written."),
    _of(http.InvalidBody, "The request breaks rules",
        "A field of the body, or a header, has a value that is not accepted. All are listed under `errors`.",
        "Correct every value that is pointed at. Nothing was written."),
    _of(errors.ImportRefused, "The import would change too much",
        "It would change more than a fifth of a table of over 1,000 redirects, which is more often a mistake than a "
        "plan.", "Look at it with `dry_run=true`. If all of it is meant, repeat it with `force=true`."),
    _of(errors.TokenMissing, "No token was shown",
        "This needs a token, in the header `Authorization: Bearer drd_…`.",
        "Ask the operators of this service for a token or an invitation, and send the token with each request."),
    _of(errors.TokenUnknown, "The token is not known",
        "The token is not one that was given out here: it may be cut short, mistyped, or of another service.",
        "Compare it with what you were given. If it is lost, ask for a new one: secrets are not kept here."),
    _of(errors.TokenExpired, "The token has expired", "Its time is over.", "Ask for a new token."),
    _of(errors.TokenRevoked, "The token was revoked", "Somebody took it back.",
        "Ask the operators why, and for a new one."),
    _of(errors.ScopeMissing, "The token does not reach that far",
        "The token is valid, and may not do this: a token for projects writes only those, and tokens, invitations, "
        "imports and `On-Behalf-Of` are for administrators. The detail names the scope that is missing.",
        "Use a token with that scope, or ask an administrator."),
    _of(errors.TooManyWrongTokens, "Too many wrong tokens",
        "From your address came too many tokens that are not valid. Valid ones are still accepted.",
        "Wait for the seconds of `Retry-After`, and check the token that your program sends."),
    _of(errors.NoSuchProject, "There is no redirect for this project",
        "The project never had a redirect here, or it was removed. Its history is kept then, and the answer has an "
        "`ETag`.", "Check the name: any spelling will do. To create it, PUT it with `If-None-Match: *`; to bring a "
        "removed one back, roll it back."),
    _of(errors.NoSuchRevision, "There is no such revision", "The project never had that revision.",
        "Look at its history."),
    _of(errors.NoSuchToken, "There is no such token", "No token or invitation has that id.",
        "List them. The id is the part between the two underscores."),
    _of(errors.NoSuchInvitation, "There is no such invitation", "The link is not one that was made here.",
        "Open the link exactly as you got it, or ask for a new one."),
    _of(errors.InvitationSpent, "The invitation cannot be used any more",
        "It was used already, was taken back, or is too old. Each works once.", "Ask for a new one."),
    _of(http.FormRefused, "The form was not taken", "A page's form came from another site, or the page was made for "
        "another session.", "Load the page again, and send the form from there."),
    _of(http.NoSuchRoute, "There is nothing here", "No part of this service is at that path.",
        "The routes are listed in /-/api/v1/openapi.json."),
    _of(http.MethodNotAllowed, "The method is not allowed here", "The path exists, and not for this method.",
        "Use one of the methods in `Allow`."),
    _of(http.BodyTooSlow, "The body did not come in time", "The rest of the body was not waited for.", "Try again."),
    _of(errors.PreconditionFailed, "The project is not what you have seen",
        "Since you read it, the project was changed, created or removed by somebody. What it is now stands under "
        "`current`.", "Look at `current`. If your change is still right, send it again with the new ETag."),
    _of(http.BodyTooLarge, "The body is too large", "Bodies have at most 1 MiB, imports 64 MiB.",
        "Send less at a time: imports can be split at any line."),
    _of(http.AddressTooLong, "The address is too long", "Path and query are longer than 32 KiB.",
        "Send less in the address: POST /-/api/v1/resolve takes a URL in its body."),
    _of(http.WrongContentType, "The content type is not read here", "JSON bodies are `application/json`; imports are "
        "JSON Lines, `application/jsonl`. Both are in UTF-8 and not compressed.", "Set `Content-Type`."),
    _of(http.WrongHost, "This host is not served here",
        "The admin side answers for loopback names and for the host of DOCSREDIRECT_ADMIN_URL: so no page on "
        "another host can reach it by pointing its name here.",
        "Use the address you were given. Operators: set DOCSREDIRECT_ADMIN_URL to the public one."),
    _of(http.ExpectationFailed, "The expectation cannot be met", "`Expect` asks for something that is not known here.",
        "Send `Expect: 100-continue`, or none."),
    _of(http.PreconditionRequired, "Say what you have seen",
        "A write must say which state of the project it replaces, so that nothing is overwritten by accident.",
        "Read the project and send its `ETag` in `If-Match`; or `If-None-Match: *` to create it."),
    _of(errors.StoreUnavailable, "The store does not answer",
        "The object store cannot be reached, or is too slow. `step` says what failed of a write: read (nothing was "
        "changed), commit (the change may still take effect), publish (all is saved, and not shown to readers yet). "
        "Redirects go on being answered.",
        "Try again after `Retry-After`. After a failed commit, look at the project first, or send the same "
        "`Idempotency-Key`."),
    _of(errors.WritesRefused, "The store is not written to",
        "The store ignores the conditions of writes, so changes could be lost in silence. Nothing is written to it.",
        "Operators: use a store that honours If-None-Match and If-Match on PUT, then restart."),
    _of(errors.Conflict, "Too many others write the same project",
        "The project changed a hundred times while it was being written.", "Try again later."),
    _of(errors.Damaged, "Something in the store is damaged",
        "An object in the store is not what it should be. It is left alone, and the detail names it.",
        "Operators: see the runbook, deploy/README.md, under damaged objects."),
    _of(errors.Unknown, "The table cannot be read now",
        "The published table could not be read from the store now, or this process holds none yet.",
        "Try again after `Retry-After`."),
    _of(http.Busy, "Another import is under way", "Imports are done one at a time.",
        "Try again after `Retry-After`."),
    _of(DocsRedirectError, "Something is wrong on our side", "That should not have happened, and was logged.",
        "Tell the operators the `request_id`."),
)  # fmt: skip

BY_CODE = {problem.code: problem for problem in PROBLEMS}


def body_of(error: DocsRedirectError, request_id: str, *, published: bool = False, reveal: bool = False) -> bytes:
    """Return the body that tells of `error`; `published` is of the project that it holds, if it does. What an error
    says of the store and the machine is for administrators: `reveal`."""
    problem = BY_CODE[error.code]
    current: Any = UNSET
    if isinstance(error, errors.PreconditionFailed):
        current = None if error.current is None else project_body(error.current, published=published)
    body = ProblemBody(
        type=problem.type,
        title=problem.title,
        status=error.status,
        detail=detail_of(error, reveal=reveal),
        request_id=request_id,
        errors=error.faults if isinstance(error, errors.InvalidRecord) else UNSET,
        current=current,
        step=(error.step or UNSET) if isinstance(error, errors.StoreError) else UNSET,
    )
    return msgspec.json.encode(body) + b"\n"


def detail_of(error: DocsRedirectError, *, reveal: bool) -> str:
    """Return what is said of an error: its own words, unless they are about the inside of this service."""
    is_inside = isinstance(error, errors.StoreError | errors.Unknown) and not reveal
    return BY_CODE[error.code].meaning if error.status == DocsRedirectError.status or is_inside else str(error)


def refused(status: int, request_id: str) -> bytes:
    """Return the body of what no route has seen: 414, 500, or 400 for what is no HTTP."""
    if status == http.AddressTooLong.status:
        return body_of(http.AddressTooLong("The request line is too long to be read."), request_id)
    if status == DocsRedirectError.status:
        return body_of(DocsRedirectError("internal"), request_id)
    if status == http.ExpectationFailed.status:
        return body_of(http.ExpectationFailed("Expect is 100-continue, or not there."), request_id)
    return body_of(errors.MalformedText("This is no HTTP request (RFC 9112)."), request_id)
