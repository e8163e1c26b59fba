"""The route table of the admin side: what there is, who may ask for it, and what it may answer. The application and the
OpenAPI document are made from it."""

from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any, Literal

import msgspec
from aiohttp import web

from docsredirect.admin import about, access, projects, tables
from docsredirect.admin.bodies import (
    MAX_REVISION,
    DryRunBody,
    HistoryBody,
    InvitationBody,
    InvitationRequest,
    LiveBody,
    NewTokenBody,
    ProjectBody,
    ProjectsBody,
    ReadyBody,
    RecordBody,
    RemovedBody,
    ResolveBody,
    ResolvedBody,
    RollbackBody,
    TokenBody,
    TokenRequest,
    TokensBody,
)
from docsredirect.admin.reading import IDEMPOTENCY_KEY, LINE_TYPES, MAX_BEHALF, MAX_REASON
from docsredirect.admin.services import JSON, Call
from docsredirect.service.import_report import ImportReport

API = "/-/api/v1"
OPENAPI = f"{API}/openapi.json"
HTML, TEXT = "text/html", "text/plain"

Handler = Callable[[Call], Awaitable[web.StreamResponse]]


class Access(Enum):
    """Who may ask."""

    OPEN = "anybody"
    READ = "any token"
    WRITE = "a token for the project, or admin"
    ADMIN = "admin"


class Parameter(msgspec.Struct, frozen=True):
    """A query parameter or a header: its JSON schema, and what it means."""

    name: str
    schema: dict[str, Any]
    description: str
    required: bool = False


