"""What a change of a record would do: the fields that differ, and what sample URLs answer before and after it.

Decides nothing: the answers are `resolve`'s, and what may be written is checked in ``records``.
"""

from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from docsredirect.domain import escapes, hosts, rules
from docsredirect.domain.errors import pointer_to
from docsredirect.domain.records import Record, to_fields
from docsredirect.domain.resolve import Find, resolve
from docsredirect.domain.routes import Route

Value = str | int | None
"""What a field of a record holds, by itself or as a rule."""

_ALWAYS: Final = ("", "guide/install.html", "objects.inv")
"""Pages below every project's root that are asked: the root, a deep page, and what intersphinx reads."""

_RULES: Final = "rules"
_FIELDS: Final = Record.__struct_fields__
_Path = tuple[str, ...]

_EXAMPLE: Final = "example.html"
"""The page that stands for all below a folder rule."""


class FieldChange(msgspec.Struct, frozen=True):
    """One value of a record that differs: where (RFC 6901 pointer), and what it was and will be. Left out of the JSON
    form is what is not there at all; null is a rule that answers 410."""

    pointer: str
    before: Value | UnsetType = UNSET
    after: Value | UnsetType = UNSET


class SampleAnswer(msgspec.Struct, frozen=True):
    """What a legacy URL answers; the same three fields as in ``resolve.Answer``."""

    status: int
    location: str | None
    rule: str | None


class Sample(msgspec.Struct, frozen=True):
    """A legacy URL, and what it answers before and after the change."""

    url: str
    before: SampleAnswer
    after: SampleAnswer


def changes(before: Record | None, after: Record | None) -> list[FieldChange]:
    """Return every field that differs, in the order of the fields, and then every rule, sorted by its `from`. None
    is a project without a redirect."""
    old, new = _values(before), _values(after)
    return [
        FieldChange(pointer_to(*path), old.get(path, UNSET), new.get(path, UNSET))
        for path in sorted(old | new, key=_place)
        if old.get(path, UNSET) != new.get(path, UNSET)
    ]


def samples(before: Record | None, after: Record | None) -> list[Sample]:
    """Return what sample URLs answer before and after a change of one project: its root, a deep page, the inventory,
    and each page that a rule of either record names, sorted by its `from`. None is a project without a redirect; of
    none at all there are no samples.
    """
    present = before if after is None else after
    if present is None:
        return []
    old, new = _finder(before), _finder(after)
    paths = dict.fromkeys(f"/{present.project}/{page}" for page in _pages(before, after))
    return [Sample(f"https://{hosts.OWN_HOSTS[0]}{path}", _ask(old, path), _ask(new, path)) for path in paths]


def _values(record: Record | None) -> dict[_Path, Any]:
    """Return the values of a record by where they stand, each rule by itself."""
    if record is None:
        return {}
    fields = to_fields(record)
    named = fields.pop(_RULES, {})
    return {(field,): value for field, value in fields.items()} | {(_RULES, each): to for each, to in named.items()}


def _place(path: _Path) -> tuple[int, str]:
    return _FIELDS.index(path[0]), path[-1]


def _pages(before: Record | None, after: Record | None) -> Iterator[str]:
    yield from _ALWAYS
    named = {source for record in (before, after) if record is not None for source in record.rules}
    for source in sorted(named):
        page = source.removesuffix(rules.STAR) + _EXAMPLE if source.endswith(rules.STAR) else source
        yield escapes.collapse_slashes(escapes.normalise_path(page))


def _finder(record: Record | None) -> Find:
    routes = {} if record is None else {record.name: Route(record)}
    return routes.get


def _ask(find: Find, path: str) -> SampleAnswer:
    answer = resolve(find, path)
    return SampleAnswer(answer.status, answer.location, answer.rule)
