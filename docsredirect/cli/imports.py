"""`docsredirect import`: a table from a file into the store, or through the admin API of one that runs."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby
from typing import IO, TYPE_CHECKING

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from docsredirect.cli import terminal
from docsredirect.cli.parameters import reason_option
from docsredirect.domain.errors import Fault, ImportRefused
from docsredirect.domain.projects import Author
from docsredirect.domain.settings import Settings
from docsredirect.formats.lines import Batch, Refusal, read_batch
from docsredirect.service.bulk import Imported, ImportOptions
from docsredirect.service.import_report import ImportReport, LineFault, report_on
from docsredirect.service.writers import make_registry
from docsredirect.store import open_store

if TYPE_CHECKING:
    from docsredirect.cli.remote_import import Import

INTERRUPTED = 130
"""The exit status of a command that Ctrl-C has ended, as shells have it."""

_COUNTS = ("created", "changed", "unchanged", "refused")
_HINT = "; --json lists them all"
_LOOK = "Look at --dry-run, then say --force if that is meant."


@click.command("import", short_help="Put the redirects of a file into the store.")
@click.argument("file", type=click.File("rb"))
@click.option("--url", metavar="URL", help="Through the admin API at URL, with DOCSREDIRECT_TOKEN.")
@click.option("--dry-run", is_flag=True, help="Write nothing; say what would happen.")
@click.option("--only-new", is_flag=True, help="Leave projects alone that have a redirect already.")
@click.option("--force", is_flag=True, help="Allow changing more than a fifth of a large table.")
@reason_option
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@terminal.failures_shown
def import_(file: IO[bytes], url: str | None, reason: str | None, as_json: bool, **flags: bool) -> None:
    """Put the redirects of FILE (`-`: standard input) into DOCSREDIRECT_STORE and publish them.

    FILE holds JSON Lines records or the lines of an old redirects.txt. Lines that cannot go in are reported with
    their numbers, and the rest goes in; projects that FILE does not name stay as they are. An import that was
    interrupted can be run again: what is written already is not written twice.

    With --url it speaks to the admin side there instead of to a store; DOCSREDIRECT_URL alone does not do that. FILE
    may have 60 MiB then, and goes in piece by piece, after a look at the whole.

    \b
      docsredirect import --dry-run redirects.txt
    """
    options = ImportOptions(**flags)
    if url is None:
        report = _direct(file, options, reason, as_json=as_json)
    else:
        report = _remote(file, url, options, reason, as_json=as_json)
    if as_json:
        terminal.write_json(msgspec.json.encode(report) + b"\n")
    if report.refused:
        sys.exit(1)


def _direct(file: IO[bytes], options: ImportOptions, reason: str | None, *, as_json: bool) -> ImportReport:
    """Import a file into the store of the settings."""
    settings = terminal.load_settings().settings
    batch = read_batch(file, settings.host_rules)
    if not as_json:
        terminal.say_refusals(batch.refusals, _HINT)
    author = Author(by="command line", reason=reason)
    try:
        imported = terminal.run(_import(settings, batch, author, options))
    except ImportRefused as error:
        raise click.ClickException(f"{error} {_LOOK}") from error
    report = report_on(batch, imported, options)
    if not as_json:
        _say_unwritten(report.errors)
        _say(report, imported.needs_force)
    return report


async def _import(settings: Settings, batch: Batch, author: Author, options: ImportOptions) -> Imported:
    """Import a batch into the store of `settings`, showing progress on a terminal."""
    words = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    async with open_store(settings.store) as store:
        with Progress(*columns, console=words, transient=True, disable=not words.is_terminal) as progress:
            task = progress.add_task("Importing", total=len(batch.records))
            registry = make_registry(store)
            return await registry.import_records(
                batch.records, author, options, progress=lambda: progress.advance(task)
            )


def _remote(file: IO[bytes], url: str, options: ImportOptions, reason: str | None, *, as_json: bool) -> ImportReport:
    """Import a file through the admin API at `url`."""
    from docsredirect.cli import remote_import  # noqa: PLC0415 - a direct import needs no HTTP
    from docsredirect.cli.client import connected  # noqa: PLC0415

    loaded = terminal.load_settings()
    with connected(url, loaded) as client:
        data = remote_import.read_file(file)
        work = remote_import.Import(client, data, loaded.settings.host_rules, options, reason)
        if not as_json:
            terminal.say_refusals(work.batch.refusals, _HINT)
        with _interruption_told(work):
            report = work.look()
            why = f"it changes {report.changed} redirects, more than a fifth of all" if report.needs_force else None
            if not options.dry_run:
                if why is not None:
                    raise click.ClickException(f"The import was refused: {why}. {_LOOK}")
                work.write()
                report = work.report
    if not as_json:
        terminal.say_refusals(list(_refusals(report.errors[work.found_here :])), _HINT)
        _say_unwritten(report.errors)
        _say(report, why)
    return report


@contextmanager
def _interruption_told(work: "Import") -> Iterator[None]:
    """Say how far an import has come that does not come to its end."""
    try:
        yield
    except KeyboardInterrupt:
        _say_so_far(work, "Interrupted")
        sys.exit(INTERRUPTED)
    except click.ClickException:
        if work.begun:
            _say_so_far(work, "Broken off")
        raise


def _say_so_far(work: "Import", what: str) -> None:
    so_far = f"{work.done} of {work.total} records are in, and perhaps some of the next ones"
    click.echo(
        f"{what}: {so_far if work.begun else 'nothing was written'}. Run it again: it continues there.", err=True
    )


def _refusals(errors: Iterable[LineFault]) -> Iterator[Refusal]:
    """Return what was refused there, line by line."""
    numbered = sorted((each for each in errors if each.line is not None), key=lambda each: each.line or 0)
    for line, faults in groupby(numbered, key=lambda each: each.line or 0):
        yield Refusal(line, tuple(Fault(each.pointer, each.code, each.detail) for each in faults))


def _say_unwritten(errors: Iterable[LineFault]) -> None:
    for error in errors:
        if error.line is None:
            click.echo(terminal.printable(error.detail), err=True)


def _say(report: ImportReport, needs_force: str | None) -> None:
    counted = ", ".join(f"{getattr(report, count)} {count}" for count in _COUNTS)
    click.echo(f"{'Dry run, nothing written: ' if report.dry_run else ''}{counted}.")
    if needs_force:
        click.echo(f"Without --force this import would be refused: {needs_force}.", err=True)
    if plain := len(report.warnings):
        urls = "1 URL is" if plain == 1 else f"{plain} URLs are"
        click.echo(f"{urls} plain http; https is better where the host has it.", err=True)
