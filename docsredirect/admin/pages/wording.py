"""How records, answers, changes and times are said on pages. Decides nothing."""

from datetime import datetime
from typing import Final, NamedTuple

from msgspec import UNSET, UnsetType

from docsredirect.admin.bodies import moment
from docsredirect.domain.preview import FieldChange, Value
from docsredirect.domain.projects import Past, Project

POLICIES: Final = {
    "keep": ("Same pages, same names", "The page’s name is put behind the target as it is."),
    "clean": ("Same pages, without .html", "The same, with .html taken off: for sites whose pages end in a slash."),
    "root": ("One place for all", "Every old link leads to the target itself, whichever page it was for."),
}
STATUSES: Final = {
    "301": "moved for good (301)",
    "302": "moved for now (302)",
    "307": "moved for now, forms too (307)",
    "308": "moved for good, forms too (308)",
}
STATES: Final = {
    "active": "Old links lead to the new place",
    "gone": "The documentation is withdrawn: old links answer “gone” (410)",
}
_FIELDS: Final = {
    "project": "Name",
    "target": "Target",
    "path": "Pages",
    "status": "Kind of redirect",
    "state": "State",
}
_ANSWERS: Final = {
    200: "this service’s own page",
    400: "not a web address",
    404: "not found (404)",
    410: "gone (410)",
    414: "too long to answer (414)",
    421: "not an old documentation link",
    503: "cannot be told now",
}
_SHOWN, _END = 300, 80
"""How many characters of a text are shown, and how many of these are its last."""


class Difference(NamedTuple):
    """A value that differs: what it is, which rule's it is, and its texts; None where it is not there."""

    label: str
    rule: str | None
    before: str | None
    after: str | None


class Revision(NamedTuple):
    """An entry of a history."""

    revision: int
    time: datetime
    by: str
    on_behalf_of: str | None
    reason: str | None
    differences: list[Difference]
    more: int
    """How many differences are left out."""
    restores: bool
    """Whether there is something to restore: a record that is not the one that stands."""


def visible(text: str) -> str:
    """Return text with what cannot be seen, and what turns the direction of writing, as escapes; long text without its
    middle."""
    if len(text) > _SHOWN:
        text = f"{text[: _SHOWN - _END]} … {text[-_END:]}"
    return text if text.isprintable() else "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def answer(status: int) -> str:
    """Return in words what an old link answers that leads nowhere."""
    return _ANSWERS[status]


def rule(source: str | None) -> str:
    """Return in words which rule answered."""
    if source is None:
        return ""
    return "no rule of its own" if source == "path" else f"rule {visible(source) or '/'}"


def difference(change: FieldChange) -> Difference:
    """Return a change in words."""
    field, _, source = change.pointer.removeprefix("/").partition("/")
    if field != "rules":
        return Difference(_FIELDS[field], None, _value(field, change.before), _value(field, change.after))
    shown = visible(source.replace("~1", "/").replace("~0", "~")) or "/"
    return Difference("Rule", shown, _leads(change.before), _leads(change.after))


def _value(field: str, value: Value | UnsetType) -> str | None:
    if value is UNSET:
        return None
    text = str(value)
    if field == "path":
        return POLICIES[text][0]
    named = STATUSES if field == "status" else STATES
    return named.get(text) or visible(text)


def _leads(value: Value | UnsetType) -> str | None:
    if value is UNSET:
        return None
    return "gone (410)" if value is None else visible(str(value)) or "the target itself"


def revision(past: Past, current: Project, differences: list[Difference], limit: int) -> Revision:
    """Return an entry of the history of `current`, with at most `limit` of its differences."""
    entry = past.entry
    return Revision(
        revision=entry.revision,
        time=moment(entry.time),
        by=visible(entry.author.by),
        on_behalf_of=None if entry.author.on_behalf_of is None else visible(entry.author.on_behalf_of),
        reason=None if entry.author.reason is None else visible(entry.author.reason),
        differences=differences[:limit],
        more=max(len(differences) - limit, 0),
        restores=past.after is not None and past.after != current.record,
    )
