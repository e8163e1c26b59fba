"""`docsredirect probe`: whether the public side answers a sample of the published table as it says. Fit for cron."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from random import Random
from typing import IO, Any, NamedTuple

import click

from docsredirect.asking.bases import Base, Bases, parse_base
from docsredirect.asking.client import Limits, asking
from docsredirect.cli import probe_shown, terminal
from docsredirect.cli.known_table import KnownTable
from docsredirect.cli.probing import Finding, Probe, choose, held_to, unsettled
from docsredirect.domain.errors import StoreError
from docsredirect.domain.hosts import host_of
from docsredirect.domain.settings import Settings

_TOO_SHORT = "The time was too short for asking again: what is wrong was asked once. Give a longer --within."


class Probed(NamedTuple):
    """What a probe has found: of how many projects, and why there were no answers, if there were none."""

    findings: list[Finding]
    projects: int
    trouble: str | None
    unreachable: str | None


class Wanted(NamedTuple):
    """The options."""

    url: str
    table: str | None
    sample: int
    seed: int | None
    host: str | None
    concurrency: int
    timeout: float
    within: float
    settle: float
    as_json: bool


@click.command(short_help="Check from outside that a sample of the table is answered as it says.")
@click.option("--url", required=True, metavar="BASE", help="The public side: http:// or https://, a host, and a port.")
@click.option(
    "--table", type=click.Path(exists=True, dir_okay=False), metavar="FILE",
    help="Check against this table: JSON Lines. Without it, the published table of DOCSREDIRECT_STORE.",
)  # fmt: skip
@click.option("--sample", type=click.IntRange(1), default=100, show_default=True, help="How many projects are checked.")
@click.option("--seed", type=int, help="Choose the same projects each time.")
@click.option("--host", metavar="HOST", help="Ask for this host at BASE, instead of BASE's own.")
@click.option(
    "--concurrency",
    type=click.IntRange(1, 256),
    default=8,
    show_default=True,
    help="How many URLs are asked at a time.",
)
@click.option(
    "--timeout", type=click.FloatRange(0, min_open=True), default=10.0, show_default=True,
    help="Seconds for each request.",
)  # fmt: skip
@click.option(
    "--within", type=click.FloatRange(0, min_open=True), default=120.0, show_default=True,
    help="Seconds for all of it: what is not answered by then is wrong.",
)  # fmt: skip
@click.option(
    "--settle", type=click.FloatRange(0), default=10.0, show_default=True,
    help="Seconds before a wrong answer is asked for again: a change may be on its way.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print every answer, as JSON Lines.")
@terminal.failures_shown
def probe(**options: Any) -> None:
    """Ask the public side for a random sample of the published table, and for a name that nobody has: each project's
    root with and without its slash and one page, of a rule where there are any. Exit 1 if an answer is wrong, or
    nothing could be asked.

    Right is what `docsredirect resolve` says, in one hop; names in DOCSREDIRECT_DENY_FILE answer 410. A wrong answer is
    asked for again once the table was read anew and --settle seconds have passed.

    Without a terminal, only wrong answers are printed, and one line that sums up.

    \b
      docsredirect probe --url https://pythonhosted.org
      docsredirect probe --url http://127.0.0.1:6081 --host packages.python.org --sample 20 --json
    """
    wanted = Wanted(**options)
    base, host = _base(wanted)
    settings = terminal.load_settings().settings
    probed = terminal.run(_probe(wanted, settings, base, host))
    _show(probed, base, as_json=wanted.as_json)
    if any(finding.wrong for finding in probed.findings):
        sys.exit(1)


def _base(wanted: Wanted) -> tuple[Base, str]:
    """Return the base, and the host that is asked for there."""
    try:
        base = parse_base(wanted.url)
    except ValueError as error:
        raise terminal.WrongUse(f"--url: {error}") from error
    if wanted.host is not None and not host_of(wanted.host):
        raise terminal.WrongUse(f"--host: {terminal.printable(wanted.host)} is no host name.")
    if wanted.settle >= wanted.within:
        raise terminal.WrongUse(
            f"--settle: {wanted.settle:g} seconds are not less than the {wanted.within:g} of --within. "
            "Nothing could be asked again: give a longer --within."
        )
    return base, wanted.host or base.authority


async def _probe(wanted: Wanted, settings: Settings, base: Base, host: str) -> Probed:
    """Return what is found. Raises `ClickException` where nothing can be asked."""

    async def read() -> KnownTable:
        return await _read(wanted.table, settings)

    loop = asyncio.get_running_loop()
    deadline = loop.time() + wanted.within
    table = await read()
    paths = choose(table, wanted.sample, Random(wanted.seed))  # noqa: S311
    async with asking(Bases({base.scheme: base}), Limits(wanted.timeout, wanted.concurrency)) as asker:
        probing = Probe(asker, settings.host_rules, base.scheme, host, deadline)
        findings = await probing.findings(table, paths, wanted.concurrency)
        wrong = unsettled(findings)
        if wrong and loop.time() + wanted.settle < deadline:
            before = await _again(read, table)
            await asyncio.sleep(wanted.settle)
            table = await _again(read, before)
            again = await probing.findings(table, wrong, wanted.concurrency)
            settled = {each.url: held_to(before, each) for each in again}
            findings = [settled.get(finding.url, finding) for finding in findings]
        elif wrong:
            click.echo(_TOO_SHORT, err=True)
    return Probed(findings, min(wanted.sample, len(table.records)), asker.trouble, asker.unreachable)


async def _read(file: str | None, settings: Settings) -> KnownTable:
    if file is not None:
        with click.open_file(file, "rb") as opened:
            lines: IO[bytes] = opened
            table: KnownTable | None = KnownTable.from_file(lines, settings)
    else:
        table = await KnownTable.published(settings)
    if table is None or not table.records:
        where = file or settings.store
        raise click.ClickException(f"No redirect is published in {terminal.printable(where)}: there is nothing to ask.")
    return table


async def _again(read: Callable[[], Awaitable[KnownTable]], table: KnownTable) -> KnownTable:
    """Return the table as it is now, or the one that is known where it cannot be read."""
    try:
        return await read()
    except (StoreError, click.ClickException, OSError) as error:
        click.echo(f"The table could not be read anew: {terminal.printable(str(error))}", err=True)
        return table


def _show(probed: Probed, base: Base, *, as_json: bool) -> None:
    findings = probed.findings
    nobody = probe_shown.nobody(findings, str(base), probed.trouble)
    if as_json:
        for finding in findings:
            terminal.write_out(probe_shown.row(finding))
    elif nobody is not None:
        click.echo(terminal.printable(nobody))
    elif sys.stdout.isatty():
        probe_shown.table(findings)
    else:
        probe_shown.say_wrong(findings)
    sys.stdout.flush()
    unreachable = probed.unreachable if nobody is None or as_json else None  # said above
    click.echo(probe_shown.summary(findings, probed.projects, unreachable), err=as_json)
