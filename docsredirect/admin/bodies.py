"""The JSON of the API, as types: what is read and what is answered. The OpenAPI document is made from them.

Records are read by `domain.records`, which lists all faults; `RecordBody` only describes them.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from docsredirect.domain.errors import Fault
from docsredirect.domain.explain import Step
from docsredirect.domain.names import MAX_NAME
from docsredirect.domain.preview import FieldChange, Sample
from docsredirect.domain.projects import Past, Project
from docsredirect.domain.records import PathPolicy, Record, State, Status, to_fields
from docsredirect.domain.rules import MAX_FROM, MAX_RULES
from docsredirect.domain.targets import MAX_TARGET
from docsredirect.domain.tokens import MAX_LABEL, StoredToken
from docsredirect.domain.visibility import Visible

NAME_PATTERN = r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$"
MAX_REVISION = 2**53 - 1
"""The largest whole number that every JSON reader keeps exact."""

MAX_URL = 64 * 1024
"""The longest URL that is explained, in characters: more than any server reads."""

MIN_HOURS, MAX_HOURS, DEFAULT_HOURS = 1, 30 * 24, 72

Name = Annotated[
    str,
    Meta(
        pattern=NAME_PATTERN, max_length=MAX_NAME, examples=["Markdown"],
        description="A project's name in any spelling (PEP 503 tells which are the same).",
    ),
]  # fmt: skip
_URL_CHARACTER = r"[!#-;=?-\[\]_a-z~]"
"""What may stand in a URL, of ASCII: all that is visible but ``" < > \\ ^ ` { | }``."""

_HTTP = r"[Hh][Tt][Tt][Pp][Ss]?://"
_LABEL = "[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
_LAST_LABEL = "(([0-9][0-9-]*)?[A-Za-z]([A-Za-z0-9-]*[A-Za-z0-9])?|[0-9]+-[0-9-]*[0-9])"
"""Of an IP address it is a number."""
_HOST = rf"({_LABEL}\.)+{_LAST_LABEL}"
_ABSOLUTE = rf"{_HTTP}{_HOST}(:[0-9]{{1,5}})?([/?#]{_URL_CHARACTER}*)?"
_RELATIVE = rf"[!$-.0-;=?-\[\]_a-z~]{_URL_CHARACTER}*|#{_URL_CHARACTER}*"
_PAGE = r"[^/?#*\x00-\x1f\x7f][^?#*\x00-\x1f\x7f]*"

# Patterns leave out what no pattern can say well: dot segments, own hosts, ports, what a relative rule needs.
Target = Annotated[
    str,
    Meta(max_length=MAX_TARGET, pattern=f"^{_ABSOLUTE}$", examples=["https://python-markdown.github.io/"],
         description="An absolute http(s) URL. Stored in normal form."),
]  # fmt: skip
From = Annotated[str, Meta(max_length=MAX_FROM, pattern=rf"^(\*|{_PAGE}|{_PAGE}/\*)?$")]
To = Annotated[str, Meta(max_length=MAX_TARGET + len("*"), pattern=rf"^({_ABSOLUTE}|{_RELATIVE})?$")]
Rules = Annotated[
    dict[From, To | None],
    Meta(max_length=MAX_RULES, examples=[{"api.html": "reference/", "old-api/*": "reference/*", "private/*": None}],
         description="From a page, a folder (`old-api/*`) or `*` to a URL, absolute or relative to the target; "
         "null answers 410."),
]  # fmt: skip
Revision = Annotated[int, Meta(ge=1, le=MAX_REVISION)]
Time = Annotated[datetime, Meta(tz=True, description="RFC 3339, in UTC.")]


class RecordBody(Struct, forbid_unknown_fields=True, kw_only=True):
    """A redirect record. `meta`, as it comes in answers, is ignored."""

    project: Name
    target: Target
    path: PathPolicy
    status: Status = 301
    state: State = "active"
    rules: Rules = {}
    meta: Any = None


