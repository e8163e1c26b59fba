"""`docsredirect compare`: whether the new service answers every URL of a list or log as well as the old one."""

import sys
from typing import IO, Any, Literal, NamedTuple

import click

from docsredirect.asking.bases import Bases, parse_bases
from docsredirect.asking.client import Limits
from docsredirect.cli import terminal
from docsredirect.cli.compare_run import Run, progress_of
from docsredirect.cli.comparison_report import SHOWN_WORSE, Report
from docsredirect.cli.known_table import KnownTable, refuse_packed
from docsredirect.domain.comparison import Verdict
from docsredirect.domain.errors import StoreError
from docsredirect.domain.hosts import HostRules
from docsredirect.domain.reasons import Better, Worse
from docsredirect.domain.settings import Settings
from docsredirect.formats.url_counts import UrlCounts
from docsredirect.formats.url_lists import NoUrl, read_urls

_WITHOUT = "Another place counts as worse then, unless it lies below the old one."
_SCHEMES = {"http": ("http",), "https": ("https",), "both": ("http", "https")}

_REASONS = "\b\n" + "\n".join(
    line
    for kind in (Better, Worse)
    for line in (f"{kind.__name__}, as --json has it:", *(f"  {each.code:<24} {each.words}" for each in kind))
)


class Wanted(NamedTuple):
    """The options."""

    old: tuple[str, ...]
    new: tuple[str, ...]
    file: IO[bytes]
    table: IO[bytes] | None
    scheme: Literal["http", "https", "both"]
    concurrency: int
    rate: float | None
    timeout: float
    show_all: bool
    as_json: bool


@click.command(short_help="Ask an old and a new service for a list of URLs, and judge the answers.", epilog=_REASONS)
@click.option("--old", multiple=True, required=True, metavar="BASE", help="Where the old service answers.")
@click.option("--new", multiple=True, required=True, metavar="BASE", help="Where the new service answers.")
@click.option(
    "--from", "file", type=click.File("rb"), required=True, metavar="FILE",
    help="The URLs, one a line; or JSON Lines with a `url`, or an access log. -: standard input.",
)  # fmt: skip
@click.option("--table", type=click.File("rb"), metavar="FILE", help="Hold the new answers to this table: JSON Lines.")
@click.option(
    "--scheme", type=click.Choice(list(_SCHEMES)), default="https", show_default=True,
    help="What lines without a scheme are asked with.",
)  # fmt: skip
@click.option(
    "--concurrency",
    type=click.IntRange(1, 256),
    default=8,
    show_default=True,
    help="How many URLs are asked at a time.",
)
@click.option("--rate", type=click.FloatRange(0, min_open=True), help="At most so many requests a second to each side.")
@click.option(
    "--timeout", type=click.FloatRange(0, min_open=True), default=10.0, show_default=True,
    help="Seconds for each request.",
)  # fmt: skip
@click.option("--all", "show_all", is_flag=True, help=f"Show every URL that is worse, not the first {SHOWN_WORSE}.")
@click.option("--json", "as_json", is_flag=True, help="Print every URL with both answers, as JSON Lines.")
@terminal.failures_shown
def compare(**options: Any) -> None:
    """Ask an old and a new service for every URL of FILE, follow their own redirects, and sort the answers: the same,
    better, or worse, with the reasons. Exit 1 if any is worse, or was not compared because the old side did not answer.

    BASE is http:// or https:// with a host and a port; the host of each URL goes into the Host header. Give --old or
    --new twice, with both schemes, and each URL goes to the base of its own; one base is told it in X-Forwarded-Proto.

    The new answers are held to --table FILE too, else to the published table of DOCSREDIRECT_STORE: where a maintainer
    wants another place, it is better. Without a table, another place is worse, unless it lies below the old one.

    \b
      docsredirect compare --old https://pythonhosted.org --new http://127.0.0.1:8080 --from urls.txt
      docsredirect compare --old http://a --new http://b --from access.log --scheme both --json > all.jsonl
    """
    wanted = Wanted(**options)
    if wanted.table is wanted.file:
        raise terminal.WrongUse("--from and --table cannot both be standard input. Name a file for one of them.")
    limits = Limits(wanted.timeout, wanted.concurrency, wanted.rate)
    old, new = _bases("--old", wanted.old), _bases("--new", wanted.new)
    settings = terminal.load_settings().settings
    refuse_packed(wanted.file)
    table = _known(wanted, settings)
    run = Run(old, new, limits, settings, table, is_published=table is not None and wanted.table is None)
    with UrlCounts() as urls:
        left_out = _read(wanted, settings.host_rules, urls)
        if not urls.distinct:
            raise click.ClickException(f"{wanted.file.name} holds no URL of ours: nothing was compared.")
        with Report(as_json=wanted.as_json, show_all=wanted.show_all, left_out=left_out) as report:
            run.report(urls, report)
    if report.sums.verdicts[Verdict.WORSE] or report.sums.verdicts[Verdict.NOT_COMPARED]:
        sys.exit(1)


def _bases(option: str, texts: tuple[str, ...]) -> Bases:
    try:
        return parse_bases(texts)
    except ValueError as error:
        raise terminal.WrongUse(f"{option}: {error}") from error


def _read(wanted: Wanted, hosts: HostRules, urls: UrlCounts) -> int:
    """Count the URLs of the file, tell which lines hold none, and return how many of those there are."""
    left_out = 0
    with progress_of("Reading", None, hidden=wanted.as_json and sys.stdout.isatty()) as advance:
        for each in read_urls(wanted.file, hosts, _SCHEMES[wanted.scheme]):
            advance("")
            if not isinstance(each, NoUrl):
                urls.add(each)
                continue
            left_out += 1
            if left_out <= terminal.SHOWN_LINES:
                click.echo(f"line {each.line}: {terminal.printable(each.why)}", err=True)
    urls.finish()
    if left_out:
        click.echo(f"Lines left out: {left_out:,}", err=True)
    return left_out


def _known(wanted: Wanted, settings: Settings) -> KnownTable | None:
    """Return the table that new answers are held to; say which, or what follows where there is none."""
    if wanted.table is not None:
        table = KnownTable.from_file(wanted.table, settings)
        _say_table(table, f"in {wanted.table.name}")
        return table
    try:
        published = terminal.run(KnownTable.published(settings))
    except StoreError as error:
        published, why = None, str(error).removesuffix(".")
    else:
        why = f"nothing is published in {settings.store}"
    if published is None:
        click.echo(f"No table: {terminal.printable(why)}. {_WITHOUT}", err=True)
    else:
        _say_table(published, f"published in {settings.store}")
    return published


def _say_table(table: KnownTable, where: str) -> None:
    click.echo(
        f"Table: {len(table.records):,} projects {terminal.printable(where)}. New answers are held to it.", err=True
    )
