"""Run the benchmarks that are named, in full size, or all of them in small sizes (`--quick`), in a few minutes."""

import argparse
import os
import platform
import signal
import sys
from collections.abc import Callable

from rich.console import Console

from docsredirect.cli.terminal import set_up_logging
from tests.bench import cdn, imports, migration, outage, pages, polling, propagation, resolving, scale, writers, writes
from tests.bench.options import Options
from tests.bench.report import Figure, show

BENCHMARKS: dict[str, Callable[[Options], list[Figure]]] = {
    "resolve": resolving.figures,
    "scale": scale.figures,
    "writers": writers.figures,
    "propagation": propagation.figures,
    "polling": polling.figures,
    "outage": outage.figures,
    "cdn": cdn.figures,
    "migration": migration.figures,
    "imports": imports.figures,
    "writes": writes.figures,
    "pages": pages.figures,
}

_FILE_COLUMNS = 160
"""How wide a table may be where no terminal says so."""


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--store", default="directory", help="directory, moto, rgw, or the URL of an empty store")
    parser.add_argument("--projects", type=int, help="rows of the table")
    parser.add_argument("--changes", type=int, help="how many changes are made")
    parser.add_argument("--seconds", type=float, help="how long it lasts, where that is a matter of choice")
    parser.add_argument("--workers", type=int, help="processes of each edge")
    parser.add_argument("--quick", action="store_true", help="small sizes; what is given above stays")
    # So that a run that is told to end takes the services that it has started along.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    given = vars(parser.parse_args())
    names = given.pop("names") or []
    options = Options(**given)
    if not names:
        options = options._replace(quick=True)
    set_up_logging("error")
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _FILE_COLUMNS
    for name in names or BENCHMARKS:
        figures = BENCHMARKS[name](options)
        console.print(f"\nPython {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores", end="")
        console.print(f", load average {os.getloadavg()[0]:.1f}")
        show(console, name, figures)


if __name__ == "__main__":
    main()
