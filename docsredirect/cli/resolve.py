"""`docsredirect resolve`: what legacy URLs answer, offline or from the published table. Always JSON Lines out."""

import json
import sys
from collections.abc import Iterable, Iterator
from typing import IO

import click
import msgspec

from docsredirect.cli import terminal
from docsredirect.domain.hosts import HostRules
from docsredirect.domain.resolve import Find, resolve_url
from docsredirect.domain.routes import Route
from docsredirect.formats.lines import read_batch


@click.command(short_help="Say what legacy URLs answer, and why.")
@click.option(
    "--from", "file", type=click.File("rb"), metavar="FILE", help="Use this table: JSON Lines, or a redirects.txt."
)
@click.argument("urls", nargs=-1, metavar="[URL…|-]")
@terminal.failures_shown
def resolve(file: IO[bytes] | None, urls: tuple[str, ...]) -> None:
    """Print what legacy URLs answer, one JSON object a line: {"url", "status", "location", "rule"}.

    A URL may be whole, without a scheme, or, with a leading /, a path. `-` reads them from standard input, one a
    line; so does no URL at all where standard input is no terminal. Without --from, the published table of
    DOCSREDIRECT_STORE answers.

    \b
      docsredirect resolve --from redirects.jsonl https://pythonhosted.org/six/
      docsredirect resolve /six/genindex.html
    """
    if not urls and sys.stdin.isatty():
        raise click.UsageError("Give at least one URL, or - to read them from standard input.")
    settings = terminal.load_settings().settings
    batch = None if file is None else read_batch(file, settings.host_rules)
    if batch is None:
        rows = terminal.run(terminal.published(settings.store, ", or use --from FILE"))
        find = {row.name: Route(row.record) for row in rows if row.record is not None}.get
    else:
        terminal.say_refusals(batch.refusals)
        find = {name: Route(record) for name, record in batch.records.items()}.get
    for url in _urls(urls):
        terminal.write_out(_line(find, url, settings.host_rules))
    if batch is not None and batch.refusals:
        sys.exit(1)  # what could not be read may have been what was asked for


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
