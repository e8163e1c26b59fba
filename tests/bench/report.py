"""How figures are shown."""

import statistics
from collections.abc import Sequence
from typing import NamedTuple

from rich.console import Console
from rich.table import Table


class Figure(NamedTuple):
    """One measured quantity: every run's value."""

    what: str
    unit: str
    runs: Sequence[float]


def show(console: Console, title: str, figures: list[Figure]) -> None:
    """Print figures as a table: median, smallest and largest run."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("figure")
    for heading in ("median", "min", "max", "runs"):
        table.add_column(heading, justify="right")
    table.add_column("unit")
    for what, unit, runs in figures:
        values = [statistics.median(runs), min(runs), max(runs)]
        table.add_row(
            what, *(f"{value:,.4g}" if value < 1_000 else f"{value:,.0f}" for value in values), str(len(runs)), unit
        )
    console.print()
    console.print(table)
