"""Asking both sides for each URL and judging the answers. Prints nothing."""

from collections import Counter
from collections.abc import AsyncGenerator, Iterable
from typing import NamedTuple

from docsredirect.asking.client import Asker
from docsredirect.asking.following import follow
from docsredirect.asking.in_order import in_order
from docsredirect.cli.known_table import Histories, KnownTable
from docsredirect.domain.comparison import Judgement, Verdict, judge
from docsredirect.domain.hosts import HostRules
from docsredirect.domain.legacy_urls import LegacyUrl
from docsredirect.domain.outcomes import Outcome
from docsredirect.domain.reasons import Reason
from docsredirect.domain.told import Told

MAX_UNANSWERED = 25
"""How many URLs in a row may get no answer from a side before it is given up: a black hole costs 20 seconds each."""


class Result(NamedTuple):
    """A URL, how often it was listed, both answers, what the table says, and what follows from that."""

    url: LegacyUrl
    listed: int
    old: Outcome
    new: Outcome
    told: Told | None
    judgement: Judgement


class GivenUp(Exception):
    """A side does not answer."""


class Sums:
    """How many URLs there are of each verdict, and of each reason for it, and how many lines held none."""

    def __init__(self, left_out: int = 0) -> None:
        self.left_out = left_out
        self.urls = 0
        self.listed = 0
        self.verdicts: Counter[Verdict] = Counter()
        self.reasons: Counter[Reason] = Counter()

    def add(self, result: Result) -> None:
        """Count a result."""
        self.urls += 1
        self.listed += result.listed
        self.verdicts[result.judgement.verdict] += 1
        self.reasons.update(result.judgement.reasons)


class _Side:
    """One side, and how many URLs in a row it has not answered."""

    def __init__(self, name: str, asker: Asker, hosts: HostRules) -> None:
        self._name = name
        self._asker = asker
        self._hosts = hosts
        self._unanswered = 0

    async def ask(self, url: LegacyUrl) -> Outcome:
        """Return the answer to `url`. Raises `GivenUp`."""
        outcome = (await follow(self._asker, url, self._hosts)).outcome
        self._unanswered = self._unanswered + 1 if outcome.unanswered else 0
        if self._unanswered > MAX_UNANSWERED:
            raise GivenUp(f"the {self._name} side, {self._asker.bases}, does not answer: {self._asker.trouble}")
        return outcome


class Comparison:
    """Compares two sides, with a table where there is one."""

    def __init__(
        self, old: Asker, new: Asker, hosts: HostRules, table: KnownTable | None, histories: Histories | None
    ) -> None:
        self._old = _Side("old", old, hosts)
        self._new = _Side("new", new, hosts)
        self._table = table
        self._histories = histories

    def results(self, urls: Iterable[tuple[LegacyUrl, int]], at_once: int) -> AsyncGenerator[Result]:
        """Yield the result of each URL, in their order. Raises `GivenUp` where a side answers no more."""
        return in_order(urls, self._compare, at_once)

    async def _compare(self, listed: tuple[LegacyUrl, int]) -> Result:
        url, count = listed
        # One after the other: what is asked at a time is then as much as was said, of both sides together.
        old, new = await self._old.ask(url), await self._new.ask(url)
        told = None if self._table is None else self._table.told(url)
        judgement = judge(url, old, new, told)
        result = Result(url, count, old, new, told, judgement)
        if judgement.verdict is not Verdict.WORSE:
            return result
        again = [result._replace(told=each, judgement=judge(url, old, new, each)) for each in await self._anew(result)]
        right = (each for each in again if each.judgement.verdict is not Verdict.WORSE)
        return next(right, again[0] if again else result)

    async def _anew(self, result: Result) -> list[Told]:
        """Return what the table says of a URL whose project's history is known too, and what it would say with the
        project as it is now: somebody may have changed it since the table was read."""
        name = None if result.told is None else result.told.expected.name
        if self._table is None or self._histories is None or name is None:
            return []
        states = await self._histories.of(name)
        if states is None:
            return []
        return [each.told(result.url, states) for each in (self._table, self._table.only(name, states[0]))]
