"""Rules: the checks of a record's ``rules`` map. What a rule does to a path is in ``routes``."""

import re
from collections.abc import Iterator, Mapping

from docsredirect.domain import escapes, paths, targets
from docsredirect.domain.errors import Fault, pointer_to, shorten
from docsredirect.domain.faults import Faults
from docsredirect.domain.hosts import HostRules

MAX_RULES = 1_000
MAX_FROM = 1_024
"""The longest `from` in characters. It bounds how deep a folder rule can lie."""

STAR = "*"

_SURROGATE = re.compile("[\ud800-\udfff]")


def match_key(source: str) -> tuple[str, str]:
    """Return what a `from` stands for: ``("page", key)`` or ``("folder", path)``; equal keys are duplicates."""
    path = escapes.collapse_slashes(escapes.normalise_path(source))
    if path == STAR:
        return ("folder", "")
    if path.endswith("/" + STAR):
        return ("folder", path[:-2])
    return ("page", paths.page_key(path))


def check_rules(
    rules: Mapping[str, object], target: str | None, hosts: HostRules, faults: Faults
) -> dict[str, str | None]:
    """Return the rules in normal form, sorted, and add to `faults` what is wrong with them.

    `target` is the record's own in normal form, or None where that has faults itself.
    """
    if len(rules) > MAX_RULES:
        detail = f"There are {len(rules)} rules. At most {MAX_RULES} are accepted."
        faults.append(Fault("/rules", "rules-too-many", detail))
        return {}
    checked: dict[str, str | None] = {}
    seen: dict[tuple[str, str], str] = {}
    for source, to in sorted(rules.items()):
        pointer = pointer_to("rules", source)
        source_faults = list(_from_faults(source, pointer))
        if not source_faults and (first := seen.setdefault(match_key(source), source)) != source:
            detail = f"{shorten(source)} is the same page or folder as {shorten(first)}. Keep one."
            source_faults.append(Fault(pointer, "from-duplicate", detail))
        checked[source], to_faults = _check_to(source, to, target, hosts)
        faults.extend(source_faults + to_faults)
    return checked


def _from_faults(source: str, pointer: str) -> Iterator[Fault]:
    path = escapes.normalise_path(source)
    if len(source) > MAX_FROM:
        detail = f"This `from` has {len(source)} characters. At most {MAX_FROM} are accepted."
        yield Fault(pointer, "from-too-long", detail)
    if source.startswith("/"):
        detail = f"{shorten(source)} starts with a slash. Leave it out: it is relative to the project's root."
        yield Fault(pointer, "from-leading-slash", detail)
    if escapes.has_control(source) or "?" in source or "#" in source or _SURROGATE.search(source):
        detail = f"{shorten(source)} holds ?, #, a control character or half a character. A rule sees the path alone."
        yield Fault(pointer, "from-character", detail)
    if escapes.has_dot_segment(path):
        detail = f"{shorten(source)} holds a . or .. segment, which no request that is answered can have."
        yield Fault(pointer, "from-dot-segment", detail)
    folder = source == STAR or source.endswith("/" + STAR)
    if STAR in (source.removesuffix(STAR) if folder else source):
        detail = f"{shorten(source)} has a * that is not its last segment. Write folder/* or *."
        yield Fault(pointer, "from-star", detail)


def _check_to(source: str, to: object, target: str | None, hosts: HostRules) -> tuple[str | None, list[Fault]]:
    pointer = pointer_to("rules", source)
    if to is None:
        return None, []
    if not isinstance(to, str):
        detail = "A rule leads to a text, or to null for a page that is gone (410)."
        return None, [Fault(pointer, "type", detail)]
    carries = to.endswith(STAR)
    faults: list[Fault] = []
    if carries and not source.endswith(STAR):
        detail = f"{shorten(to)} ends in *, and {shorten(source)} has none to carry over."
        faults.append(Fault(pointer, "to-star", detail))
    plain = to.removesuffix(STAR)
    if targets.is_absolute(plain):
        url, found = targets.check_target(plain, hosts, pointer, base=carries)
    else:
        url, found = targets.check_relative(plain, pointer, base=carries)
        if target is not None and not targets.is_folder(target):
            detail = f"{shorten(to)} is relative, and the target does not end in /. Write it as an absolute URL."
            faults.append(Fault(pointer, "to-needs-base", detail))
    faults += found
    return (None if url is None else url + STAR * carries), faults
