"""`docsredirect import`: a table from a file into the store, published once at its end."""

import sys
import time
import uuid
from typing import IO, Any

import click
import msgspec
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from docsredirect.cli import terminal
from docsredirect.domain.projects import Author
from docsredirect.domain.settings import Settings
from docsredirect.formats.lines import Batch, read_batch
from docsredirect.service.publisher import Publisher
from docsredirect.service.registry import Imported, Registry
from docsredirect.store import Store, open_store


@click.command("import")
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
    author = Author(by="command line", reason=reason)
    if not as_json:
        terminal.say_refusals(batch.refusals, "; --json lists them all")
    options = {"dry_run": dry_run, "only_new": only_new, "force": force}
    imported = terminal.run(import_batch(settings, batch, author, options))
    if as_json:
        terminal.write_out(msgspec.json.encode(summary(batch, imported, dry_run=dry_run)) + b"\n")
    else:
        _say(batch, imported, dry_run=dry_run)
    if batch.refusals or imported.refused:
        sys.exit(1)


async def import_batch(settings: Settings, batch: Batch, author: Author, options: dict[str, bool]) -> Imported:
    """Import a batch into the store of `settings`, showing progress on a terminal."""
    store = open_store(settings.store)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        out = terminal.console()
        with Progress(*columns, console=out, transient=True, disable=not out.is_terminal) as progress:
            task = progress.add_task("Importing", total=len(batch.records))
            return await make_registry(store).import_records(
                batch.records, author, progress=lambda: progress.advance(task), **options
            )
    finally:
        await store.close()


def make_registry(store: Store) -> Registry:
    """Return the writer of `store`, with the real clock and real randomness."""
    publisher = Publisher(store, new_epoch=lambda: uuid.uuid4().hex[:16])
    return Registry(store, publisher, clock=time.time, new_operation=lambda: uuid.uuid4().hex)


def summary(batch: Batch, imported: Imported, *, dry_run: bool) -> dict[str, Any]:
    """Return what an import came to, in the form that the API has too."""
    unwritten = [
        {"line": None, "pointer": "", "code": "not-written", "detail": f"{name}: {reason}"}
        for name, reason in imported.refused
    ]
    return {
        "created": imported.created,
        "changed": imported.changed,
        "unchanged": imported.unchanged + batch.repeated,
        "refused": len(batch.refusals) + len(imported.refused),
        "errors": terminal.fault_rows(batch.refusals) + unwritten,
        "warnings": terminal.fault_rows(batch.warnings),
        "dry_run": dry_run,
        "needs_force": imported.needs_force is not None,
    }


def _say(batch: Batch, imported: Imported, *, dry_run: bool) -> None:
    for name, reason in imported.refused:
        click.echo(f"{name}: {reason}", err=True)
    counts = summary(batch, imported, dry_run=dry_run)
    counted = ", ".join(f"{counts[key]} {key}" for key in ("created", "changed", "unchanged", "refused"))
    click.echo(f"{'Dry run, nothing written: ' if dry_run else ''}{counted}.")
    if imported.needs_force:
        click.echo(imported.needs_force)
    if plain := len(batch.warnings):
        click.echo(f"{plain} lines have a target that is plain http; https is better where the host has it.")
