"""The report of a comparison, while it is made: results go in, and none of them is held."""

import sys
import tempfile
from types import TracebackType
from typing import Self

import click

from docsredirect.cli import comparison_shown, terminal
from docsredirect.cli.comparing import Result, Sums
from docsredirect.domain.comparison import Verdict

SHOWN_WORSE = 50
"""How many URLs that are worse a person is shown who has not asked for all."""

_HELD_BYTES = 1024 * 1024
"""How much of what is shown at the end is held in memory until then; the rest in a file."""


class Report:
    """Writes every result as JSON at once, or, for people, those that are worse at the end. The sums stand last: on
    standard error, where the rest is for programs."""

    def __init__(self, *, as_json: bool, show_all: bool) -> None:
        self.sums = Sums()
        self._as_json = as_json
        self._show_all = show_all
        self._worse = tempfile.SpooledTemporaryFile(_HELD_BYTES, "w+", encoding="utf-8")  # noqa: SIM115

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._worse.close()

    def add(self, result: Result) -> None:
        """Take a result."""
        self.sums.add(result)
        if self._as_json:
            terminal.write_out(comparison_shown.row(result))
        elif result.judgement.verdict is Verdict.WORSE and (self._show_all or self._worse_so_far <= SHOWN_WORSE):
            self._worse.writelines(f"{line}\n" for line in comparison_shown.worse(result))

    def finish(self) -> None:
        """Show what is shown at the end."""
        self._worse.seek(0)
        for line in self._worse:
            click.echo(line, nl=False)
        if not self._show_all and not self._as_json and self._worse_so_far > SHOWN_WORSE:
            click.echo(f"… and {self._worse_so_far - SHOWN_WORSE:,} more that are worse; --all shows them.")
        sys.stdout.flush()
        for line in comparison_shown.sums(self.sums):
            click.echo(line, err=self._as_json)

    @property
    def _worse_so_far(self) -> int:
        return self.sums.verdicts[Verdict.WORSE]
