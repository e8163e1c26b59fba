"""Checking from outside that a sample of the published table is answered as it says. Prints nothing."""

import asyncio
from collections.abc import Iterable, Sequence
from random import Random
from typing import NamedTuple

from docsredirect.asking.client import Asker
from docsredirect.asking.following import follow
from docsredirect.asking.in_order import in_order
from docsredirect.cli.known_table import KnownTable
from docsredirect.domain import preview
from docsredirect.domain.cache_status import Kept, read_kept
from docsredirect.domain.hosts import HostRules
from docsredirect.domain.legacy_urls import LegacyUrl
from docsredirect.domain.outcomes import REDIRECTS, Outcome
from docsredirect.domain.records import Record
from docsredirect.domain.resolve import Answer, resolve, take_apart

_ALWAYS_SAMPLED = 3
"""How many of a record's sample URLs are there without any rule: its root, a page, and the inventory."""


class Finding(NamedTuple):
    """What a URL answered, and what the table says."""

    url: LegacyUrl
    outcome: Outcome | None
    """None: it was not asked to the end before the time was over."""
    expected: Answer
    kept: Kept
    seconds: float
    wrong: str | None
    """What is wrong with the answer, as a few words; None: nothing."""

    @property
    def unanswered(self) -> bool:
        """Whether no answer arrived."""
        return self.outcome is None or self.outcome.unanswered


def choose(table: KnownTable, count: int, random: Random) -> list[str]:
    """Return the paths to ask for: those of at most `count` projects, and one that is nobody's."""
    names = random.sample(sorted(table.records), min(count, len(table.records)))
    paths = [path for name in names for path in _paths(table.records[name], random)]
    nobody = f"no-such-project-{random.getrandbits(64):016x}"
    return [*dict.fromkeys(paths), f"/{nobody}/"]


def _paths(record: Record, random: Random) -> list[str]:
    root = f"/{record.project}/"
    if record.state == "gone":
        return [root]
    samples = preview.samples(None, record)
    of_rules = samples[_ALWAYS_SAMPLED:]
    page = random.choice(of_rules) if of_rules else samples[1]
    asked = take_apart(page.url)
    assert asked is not None
    return [root, root.removesuffix("/"), asked.path]


class Probe:
    """Asks one public side for paths, until `deadline` by the event loop's clock."""

    def __init__(self, asker: Asker, hosts: HostRules, scheme: str, host: str, deadline: float) -> None:
        self._asker = asker
        self._hosts = hosts
        self._scheme = scheme
        self._host = host
        self._deadline = deadline

    async def findings(self, table: KnownTable, paths: Iterable[str], at_once: int) -> list[Finding]:
        """Return what each path answers, in their order, held to `table`."""

        async def one(path: str) -> Finding:
            return await self._ask(table, path)

        return [finding async for finding in in_order(paths, one, at_once)]

    async def _ask(self, table: KnownTable, path: str) -> Finding:
        url = LegacyUrl(self._scheme, self._host, path)
        expected = resolve(table.find, path)
        clock = asyncio.get_running_loop().time
        begin = clock()
        try:
            async with asyncio.timeout_at(self._deadline):
                outcome, reply = await follow(self._asker, url, self._hosts)
        except TimeoutError:
            return Finding(
                url, None, expected, Kept(None, None), clock() - begin, "not answered before the time was over"
            )
        kept = Kept(None, None) if reply is None else read_kept(reply.headers)
        return Finding(url, outcome, expected, kept, clock() - begin, fault(expected, outcome))


def fault(expected: Answer, outcome: Outcome) -> str | None:
    """Return what is wrong with an answer, as a few words, or None."""
    if outcome.problem is not None:
        return outcome.problem.words
    if outcome.via:
        return f"{outcome.hops} hops"
    if expected.status == 404 and outcome.status in (200, 404):
        return None  # a project without a redirect may have its old pages
    if (outcome.status, outcome.location) == (expected.status, expected.location):
        return None
    same_place = outcome.location == expected.location and outcome.status in REDIRECTS
    return "another status" if outcome.location is None or same_place else "another place"


def unsettled(findings: Sequence[Finding]) -> list[str]:
    """Return the paths that were answered wrongly."""
    return [finding.url.target for finding in findings if finding.wrong is not None]


def held_to(table: KnownTable, finding: Finding) -> Finding:
    """Return a finding that is right by `table` as right: what was published a moment ago may not be everywhere."""
    expected = resolve(table.find, finding.url.path)
    if finding.outcome is None or fault(expected, finding.outcome) is not None:
        return finding
    return finding._replace(expected=expected, wrong=None)
