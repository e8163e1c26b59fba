"""Run the benchmarks that are named, or all of them."""

import argparse
import platform
from collections.abc import Callable

from rich.console import Console

from tests.bench import resolving, scale
from tests.bench.report import Figure, show

BENCHMARKS: dict[str, Callable[[], list[Figure]]] = {
    "resolve": resolving.figures,
    "scale": scale.figures,
}


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], metavar="NAME", help=", ".join(BENCHMARKS))
    names = parser.parse_args().names or list(BENCHMARKS)
    console = Console(highlight=False)
    console.print(f"Python {platform.python_version()} on {platform.machine()}; medians of the runs stated.")
    for name in names:
        show(console, name, BENCHMARKS[name]())


if __name__ == "__main__":
    main()
