"""What people and programs see of a comparison. Whatever a server sent is shown with its controls escaped."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from docsredirect.cli.comparing import Result, Sums
from docsredirect.cli.terminal import printable
from docsredirect.domain.comparison import Verdict
from docsredirect.domain.outcomes import Outcome
from docsredirect.domain.reasons import Better, Reason, Worse
from docsredirect.domain.told import Told

WORDS = {
    Verdict.SAME: "same",
    Verdict.BETTER: "better",
    Verdict.WORSE: "worse",
    Verdict.NOT_COMPARED: "not compared: the old side did not answer",
}
"""What each verdict is called."""


def row(result: Result) -> bytes:
    """Return a result as a line of JSON, in ASCII: no terminal obeys it."""
    fields = {
        "url": str(result.url),
        "count": result.listed,
        "verdict": result.judgement.verdict.value,
        "reasons": [reason.code for reason in result.judgement.reasons],
        "old": _fields(result.old),
        "new": _fields(result.new),
    }
    return json.dumps(fields).encode() + b"\n"


def _fields(outcome: Outcome) -> dict[str, Any]:
    return {
        "status": outcome.status,
        "location": outcome.location,
        "hops": outcome.hops,
        "via": list(outcome.via),
        "problem": None if outcome.problem is None else outcome.problem.code,
    }


def told_of(result: Result) -> Iterator[str]:
    """Return a result that is worse or was not compared, as people read it."""
    times = f"  ({result.listed:,} times)" if result.listed > 1 else ""
    yield f"{result.url}{times}"
    why = "; ".join(reason.words for reason in result.judgement.worse)
    yield f"    worse: {why}" if why else f"    {WORDS[result.judgement.verdict]}"
    yield f"    old    {_words(result.old)}"
    yield f"    new    {_words(result.new)}"
    if result.told is not None:
        yield f"    table  {_expected(result.told)}"


def _expected(told: Told) -> str:
    status, location, rule, *_ = told.expected
    return " ".join(filter(None, (str(status), location, f"({rule})" if rule else "")))


def _words(outcome: Outcome) -> str:
    parts = ["" if outcome.status is None else str(outcome.status), printable(outcome.location or "")]
    if outcome.problem is not None:
        parts.append(f"({outcome.problem.words})")
    if outcome.via:
        parts.append(f"after {' and '.join(map(printable, outcome.via))}")
    return " ".join(filter(None, parts))


def sums(counted: Sums) -> Iterator[str]:
    """Return the counts: of each verdict, and below it of each reason. A URL may have several."""
    if counted.left_out:
        yield f"Lines left out: {counted.left_out:,}"
    listed = f", listed {counted.listed:,} times" if counted.listed != counted.urls else ""
    yield f"{counted.urls:>9,}  URLs{listed}"
    reasons: dict[Verdict, Iterable[Reason]] = {Verdict.BETTER: Better, Verdict.WORSE: Worse}
    for verdict in Verdict:
        yield f"{counted.verdicts[verdict]:>9,}  {WORDS[verdict]}"
        for reason in reasons.get(verdict, ()):
            if counted.reasons[reason]:
                yield f"{counted.reasons[reason]:>17,}  {reason.words}"


def last_line(counted: Sums, stopped: str = "") -> str:
    """Return the sums that decide, in one line; with `stopped`, what they are the sums of."""
    verdicts = counted.verdicts
    not_compared = verdicts[Verdict.NOT_COMPARED]
    compared = f"{counted.urls - not_compared:,} compared, {not_compared:,} not compared"
    return f"{f'{stopped} ' if stopped else ''}{compared}, {verdicts[Verdict.WORSE]:,} worse."
