"""`docsredirect export`: the published table as lines that other programs read."""

from collections.abc import Callable, Iterator
from typing import IO

import click
import msgspec

from docsredirect.cli import terminal
from docsredirect.domain import tables
from docsredirect.domain.records import Record
from docsredirect.formats import conveyor, jsonl
from docsredirect.service.replica import load_rows
from docsredirect.store import open_store


def _conveyor_lines(record: Record) -> Iterator[bytes]:
    for row in conveyor.rows(record):
        yield msgspec.json.encode(row) + b"\n"


def _jsonl_lines(record: Record) -> Iterator[bytes]:
    yield jsonl.line(record)


_FORMATS: dict[str, Callable[[Record], Iterator[bytes]]] = {"jsonl": _jsonl_lines, "conveyor": _conveyor_lines}


@click.command()
@click.option(
    "--format", "form", type=click.Choice(list(_FORMATS)), default="jsonl", show_default=True,
    help="jsonl: every field. conveyor: the old service's redirects.txt, as far as it can say it.",
)  # fmt: skip
@click.option(
    "--output", type=click.File("wb", atomic=True), default="-", metavar="FILE",
    help="Write here instead of to standard output.",
)  # fmt: skip
@terminal.failures_shown
def export(form: str, output: IO[bytes]) -> None:
    """Write the published table of DOCSREDIRECT_STORE, sorted by name.

    What a format cannot say is listed on standard error, project by project. Importing a jsonl export gives the
    same table.
    """
    records = terminal.run(_published(terminal.load_settings().settings.store))
    for record in records:
        for line in _FORMATS[form](record):
            output.write(line)
    if form == "conveyor":
        lost = [loss for record in records for loss in conveyor.approximations(record)]
        for loss in lost:
            click.echo(f"{loss.project}: {loss.lost}", err=True)
        click.echo(f"{len(records)} redirects, {len(lost)} approximations.", err=True)


async def _published(url: str) -> list[Record]:
    """Return the records of the published table, sorted by name. Tombstones are left out."""
    store = open_store(url)
    try:
        stored = await store.get(tables.TABLE_KEY)
        if stored is None:
            click.echo(f"Nothing is published in {store.url}.", err=True)
            return []
        rows = [row async for row in load_rows(store, tables.decode_table(stored.body))]
    finally:
        await store.close()
    return [row.record for row in sorted(rows, key=lambda row: row.name) if row.record is not None]