class Answer(msgspec.Struct, frozen=True):
    """An answer that is no problem: of JSON, of the types in `body`; or of another `media` type."""

    status: int
    description: str
    body: tuple[Any, ...] = ()
    media: str = JSON
    headers: tuple[str, ...] = ()


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A route. `problems` are the codes that only it tells of; those of its kind come on their own."""

    method: Literal["GET", "PUT", "POST", "DELETE"]
    path: str
    handler: Handler
    access: Access
    summary: str
    answers: tuple[Answer, ...]
    query: tuple[Parameter, ...] = ()
    headers: tuple[Parameter, ...] = ()
    body: Any = None
    media: tuple[str, ...] = (JSON,)
    """The content types of the body, where there is one."""
    problems: tuple[str, ...] = ()

    @property
    def has_body(self) -> bool:
        """Whether a body is read."""
        return self.method in ("PUT", "POST") and (self.body is not None or self.media != (JSON,))


def _flag(name: str, description: str) -> Parameter:
    return Parameter(name, {"type": "string", "enum": ["true", "false"], "default": "false"}, description)


def _whole(name: str, low: int, high: int, default: int | None, description: str) -> Parameter:
    schema: dict[str, Any] = {"type": "integer", "minimum": low, "maximum": high}
    return Parameter(name, schema if default is None else {**schema, "default": default}, description)


def _header(name: str, description: str, **schema: Any) -> Parameter:
    return Parameter(name, {"type": "string", **schema}, description)


_CURSOR = "Where the next page begins: taken from the link with rel=next. Empty: the first page."
_TAG = r'(W/)?"[!#-~]*"'
_TAGS: dict[str, Any] = {"anyOf": [{"enum": ["*"]}, {"pattern": f"^{_TAG}(, ?{_TAG})*$"}]}
_IF_MATCH = _header("If-Match", "ETags of what is to be replaced, or * for whatever there is.", **_TAGS)
_IF_NONE_MATCH = _header("If-None-Match", "*: create only.", enum=["*"])
_HELD = _header("If-None-Match", "ETags of what the reader holds: 304 where it is still that.", **_TAGS)
_REASON = _header("X-Reason", "Why, for the history, in UTF-8.", maxLength=MAX_REASON, pattern="^[ -~]*$")
_BEHALF = _header(
    "On-Behalf-Of", "For whom, for the history; administrators only.", maxLength=MAX_BEHALF, pattern="^[ -~]*$"
)
_KEY = _header(
    IDEMPOTENCY_KEY, "Makes a repeated request do what it says once.", minLength=8, maxLength=128, pattern="^[!-~]+$"
)
_AUTHOR = (_REASON, _BEHALF)
_WRITING = (*_AUTHOR, _KEY)
_DRY_RUN = _flag("dry_run", "Write nothing; say what would happen.")

_PROJECT = f"{API}/projects/{{project}}"
_WRITE_PROBLEMS = ("precondition-failed", "conflict", "writes-refused", "damaged")
_TOKEN_PROBLEMS = ("writes-refused", "conflict", "damaged")

ROUTES: tuple[Route, ...] = (
    Route(
        method="GET", path=f"{API}/projects", handler=projects.list_projects, access=Access.READ,
        summary="List projects by normalised name",
        query=(
            Parameter("q", {"type": "string"}, "Part of a name, in any spelling, or of a target."),
            Parameter("state", {"type": "string", "enum": ["active", "gone", "removed"]},
                      "Only these. Removed ones are not listed otherwise."),
            Parameter("cursor", {"type": "string", "pattern": "^([a-z0-9]+(-[a-z0-9]+)*)?$", "maxLength": 128},
                      _CURSOR),
            _whole("limit", 1, projects.MAX_LIMIT, projects.DEFAULT_LIMIT, "How many at most."),
        ),
        answers=(Answer(200, "A page.", (ProjectsBody,), headers=("Link",)),), problems=("unknown",),
    ),
    Route(
        method="GET", path=_PROJECT, handler=projects.get_project, access=Access.READ, summary="Read a project",
        headers=(_HELD,),
        answers=(Answer(200, "The record, flat.", (ProjectBody,), headers=("ETag",)),
                 Answer(304, "It is what the reader holds.", headers=("ETag",))),
        problems=("no-such-project", "damaged"),
    ),
    Route(
        method="PUT", path=_PROJECT, handler=projects.put_project, access=Access.WRITE,
        summary="Create or change a project's redirect", query=(_DRY_RUN,),
        headers=(_IF_MATCH, _IF_NONE_MATCH, *_WRITING), body=RecordBody,
        answers=(Answer(200, "Changed, or as it was; with dry_run, what would change.",
                        (ProjectBody, DryRunBody, RemovedBody), headers=("ETag",)),
                 Answer(201, "Created.", (ProjectBody,), headers=("ETag",))),
        problems=("invalid-record", "precondition-required", *_WRITE_PROBLEMS),
    ),
    Route(
        method="DELETE", path=_PROJECT, handler=projects.delete_project, access=Access.WRITE,
        summary="Remove a project's redirect; the history stays",
        headers=(msgspec.structs.replace(_IF_MATCH, required=True), *_WRITING),
        answers=(Answer(200, "Removed.", (RemovedBody,), headers=("ETag",)),),
        problems=("no-such-project", "precondition-required", *_WRITE_PROBLEMS),
    ),
    Route(
        method="GET", path=f"{_PROJECT}/history", handler=projects.get_history, access=Access.READ,
        summary="Read a project's history, newest first",
        query=(_whole("cursor", 1, MAX_REVISION, None, _CURSOR),
               _whole("limit", 1, projects.MAX_HISTORY_LIMIT, projects.MAX_HISTORY_LIMIT, "How many at most.")),
        answers=(Answer(200, "A page.", (HistoryBody,), headers=("Link",)),), problems=("no-such-project", "damaged"),
    ),
    Route(
        method="POST", path=f"{_PROJECT}/rollback", handler=projects.roll_back, access=Access.WRITE,
        summary="Go back to a revision, as a new one", headers=(_IF_MATCH, *_WRITING), body=RollbackBody,
        answers=(Answer(200, "What the project is now.", (ProjectBody, RemovedBody), headers=("ETag",)),),
        problems=("no-such-project", "no-such-revision", "invalid-record", *_WRITE_PROBLEMS),
    ),
    Route(
        method="GET", path=f"{API}/resolve", handler=tables.get_resolved, access=Access.READ,
        summary="Say what a legacy URL answers, and why",
        query=(Parameter("url", {"type": "string", "examples": ["https://pythonhosted.org/Markdown/"]},
                         "A URL as people write it: whole, without a scheme, or a path.", required=True),),
        answers=(Answer(200, "What it answers.", (ResolvedBody,)),),
    ),
    Route(
        method="POST", path=f"{API}/resolve", handler=tables.post_resolved, access=Access.READ,
        summary="Say what a legacy URL would answer with an unsaved record", body=ResolveBody,
        answers=(Answer(200, "What it would answer.", (ResolvedBody,)),),
    ),
    Route(
        method="GET", path=f"{API}/export", handler=tables.export, access=Access.READ,
        summary="Export the published table as JSON Lines",
        answers=(Answer(200, "One record a line.", media=tables.JSON_LINES),), problems=("unknown",),
    ),
    Route(
        method="POST", path=f"{API}/import", handler=tables.import_lines, access=Access.ADMIN,
        summary="Import JSON Lines records, or the lines of a redirects.txt",
        query=(_DRY_RUN, _flag("only_new", "Leave projects alone that have a redirect."),
               _flag("force", "Allow changing more than a fifth of a large table.")),
        headers=_AUTHOR, media=LINE_TYPES,
        answers=(Answer(200, "What it came to.", (ImportReport,)),),
        problems=("import-refused", "busy", "writes-refused", "damaged", "conflict"),
    ),
    Route(
        method="GET", path=f"{API}/tokens", handler=access.list_tokens, access=Access.ADMIN,
        summary="List tokens and invitations",
        query=(Parameter("cursor", {"type": "string", "pattern": "^([0-9A-Za-z]{12})?$"}, _CURSOR),
               _whole("limit", 1, access.MAX_LIMIT, access.DEFAULT_LIMIT, "How many at most.")),
        answers=(Answer(200, "A page.", (TokensBody,), headers=("Link",)),),
    ),
    Route(
        method="POST", path=f"{API}/tokens", handler=access.create_token, access=Access.ADMIN,
        summary="Make a token", body=TokenRequest,
        answers=(Answer(201, "The token. Its secret is shown this once.", (NewTokenBody,)),),
        problems=_TOKEN_PROBLEMS,
    ),
    Route(
        method="DELETE", path=f"{API}/tokens/{{id}}", handler=access.revoke_token, access=Access.ADMIN,
        summary="Revoke a token or an invitation", answers=(Answer(200, "Revoked.", (TokenBody,)),),
        problems=("no-such-token", *_TOKEN_PROBLEMS),
    ),
    Route(
        method="POST", path=f"{API}/invitations", handler=access.invite, access=Access.ADMIN,
        summary="Make a single-use link for one project", body=InvitationRequest,
        answers=(Answer(201, "The invitation. Its link is shown this once.", (InvitationBody,)),),
        problems=_TOKEN_PROBLEMS,
    ),
    Route(
        method="GET", path=f"{access.INVITATIONS}{{invitation}}", handler=access.show_invitation, access=Access.OPEN,
        summary="Say what an invitation is for; it stays unused",
        answers=(Answer(200, "What it is for, and how to take it up.", media=TEXT),),
        problems=("no-such-invitation", "invitation-spent", "damaged", "store-unavailable"),
    ),
    Route(
        method="POST", path=f"{access.INVITATIONS}{{invitation}}", handler=access.redeem_invitation,
        access=Access.OPEN, summary="Take up an invitation",
        answers=(Answer(201, "A token for its project. Its secret is shown this once.", (NewTokenBody,)),),
        problems=("no-such-invitation", "invitation-spent", "store-unavailable", *_TOKEN_PROBLEMS),
    ),
    Route(
        method="GET", path="/-/problems/", handler=about.list_problems, access=Access.OPEN,
        summary="Show every problem that the API tells of", answers=(Answer(200, "A page.", media=HTML),),
    ),
    Route(
        method="GET", path="/-/problems/{code}", handler=about.show_problem, access=Access.OPEN,
        summary="Show what a problem means and what to do", answers=(Answer(200, "A page.", media=HTML),),
        problems=("no-such-route",),
    ),
    Route(
        method="GET", path="/-/health/live", handler=about.live, access=Access.OPEN,
        summary="Say that the process runs", answers=(Answer(200, "It does.", (LiveBody,)),),
    ),
    Route(
        method="GET", path="/-/health/ready", handler=about.ready, access=Access.OPEN,
        summary="Say whether the table is held",
        answers=(Answer(200, "It is.", (ReadyBody,)), Answer(503, "It is not.", (ReadyBody,))),
    ),
    Route(
        method="GET", path="/-/version", handler=about.version, access=Access.OPEN,
        summary="Say what is installed", answers=(Answer(200, "Versions by name.", (dict[str, str],)),),
    ),
)  # fmt: skip


def problems_of(route: Route) -> tuple[str, ...]:
    """Return the codes of all problems that a route may tell of."""
    codes = ["malformed", "wrong-host", "address-too-long", "expectation-failed", "internal", *route.problems]
    if route.access is not Access.OPEN:
        codes += ["token-missing", "token-unknown", "token-expired", "token-revoked", "too-many-wrong-tokens"]
        codes += ["store-unavailable", "damaged"]
    if route.access in (Access.WRITE, Access.ADMIN):
        codes.append("scope-missing")
    if route.access is Access.WRITE:  # a token for projects can have none of a name that is no project's
        codes.append("no-such-project")
    if route.has_body:
        codes += ["body-too-large", "body-too-slow", "wrong-content-type", "invalid-request"]
    if any(header in _AUTHOR for header in route.headers):
        codes += ["invalid-request", "scope-missing"]
    if "url" in [parameter.name for parameter in route.query]:
        codes.append("invalid-request")
    return tuple(dict.fromkeys(codes))
