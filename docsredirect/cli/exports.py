"""`docsredirect export`: the published table, from the store or the admin API, as lines that other programs read."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import click

from docsredirect.cli import terminal
from docsredirect.domain.records import Record
from docsredirect.formats import conveyor, jsonl

_FORMATS: dict[str, Callable[[Record], Iterator[bytes]]] = {"jsonl": jsonl.lines, "conveyor": conveyor.lines}


@click.command(short_help="Write the published table to a file.")
@click.option(
    "--format", "form", type=click.Choice(list(_FORMATS)), default="jsonl", show_default=True,
    help="jsonl: every field. conveyor: the old service's redirects.txt, as far as it can say it.",
)  # fmt: skip
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Write here, all or nothing, instead of to standard output.",
)  # fmt: skip
@click.option("--url", metavar="URL", help="Ask the admin API at URL, with DOCSREDIRECT_TOKEN.")
@terminal.failures_shown
def export(form: str, output: Path | None, url: str | None) -> None:
    """Write the published table of DOCSREDIRECT_STORE, sorted by name.

    What a format cannot say is listed on standard error, project by project. Importing a jsonl export gives the
    same table. With --url the table comes from the admin side there; DOCSREDIRECT_URL alone does not do that.

    \b
      docsredirect export > redirects.jsonl
      docsredirect export --format conveyor --output redirects.txt
    """
    count = 0
    lost: list[conveyor.Approximation] = []
    with _records(url) as records, _opened(output) as file:
        for record in records:
            file.writelines(_FORMATS[form](record))
            count += 1
            lost += conveyor.approximations(record) if form == "conveyor" else ()
    if form == "conveyor":
        for loss in lost:
            click.echo(f"{terminal.printable(loss.project)}: {loss.lost}", err=True)
        click.echo(f"{count} redirects, {len(lost)} approximations.", err=True)


@contextmanager
def _records(url: str | None) -> Iterator[Iterable[Record]]:
    """Give the published records, in order: all of them, or what gives them raises in the end."""
    if url is None:
        rows = terminal.run(terminal.published(terminal.load_settings().settings.store))
        yield [row.record for row in rows if row.record is not None]
        return
    from docsredirect.cli.client import connected  # noqa: PLC0415 - a direct export needs no HTTP
    from docsredirect.cli.remote_export import exported  # noqa: PLC0415

    with connected(url) as client, exported(client) as records:
        yield records


@contextmanager
def _opened(path: Path | None) -> Iterator[IO[bytes]]:
    """Open standard output, or a file that takes the place of `path` only once all of it is written."""
    if path is None:
        yield sys.stdout.buffer
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
