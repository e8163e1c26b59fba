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
"""How many URLs that are worse a person is shown who has not asked for all, and how many that were not compared."""

_SHOWN = {Verdict.WORSE: "are worse", Verdict.NOT_COMPARED: "were not compared"}
_AGAIN = "URLs that were not compared say nothing of the new side: run it again when the old side answers."

_HELD_BYTES = 1024 * 1024
"""How much of what is shown at the end is held in memory until then; the rest in a file."""


class Report:
    """Writes every result as JSON at once, or, for people, those that are worse or were not compared at the end. The
    sums stand last: on standard error, where the rest is for programs."""

    def __init__(self, *, as_json: bool, show_all: bool, left_out: int = 0) -> None:
        self.sums = Sums(left_out)
        self._as_json = as_json
        self._show_all = show_all
        self._kept = tempfile.SpooledTemporaryFile(_HELD_BYTES, "w+", encoding="utf-8")  # noqa: SIM115

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._kept.close()

    @property
    def is_on_terminal(self) -> bool:
        """Whether results go to a terminal at once: nothing else can be shown there meanwhile."""
        return self._as_json and sys.stdout.isatty()

    def add(self, result: Result) -> None:
        """Take a result."""
        self.sums.add(result)
        if self._as_json:
            terminal.write_out(comparison_shown.row(result))
        elif (verdict := result.judgement.verdict) in _SHOWN and self._has_room(verdict):
            self._kept.writelines(f"{line}\n" for line in comparison_shown.told_of(result))

    def finish(self, stopped: str = "") -> None:
        """Show what is shown at the end; `stopped` says where it ended before that. The last line has all that decides:
        people cut the others off."""
        self._kept.seek(0)
        for line in self._kept:
            click.echo(line, nl=False)
        for verdict, what in _SHOWN.items():
            if not self._as_json and not self._has_room(verdict):
                click.echo(f"… and {self.sums.verdicts[verdict] - SHOWN_WORSE:,} more that {what}; --all shows them.")
        sys.stdout.flush()
        for line in comparison_shown.sums(self.sums):
            click.echo(line, err=self._as_json)
        if self.sums.verdicts[Verdict.NOT_COMPARED]:
            click.echo(_AGAIN, err=self._as_json)
        click.echo(comparison_shown.last_line(self.sums, stopped), err=self._as_json)

    def _has_room(self, verdict: Verdict) -> bool:
        return self._show_all or self.sums.verdicts[verdict] <= SHOWN_WORSE
