"""`docsredirect resolve`: what legacy URLs answer, offline or from the published table. Always JSON Lines out."""

import json
import sys
from collections.abc import Iterable, Iterator
from typing import IO

import click
import msgspec

from docsredirect.cli import terminal
from docsredirect.domain import tables
from docsredirect.domain.hosts import HostRules
from docsredirect.domain.resolve import Find, resolve_url
from docsredirect.domain.routes import Route
from docsredirect.formats.lines import read_batch
from docsredirect.service.replica import load_rows
from docsredirect.store import open_store


@click.command()
@click.option("--from", "file", type=click.File("rb"), metavar="FILE", help="Use this table: JSON Lines.")
@click.argument("urls", nargs=-1, metavar="[URL…|-]")
@terminal.failures_shown
def resolve(file: IO[bytes] | None, urls: tuple[str, ...]) -> None:
    """Print what legacy URLs answer, one JSON object a line: {"url", "status", "location", "rule"}.

    A URL may be whole, without a scheme, or, with a leading /, a path. `-`, or no URL at all, reads them from
    standard input, one a line. Without --from, the published table of DOCSREDIRECT_STORE answers.

    \b
      docsredirect resolve --from redirects.jsonl https://pythonhosted.org/six/
      docsredirect resolve /six/genindex.html
    """
    if file is None:
        loaded = terminal.load_settings()
        find, complete = terminal.run(_published(loaded.settings.store)), True
        hosts = loaded.settings.host_rules
    else:
        hosts = terminal.load_settings().settings.host_rules
        find, complete = _from_file(file, hosts)
    for url in _urls(urls):
        terminal.write_out(_line(find, url, hosts))
    if not complete:
        sys.exit(1)


def _from_file(file: IO[bytes], hosts: HostRules) -> tuple[Find, bool]:
    """Return the table in `file`, and whether all of it could be read: if not, answers may be missing."""
    batch = read_batch(file, hosts)
    terminal.say_refusals(batch.refusals)
    return {name: Route(record) for name, record in batch.records.items()}.get, not batch.refusals


async def _published(url: str) -> Find:
    store = open_store(url)
    try:
        stored = await store.get(tables.TABLE_KEY)
        if stored is None:
            raise click.ClickException(f"Nothing is published in {store.url}. Import something, or use --from FILE.")
        rows = load_rows(store, tables.decode_table(stored.body))
        return {row.name: Route(row.record) async for row in rows if row.record is not None}.get
    finally:
        await store.close()


def _urls(arguments: Iterable[str]) -> Iterator[str]:
    for argument in arguments or ("-",):
        if argument == "-":
            for line in sys.stdin.buffer:
                if url := line.decode("utf-8", "surrogateescape").rstrip("\r\n"):
                    yield url
        else:
            yield argument


def _line(find: Find, url: str, hosts: HostRules) -> bytes:
    answer = resolve_url(find, url, hosts)
    fields = {"url": url, "status": answer.status, "location": answer.location, "rule": answer.rule}
    try:
        return msgspec.json.encode(fields) + b"\n"
    except UnicodeEncodeError:  # bytes that are not UTF-8: escaped one by one
        return json.dumps(fields).encode() + b"\n"
