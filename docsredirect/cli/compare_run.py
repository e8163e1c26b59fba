"""One run of a comparison: both sides asked, the results shown as they come, and a report also where it ends early."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, aclosing, contextmanager
from typing import NamedTuple

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from docsredirect.asking.bases import Bases
from docsredirect.asking.client import Limits, asking
from docsredirect.cli import terminal
from docsredirect.cli.comparing import Comparison, GivenUp
from docsredirect.cli.comparison_report import Report
from docsredirect.cli.known_table import Histories, KnownTable
from docsredirect.domain.comparison import Verdict
from docsredirect.domain.errors import DocsRedirectError
from docsredirect.domain.settings import Settings
from docsredirect.formats.url_counts import UrlCounts
from docsredirect.store import open_store

INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells have it."""


class Run(NamedTuple):
    """What a comparison is made of."""

    old: Bases
    new: Bases
    limits: Limits
    settings: Settings
    table: KnownTable | None
    is_published: bool
    """Whether the table is that of the settings' store, which has what projects are now and what they were."""

    def report(self, urls: UrlCounts, report: Report) -> None:
        """Compare all URLs and show the results. Raises `ClickException` where it ends early, once what is known is
        shown; after Ctrl-C `SystemExit`."""
        try:
            terminal.run(self._compare(urls, report))
        except BrokenPipeError:  # nobody reads the report
            raise
        except KeyboardInterrupt:
            report.finish(f"Stopped after {_how_far(urls, report)}.")
            sys.exit(INTERRUPTED)
        except GivenUp as error:
            why = terminal.printable(str(error))
            report.finish(f"Given up after {_how_far(urls, report)}: {why}.")
            raise click.ClickException(f"{why[:1].upper()}{why[1:]}.") from error
        except Exception as error:
            report.finish(f"Stopped after {_how_far(urls, report)}.")
            if isinstance(error, DocsRedirectError | OSError):
                raise
            why = terminal.printable(str(error) or type(error).__name__)
            raise click.ClickException(f"The comparison broke off: {why}. Run it again.") from error
        report.finish()

    async def _compare(self, urls: UrlCounts, report: Report) -> None:
        async with AsyncExitStack() as stack:
            old, new = [await stack.enter_async_context(asking(each, self.limits)) for each in (self.old, self.new)]
            histories = None
            if self.is_published:
                histories = Histories(await stack.enter_async_context(open_store(self.settings.store)))
            comparison = Comparison(old, new, self.settings.host_rules, self.table, histories)
            results = await stack.enter_async_context(aclosing(comparison.results(urls, self.limits.at_once)))
            with progress_of("Comparing", urls.distinct, hidden=report.is_on_terminal) as advance:
                async for result in results:
                    report.add(result)
                    advance(f"{report.sums.verdicts[Verdict.WORSE]:,} worse")


def _how_far(urls: UrlCounts, report: Report) -> str:
    return f"{report.sums.urls:,} of {urls.distinct:,} URLs"


@contextmanager
def progress_of(what: str, total: int | None, *, hidden: bool) -> Iterator[Callable[[str], None]]:
    """Show how far it is, on a terminal where nothing else is written meanwhile, with a word on how it goes."""
    words = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(),
    )  # fmt: skip
    hidden = hidden or not words.is_terminal
    with Progress(*columns, console=words, transient=True, redirect_stdout=False, disable=hidden) as progress:
        task = progress.add_task(what, total=total, note="")
        yield lambda note: progress.update(task, advance=1, note=note)
