"""An import through the admin API: the file is read here, looked at there as a whole, and sent in pieces. Knows no
store, and prints nothing but progress.

Lines that contradict each other may be far apart, and the guard against too large a change must see all of it: so
conflicts are found here, and a dry run of the whole comes first.
"""

from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import IO

import aiohttp
import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from docsredirect.cli.client import CONNECT_SECONDS, Client, Request
from docsredirect.domain.hosts import HostRules
from docsredirect.formats import jsonl
from docsredirect.formats.lines import Batch, read_batch
from docsredirect.service.bulk import Imported, ImportOptions
from docsredirect.service.import_report import ImportReport, LineFault, report_on

PIECE_RECORDS = 2_000
PIECES = 10
"""A piece has a tenth of the records, and `PIECE_RECORDS` at least: each costs the server a look at the whole table, so
100,000 records in pieces of 2,000 took twice as long as in ten."""

MAX_FILE = 60 * 1024 * 1024
MAX_SENT = 64 * 1024 * 1024
"""The largest file, and what the API reads at once, in bytes."""

PATIENCE_SECONDS = 60.0
_TIMEOUT = aiohttp.ClientTimeout(total=900.0, sock_connect=CONNECT_SECONDS)
"""A piece goes into a slow store at some 20 a second."""

_TOO_LARGE = (
    "The file is too large for one import through the API: at most 60 MiB, and 64 MiB as JSON Lines records. Split it "
    "at any line; lines about one project go into the same part."
)


class Import:
    """One import on its way. `report` is what it came to so far; `begun` tells whether anything was sent to be written,
    and `done` of `total` records are in for certain."""

    def __init__(
        self, client: Client, data: bytes, hosts: HostRules, options: ImportOptions, reason: str | None
    ) -> None:
        self._client = client
        self._data = data
        self._hosts = hosts
        self._options = options
        self._headers = {"X-Reason": reason} if reason else {}
        self.batch: Batch = read_batch(BytesIO(data), hosts)
        self._names = list(self.batch.records)
        self._lines = [b"".join(jsonl.lines(record)) for record in self.batch.records.values()]
        self._piece = max(PIECE_RECORDS, -(-len(self._lines) // PIECES))
        self._line_numbers: Mapping[str, int] | None = None
        self.report = report_on(self.batch, Imported(), options)
        self.found_here = len(self.report.errors)
        """How many of the report's errors were known before anything was sent."""
        self.done = 0
        self.begun = False
        if sum(map(len, self._lines)) > MAX_SENT:
            raise click.ClickException(_TOO_LARGE)

    @property
    def total(self) -> int:
        """How many records there are to send."""
        return len(self._lines)

    def look(self) -> ImportReport:
        """Return what the whole would come to, and write nothing."""
        # First with nothing: a refused token is told before a long body is on its way, and not lost behind it.
        self._send([], dry_run=True)
        with self._progress() as progress:
            progress.add_task("Looking", total=None)
            return self._with(self.report, self._send(self._lines, dry_run=True), 0)

    def write(self) -> None:
        """Send everything piece by piece, adding up in `report`. What is in stays in, whatever becomes of the rest."""
        with self._progress() as progress:
            task = progress.add_task("Importing", total=self.total)
            self.begun = True
            for start in range(0, max(self.total, 1), self._piece):
                piece = self._lines[start : start + self._piece]
                self.report = self._with(self.report, self._send(piece, dry_run=False), start)
                self.done = start + len(piece)
                progress.update(task, completed=self.done)

    def _send(self, lines: list[bytes], *, dry_run: bool) -> ImportReport:
        # The whole was looked at: a piece is not to be measured again.
        force = self._options.force if dry_run else True
        flags = {"dry_run": dry_run, "only_new": self._options.only_new, "force": force}
        query = {name: "true" for name, said in flags.items() if said}
        request = Request(
            "POST", "/import", query, self._headers, b"".join(lines), "application/jsonl",
            timeout=_TIMEOUT, patience=PATIENCE_SECONDS,
        )  # fmt: skip
        return self._client.send(request).read(ImportReport)

    def _with(self, sum_: ImportReport, part: ImportReport, start: int) -> ImportReport:
        """Return a report with that of a piece added, which begins with the record of number `start`."""
        return ImportReport(
            created=sum_.created + part.created,
            changed=sum_.changed + part.changed,
            unchanged=sum_.unchanged + part.unchanged,
            refused=sum_.refused + part.refused,
            errors=[*sum_.errors, *(self._in_file(fault, start) for fault in part.errors)],
            warnings=sum_.warnings,  # found here already
            dry_run=part.dry_run,
            needs_force=sum_.needs_force or part.needs_force,
        )

    def _in_file(self, fault: LineFault, start: int) -> LineFault:
        """Return a fault of a piece with its line's number in the file."""
        if fault.line is None or not 0 < fault.line <= self.total - start:
            return LineFault(None, fault.pointer, fault.code, fault.detail)
        if self._line_numbers is None:
            self._line_numbers = dict(_first_lines(self._data, self._hosts))
        number = self._line_numbers[self._names[start + fault.line - 1]]
        return LineFault(number, fault.pointer, fault.code, fault.detail)

    def _progress(self) -> Progress:
        words = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        return Progress(*columns, console=words, transient=True, disable=not words.is_terminal)


def read_file(file: IO[bytes]) -> bytes:
    """Return a whole file. Raises `ClickException` where it is too large."""
    data = file.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise click.ClickException(_TOO_LARGE)
    return data


def _first_lines(data: bytes, hosts: HostRules) -> Iterator[tuple[str, int]]:
    """Give each project with the number of the first line about it, the last ones first. Reads the file once more:
    most imports never need to know."""
    lines = data.split(b"\n")
    for number in range(len(lines), 0, -1):
        for name in read_batch(BytesIO(lines[number - 1]), hosts).records:
            yield name, number
