"""What the admin side says when it does not do what was asked, as sentences for people. Sends and decides nothing."""

import click
import msgspec

from docsredirect.admin.bodies import ProblemBody
from docsredirect.cli.terminal import printable

SHOWN_FAULTS = 20
"""How many faults of a request a person is shown."""

_PROBLEM = "application/problem+json"
_TYPES = "/-/problems/"

_UNKNOWN_HINT = "Set DOCSREDIRECT_TOKEN to a token that is valid there. Administrators give out tokens and invitations."
_HINTS = {
    401: _UNKNOWN_HINT,
    403: "Use a token with that scope, or ask an administrator of the service to do it.",
    421: "Use the address that you were given for it in DOCSREDIRECT_URL.",
    500: "Tell the operators the request id, {request_id}.",
}
_STEPS = {
    "read": "Nothing was changed.",
    "commit": "The change may have been made all the same: look at it before you try again.",
    "publish": "The change is saved, and not published yet.",
}
_TOLD_ALREADY = ("Nothing was changed", "may still take effect")
"""What a detail says where it tells itself what became of a write."""


class NotOurs(click.ClickException):
    """Something answered that does not speak this API."""


class Problem(click.ClickException):
    """A problem that the API told of (RFC 9457)."""

    def __init__(self, body: ProblemBody, etag: str | None, retry_after: float | None) -> None:
        super().__init__("\n".join(_sentences(body, retry_after)))
        self.code = body.type.removeprefix(_TYPES)
        self.body = body
        self.etag = etag


def problem_of(body: bytes, media: str, etag: str | None, retry_after: float | None) -> Problem | None:
    """Return the problem that an answer tells of, or None where it tells of none."""
    if media != _PROBLEM:
        return None
    try:
        told = msgspec.json.decode(body, type=ProblemBody)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return Problem(told, etag, retry_after) if told.type.startswith(_TYPES) else None


def _sentences(body: ProblemBody, retry_after: float | None) -> list[str]:
    """Return what a person is told: the detail, every fault, what became of a write, and what to do."""
    faults = body.errors or []
    lines = [f"{body.title}:" if faults else body.detail]  # the detail of faults is all of them in one line
    lines += [
        f"  {each.pointer}: {each.detail}" if each.pointer else f"  {each.detail}" for each in faults[:SHOWN_FAULTS]
    ]
    if len(faults) > SHOWN_FAULTS:
        lines.append(f"  … and {len(faults) - SHOWN_FAULTS} more.")
    if body.step and not any(each in body.detail for each in _TOLD_ALREADY):
        lines.append(_STEPS.get(body.step, f"It failed at: {body.step}."))
    if hint := _HINTS.get(body.status, ""):
        lines.append(hint.format(request_id=body.request_id))
    if retry_after is not None and body.status in (429, 503):
        lines.append(f"Try again in {retry_after:g} seconds.")
    return [printable(line) for line in lines]