class Warned(Struct):
    """Something that may be so, but is better otherwise."""

    pointer: str
    code: str
    detail: str


class ProjectMeta(Struct, omit_defaults=True, kw_only=True):
    """What is known of a project's last change."""

    revision: Revision
    updated: Time
    by: str
    on_behalf_of: str | UnsetType = UNSET
    reason: str | None
    published: Annotated[bool, Meta(description="Whether the published table, which edges poll, has this revision.")]
    visible: Annotated[
        Visible | UnsetType, Meta(description="Of a write: when readers see it, counted from its publication.")
    ] = UNSET
    warnings: list[Warned] | UnsetType = UNSET


class ProjectBody(Struct, omit_defaults=True, kw_only=True):
    """A project's record, flat, and what is known of its last change."""

    project: str
    target: str
    path: PathPolicy
    status: Status
    state: State
    rules: dict[str, str | None] | UnsetType = UNSET
    meta: ProjectMeta


class RemovedBody(Struct, kw_only=True):
    """A project without a redirect, of which the history is kept."""

    project: str
    meta: ProjectMeta


class ListedMeta(Struct):
    """Of a list: the revision that is published."""

    revision: Revision
    published: bool = True


class ListedProject(Struct, omit_defaults=True, kw_only=True):
    """A project in a list. One that was removed has its name alone."""

    project: str
    target: str | UnsetType = UNSET
    path: PathPolicy | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    state: Literal["active", "gone", "removed"]
    rules: dict[str, str | None] | UnsetType = UNSET
    meta: ListedMeta


class ProjectsBody(Struct):
    """A page of a list of projects, in the order of their normalised names."""

    projects: list[ListedProject]


class RecordState(Struct, omit_defaults=True, kw_only=True):
    """A record as a history shows it."""

    project: str
    target: str
    path: PathPolicy
    status: Status
    state: State
    rules: dict[str, str | None] | UnsetType = UNSET


class HistoryEntry(Struct, kw_only=True):
    """A revision: who, when, why, and the record before and after it (null: none)."""

    revision: Revision
    time: Time
    by: str
    on_behalf_of: str | None
    reason: str | None
    before: RecordState | None
    after: RecordState | None


class HistoryBody(Struct):
    """A page of a project's history, newest first."""

    history: list[HistoryEntry]


class RollbackBody(Struct, forbid_unknown_fields=True):
    """The revision to go back to."""

    revision: Revision


class DryRunBody(Struct, kw_only=True):
    """What a write would change, and what sample URLs answer now and would answer then."""

    changes: list[FieldChange]
    samples: list[Sample]
    warnings: list[Warned]


class ResolveBody(Struct, forbid_unknown_fields=True, kw_only=True):
    """A URL to resolve, as people write it, with a record that is not saved."""

    url: Annotated[str, Meta(max_length=MAX_URL, examples=["https://pythonhosted.org/Markdown/siteindex.html"])]
    record: RecordBody | None = None


class ResolvedBody(Struct, kw_only=True):
    """What a legacy URL answers, by which rule, and why, step by step."""

    url: str
    status: int
    location: str | None
    rule: str | None
    steps: list[Step]


class TokenRequest(Struct, forbid_unknown_fields=True, kw_only=True):
    """A token to be: what it reaches, until when (90 days by default), and whose it is."""

    scope: Annotated[
        Literal["admin"] | Annotated[list[Name], Meta(min_length=1, max_length=100)],
        Meta(description="`admin`, or the projects that it may write. They need not exist yet."),
    ]
    expires: Time | None = None
    label: Annotated[str, Meta(max_length=MAX_LABEL, description="Whose it is: histories show it.")] | None = None


class NewTokenBody(Struct, kw_only=True):
    """A new token. Its secret is shown this once."""

    id: str
    token: str
    scope: Literal["admin"] | list[str]
    expires: Time
    label: str | None


