"""How figures are shown."""

import statistics
from collections.abc import Sequence
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

P99_RUNS = 100
"""From how many runs on a 99th percentile is shown."""


class Figure(NamedTuple):
    """One measured quantity: every run's value."""

    what: str
    unit: str
    runs: Sequence[float]


def show(console: Console, title: str, figures: list[Figure]) -> None:
    """Print figures as a table: median, 99th percentile where there are enough runs, smallest and largest run."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("figure")
    for heading in ("median", "p99", "min", "max", "runs"):
        table.add_column(heading, justify="right")
    table.add_column("unit")
    for what, unit, runs in figures:
        p99 = _shown(percentile(runs, 99)) if len(runs) >= P99_RUNS else ""
        values = _shown(statistics.median(runs)), p99, _shown(min(runs)), _shown(max(runs))
        table.add_row(what, *values, str(len(runs)), unit)
    console.print()
    console.print(table)


def percentile(runs: Sequence[float], share: int) -> float:
    """Return the smallest run that `share` percent of the runs do not exceed."""
    return sorted(runs)[max(-(-len(runs) * share // 100) - 1, 0)]


def _shown(value: float) -> str:
    return f"{value:,.4g}" if abs(value) < 1_000 else f"{value:,.0f}"
