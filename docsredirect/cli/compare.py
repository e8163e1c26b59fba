"""`docsredirect compare`: whether the new service answers every URL of a list or log as well as the old one."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, aclosing, contextmanager
from typing import IO, Any, Literal, NamedTuple

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from docsredirect.asking.bases import Bases, parse_bases
from docsredirect.asking.client import Limits, asking
from docsredirect.cli import terminal
from docsredirect.cli.comparing import Comparison, GivenUp, Sums
from docsredirect.cli.comparison_report import SHOWN_WORSE, Report
from docsredirect.cli.known_table import Histories, KnownTable
from docsredirect.domain.comparison import Verdict
from docsredirect.domain.errors import StoreError
from docsredirect.domain.hosts import HostRules
from docsredirect.domain.reasons import Better, Worse
from docsredirect.domain.settings import Settings
from docsredirect.formats.url_counts import UrlCounts
from docsredirect.formats.url_lists import NoUrl, read_urls
from docsredirect.store import open_store

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
    better, or worse, with the reasons. Exit 1 if any is worse.

    BASE is http:// or https:// with a host and a port; the host of each URL goes into the Host header. Give --old or
    --new twice, with both schemes, and each URL goes to the base of its own; one base is told it in X-Forwarded-Proto.

    The new answers are held to --table FILE too, else to the published table of DOCSREDIRECT_STORE: where a maintainer
    wants another place, it is better. Without a table, another place is worse, unless it lies below the old one.

    \b
      docsredirect compare --old https://pythonhosted.org --new http://127.0.0.1:8080 --from urls.txt
      docsredirect compare --old http://a --new http://b --from access.log --scheme both --json > all.jsonl
    """
    wanted = Wanted(**options)
    old, new = _bases("--old", wanted.old), _bases("--new", wanted.new)
    settings = terminal.load_settings().settings
    with UrlCounts() as urls:
        _read(wanted, settings.host_rules, urls)
        if not urls.distinct:
            raise click.ClickException(f"{wanted.file.name} holds no URL of ours: nothing was compared.")
        counted = terminal.run(_compare(wanted, settings, (old, new), urls))
    if not counted.compared:
        raise click.ClickException("The old side answered nothing: nothing was compared. Look whether --old is right.")
    if counted.verdicts[Verdict.WORSE]:
        sys.exit(1)


def _bases(option: str, texts: tuple[str, ...]) -> Bases:
    try:
        return parse_bases(texts)
    except ValueError as error:
        raise terminal.WrongUse(f"{option}: {error}") from error


def _read(wanted: Wanted, hosts: HostRules, urls: UrlCounts) -> None:
    """Count the URLs of the file, and tell which lines hold none."""
    refused = 0
    with _progress(wanted, "Reading", None) as advance:
        for each in read_urls(wanted.file, hosts, _SCHEMES[wanted.scheme]):
            advance()
            if not isinstance(each, NoUrl):
                urls.add(each)
                continue
            refused += 1
            if refused <= terminal.SHOWN_LINES:
                click.echo(f"line {each.line}: {terminal.printable(each.why)}", err=True)
    urls.finish()
    if refused:
        click.echo(f"{refused:,} lines hold no URL of ours and are left out.", err=True)


async def _compare(wanted: Wanted, settings: Settings, sides: tuple[Bases, Bases], urls: UrlCounts) -> Sums:
    """Compare all URLs and show the results. Raises `ClickException` where a side answers no more."""
    limits = Limits(wanted.timeout, wanted.concurrency, wanted.rate)
    async with AsyncExitStack() as stack:
        table, histories = await _known(wanted, settings, stack)
        old, new = [await stack.enter_async_context(asking(bases, limits)) for bases in sides]
        comparison = Comparison(old, new, settings.host_rules, table, histories)
        with Report(as_json=wanted.as_json, show_all=wanted.show_all) as report:
            try:
                async with aclosing(comparison.results(urls, wanted.concurrency)) as results:
                    with _progress(wanted, "Comparing", urls.distinct) as advance:
                        async for result in results:
                            report.add(result)
                            advance()
            except GivenUp as error:
                report.finish()
                raise click.ClickException(terminal.printable(str(error))) from error
            report.finish()
        return report.sums


async def _known(
    wanted: Wanted, settings: Settings, stack: AsyncExitStack
) -> tuple[KnownTable | None, Histories | None]:
    """Return the table that new answers are held to, and what projects were before; say which, or what follows."""
    if wanted.table is not None:
        table = KnownTable.from_file(wanted.table, settings)
        _say_table(table, f"in {wanted.table.name}")
        return table, None
    try:
        published = await KnownTable.published(settings)
    except StoreError as error:
        published, why = None, str(error).removesuffix(".")
    else:
        why = f"nothing is published in {settings.store}"
    if published is None:
        click.echo(f"No table: {terminal.printable(why)}. {_WITHOUT}", err=True)
        return None, None
    _say_table(published, f"published in {settings.store}")
    return published, Histories(await stack.enter_async_context(open_store(settings.store)))


def _say_table(table: KnownTable, where: str) -> None:
    click.echo(
        f"Table: {len(table.records):,} projects {terminal.printable(where)}. New answers are held to it.", err=True
    )


@contextmanager
def _progress(wanted: Wanted, what: str, total: int | None) -> Iterator[Callable[[], None]]:
    """Show how far it is, on a terminal where nothing else is written meanwhile."""
    words = Console(stderr=True)
    hidden = not words.is_terminal or (wanted.as_json and sys.stdout.isatty())
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=words, transient=True, redirect_stdout=False, disable=hidden) as progress:
        task = progress.add_task(what, total=total)
        yield lambda: progress.advance(task)