class TokenBody(Struct, kw_only=True):
    """A token or an invitation, without its secret."""

    id: str
    kind: Literal["token", "invitation"]
    scope: Literal["admin"] | list[str]
    label: str | None
    created: Time
    created_by: str
    expires: Time
    last_used: Time | None
    revoked: Time | None
    used: Annotated[Time | None, Meta(description="When an invitation was opened.")]


class TokensBody(Struct):
    """A page of tokens and invitations, in the order of their ids."""

    tokens: list[TokenBody]


class InvitationRequest(Struct, forbid_unknown_fields=True, kw_only=True):
    """An invitation to be: for which project, for how many hours, and to whom."""

    project: Name
    hours: Annotated[int, Meta(ge=MIN_HOURS, le=MAX_HOURS)] = DEFAULT_HOURS
    label: Annotated[str, Meta(max_length=MAX_LABEL, description="To whom: histories show it.")] | None = None


class InvitationBody(Struct, kw_only=True):
    """A link that lets one person in, once, for one project."""

    id: str
    link: str
    project: str
    expires: Time
    label: str | None


class LiveBody(Struct):
    """That the process runs."""

    live: bool


class ReadyBody(Struct, kw_only=True):
    """Whether the admin side can answer, and what of the table it holds."""

    ready: bool
    sequence: int | None
    rows: int
    problem: str | None


class ProblemBody(Struct, omit_defaults=True, kw_only=True):
    """An error (RFC 9457). `type` is the path of a page that explains it."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    errors: list[Fault] | UnsetType = UNSET
    current: Annotated[Any, Meta(description="Of 412: what the project is now; null: it never had a redirect.")] = UNSET
    step: Annotated[str | UnsetType, Meta(description="Of 503: what failed of a write: read, commit or publish.")] = (
        UNSET
    )


def moment(seconds: float) -> datetime:
    """Return seconds since the epoch as a time."""
    return datetime.fromtimestamp(round(seconds, 3), UTC)


def moment_or_none(seconds: float | None) -> datetime | None:
    """Return `moment`, of None None."""
    return None if seconds is None else moment(seconds)


def project_body(
    project: Project, *, published: bool, visible: Visible | UnsetType = UNSET, warnings: list[Fault] | None = None
) -> dict[str, Any]:
    """Return a project as a `ProjectBody`, or as a `RemovedBody` where it has no record."""
    newest = project.history[0]
    author = newest.author
    meta = ProjectMeta(
        revision=project.revision,
        updated=moment(newest.time),
        by=author.by,
        on_behalf_of=UNSET if author.on_behalf_of is None else author.on_behalf_of,
        reason=author.reason,
        published=published,
        visible=visible,
        warnings=[Warned(each.pointer, each.code, each.detail) for each in warnings] if warnings else UNSET,
    )
    fields = {"project": project.name} if project.record is None else to_fields(project.record)
    return {**fields, "meta": meta}


def record_state(record: Record | None) -> RecordState | None:
    """Return a record as a history shows it."""
    return None if record is None else msgspec.convert(to_fields(record), RecordState)


def history_entry(past: Past) -> HistoryEntry:
    """Return an entry of a history."""
    entry = past.entry
    return HistoryEntry(
        revision=entry.revision,
        time=moment(entry.time),
        by=entry.author.by,
        on_behalf_of=entry.author.on_behalf_of,
        reason=entry.author.reason,
        before=record_state(entry.before),
        after=record_state(past.after),
    )


def token_body(token: StoredToken) -> TokenBody:
    """Return a token without its secret."""
    return TokenBody(
        id=token.id,
        kind=token.kind,
        scope=token.scope if token.scope == "admin" else list(token.scope),
        label=token.label,
        created=moment(token.created),
        created_by=token.created_by,
        expires=moment(token.expires),
        last_used=moment_or_none(token.last_used),
        revoked=moment_or_none(token.revoked),
        used=moment_or_none(token.used),
    )
