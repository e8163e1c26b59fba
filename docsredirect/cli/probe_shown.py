"""What people and programs see of a probe. Whatever a server sent is shown with its controls escaped."""

import json
import statistics
from collections.abc import Iterator, Sequence

from docsredirect.cli import shown
from docsredirect.cli.probing import Finding
from docsredirect.cli.terminal import printable
from docsredirect.domain.outcomes import Problem

SHOWN_WRONG = 50
"""How many wrong answers are shown where there is no terminal."""

_LATE = "the time was over before"

_HEADINGS = ("url", "status", "location", "age", "cache", "hops", "seconds", "")
_CACHE = {True: "hit", False: "miss", None: ""}


def row(finding: Finding) -> bytes:
    """Return a finding as a line of JSON, in ASCII: no terminal obeys it."""
    outcome = finding.outcome
    fields = {
        "url": str(finding.url),
        "status": outcome and outcome.status,
        "location": outcome and outcome.location,
        "hops": outcome and outcome.hops,
        "age": finding.kept.age,
        "cache": _CACHE[finding.kept.hit] or None,
        "seconds": round(finding.seconds, 4),
        "expected": {"status": finding.expected.status, "location": finding.expected.location},
        "wrong": finding.wrong,
    }
    return json.dumps(fields).encode() + b"\n"


def table(findings: Sequence[Finding]) -> None:
    """Print all findings as a table, for a person on a terminal."""
    shown.table(_HEADINGS, map(_cells, findings))


def _cells(finding: Finding) -> tuple[str, ...]:
    outcome, kept = finding.outcome, finding.kept
    status, location, hops = ("", "", "") if outcome is None else (outcome.status, outcome.location, outcome.hops)
    age = "" if kept.age is None else str(kept.age)
    expected = _answer(finding.expected.status, finding.expected.location)
    wrong = f"wrong: {finding.wrong}; expected {expected}" if finding.wrong else ""
    return (
        str(finding.url), str(status or ""), location or "", age, _CACHE[kept.hit], str(hops),
        f"{finding.seconds:.3f}", wrong,
    )  # fmt: skip


def say_wrong(findings: Sequence[Finding]) -> None:
    """Print the wrong answers, the first `SHOWN_WRONG` of them: a mail that cron sends is read by somebody."""
    wrong = [finding for finding in findings if finding.wrong is not None]
    for finding in wrong[:SHOWN_WRONG]:
        shown.say(_wrong(finding))
    if len(wrong) > SHOWN_WRONG:
        shown.say([f"… and {len(wrong) - SHOWN_WRONG} more; --json has them all."])


def _wrong(finding: Finding) -> Iterator[str]:
    outcome, expected = finding.outcome, finding.expected
    yield f"{finding.url}: {finding.wrong}"
    if outcome is not None and outcome.status is not None:
        yield f"    answered {_answer(outcome.status, outcome.location)}"
        for hop in outcome.via:
            yield f"        after {hop}"
    yield f"    expected {_answer(expected.status, expected.location)}"


def _answer(status: int, location: str | None) -> str:
    return str(status) if location is None else f"{status} {location}"


def nobody(findings: Sequence[Finding], base: str, trouble: str | None) -> str | None:
    """Return what is to be said instead of a list where no URL was answered at all, else None."""
    if not all(finding.unanswered for finding in findings):
        return None
    return f"Nothing is answered at {base}: {trouble or _LATE}."


def summary(findings: Sequence[Finding], projects: int, unreachable: str | None = None) -> str:
    """Return all of a probe in one line, with why the public side could not be reached, if some of it could not."""
    wrong_ones = sum(finding.wrong is not None for finding in findings)
    seconds = [finding.seconds for finding in findings]
    told = [finding.kept.hit for finding in findings if finding.kept.hit is not None]
    hits = f", {sum(told) / len(told):.0%} of {len(told)} from a cache" if told else ""
    away = any(each.outcome is not None and each.outcome.problem is Problem.UNREACHABLE for each in findings)
    cause = f" It {Problem.UNREACHABLE.words}: {printable(unreachable)}." if away and unreachable else ""
    return (
        f"{len(findings)} URLs, of {projects} project{'' if projects == 1 else 's'} and one that is none: "
        f"{wrong_ones} wrong{hits}; "
        f"{statistics.median(seconds):.3f} s at the median, {max(seconds):.3f} s at most.{cause}"
    )
