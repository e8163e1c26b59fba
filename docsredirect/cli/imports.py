"""`docsredirect import`: a table from a file into the store, published once at its end."""

import sys
from typing import IO

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from docsredirect.cli import terminal
from docsredirect.service.writers import make_registry
from docsredirect.domain.errors import ImportRefused
from docsredirect.domain.projects import Author
from docsredirect.domain.settings import Settings
from docsredirect.formats.lines import Batch, read_batch
from docsredirect.service.bulk import Imported, ImportOptions
from docsredirect.service.import_report import ImportReport, report_on
from docsredirect.store import open_store

_COUNTS = ("created", "changed", "unchanged", "refused")


@click.command("import", short_help="Put the redirects of a file into the store.")
@click.argument("file", type=click.File("rb"))
@click.option("--dry-run", is_flag=True, help="Write nothing; say what would happen.")
@click.option("--only-new", is_flag=True, help="Leave projects alone that have a redirect already.")
@click.option("--force", is_flag=True, help="Allow changing more than a fifth of a large table.")
@click.option("--reason", metavar="TEXT", help="Why, for the history.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@terminal.failures_shown
def import_(file: IO[bytes], dry_run: bool, only_new: bool, force: bool, reason: str | None, as_json: bool) -> None:
    """Put the redirects of FILE (`-`: standard input) into DOCSREDIRECT_STORE and publish them.

    FILE holds JSON Lines records or the lines of an old redirects.txt. Lines that cannot go in are reported with
    their numbers, and the rest goes in; projects that FILE does not name stay as they are. An import that was
    interrupted can be run again: what is written already is not written twice.

    \b
      docsredirect import --dry-run redirects.txt
    """
    settings = terminal.load_settings().settings
    batch = read_batch(file, settings.host_rules)
    if not as_json:
        terminal.say_refusals(batch.refusals, "; --json lists them all")
    author = Author(by="command line", reason=reason)
    options = ImportOptions(dry_run=dry_run, only_new=only_new, force=force)
    try:
        imported = terminal.run(_import(settings, batch, author, options))
    except ImportRefused as error:
        raise click.ClickException(f"{error} Look at --dry-run, then say --force if that is meant.") from error
    report = report_on(batch, imported, options)
    if as_json:
        terminal.write_out(msgspec.json.encode(report) + b"\n")
    else:
        _say(batch, imported, report)
    if report.refused:
        sys.exit(1)


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


def _say(batch: Batch, imported: Imported, report: ImportReport) -> None:
    for name, reason in imported.refused:
        click.echo(f"{name}: {reason}", err=True)
    counted = ", ".join(f"{getattr(report, count)} {count}" for count in _COUNTS)
    click.echo(f"{'Dry run, nothing written: ' if report.dry_run else ''}{counted}.")
    if imported.needs_force:
        click.echo(f"Without --force this import would be refused: {imported.needs_force}.", err=True)
    if plain := sum(len(warning.errors) for warning in batch.warnings):
        urls = "1 URL is" if plain == 1 else f"{plain} URLs are"
        click.echo(f"{urls} plain http; https is better where the host has it.", err=True)
