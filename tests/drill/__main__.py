"""Run the drill that is named and exit 1 where a promise was broken."""

import argparse
import os
import platform
import signal
import sys
import time

from rich.console import Console

from docsredirect.cli.terminal import set_up_logging
from tests.bench.report import Figure, show
from tests.drill import killing

DRILLS = ("killing",)
_FILE_COLUMNS = 160
_SHOWN = 50


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.drill", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*DRILLS, []], metavar="NAME", help=", ".join(DRILLS))
    parser.add_argument("--kills", type=int, default=killing.KILLS, help="how often")
    parser.add_argument("--store", default="directory", help="directory, moto, rgw, or the URL of an empty store")
    parser.add_argument("--writers", type=int, default=killing.WRITERS, help="how many write at once")
    parser.add_argument("--projects", type=int, default=killing.PROJECTS, help="to how many projects")
    parser.add_argument("--seed", type=int, default=killing.SEED, help="another one, another run")
    # So that a run that is told to end takes along what it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    given = vars(parser.parse_args())
    given.pop("names")
    options = killing.Options(**given)
    set_up_logging("error")
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _FILE_COLUMNS
    begun = time.perf_counter()
    ended = killing.drill(options)
    took = Figure("the whole drill", "s", [time.perf_counter() - begun])
    console.print(
        f"\nPython {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores, seed {options.seed}"
    )
    show(console, "killing", [*killing.figures(options, ended), took])
    for violation in ended.violations[:_SHOWN]:
        print(violation, file=sys.stderr)
    sys.exit(bool(ended.violations))


if __name__ == "__main__":
    main()
