"""What 25,000 projects cost, and 1,000,000: importing them, starting with them, holding them, taking in a change.

``--projects N`` measures one size instead of both; ``--store rgw`` starts from another store than a folder;
``--workers N`` starts so many (1). With ``--quick`` the sizes are 25,000 and 100,000.

The import goes through the command line, and only up to 25,000 projects and into a folder. Larger tables are written
as the publisher would write them, once a run. "From the last good table" starts with the store out of reach: a
folder is renamed away, and S3 resets every connection. Where `serve` keeps no such table, these figures are missing.
"""

import asyncio
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

from tests.bench import prepared, scanning, synthetic, taking_in
from tests.bench.alone import alone
from tests.bench.fronts import Outage, cuttable
from tests.bench.memory import Memory
from tests.bench.options import Options
from tests.bench.places import Place, place_with
from tests.bench.report import Figure
from tests.bench.services import COMMAND, running

IMPORTED = 25_000
SIZES = (25_000, 1_000_000)
QUICK_SIZES = (25_000, 100_000)
RUNS = 3
CHANGES = 10
_KEPT_SECONDS = 20.0


def figures(options: Options) -> list[Figure]:
    """Measure, each run in a folder of its own."""
    measured = []
    if options.projects is None and options.store == "directory":
        measured += _importing(IMPORTED, runs=1 if options.quick else RUNS)
    sizes = (options.projects,) if options.projects else QUICK_SIZES if options.quick else SIZES
    for count in sizes:
        measured += _starting(options, count)
        with prepared.folder_with(count) as folder:
            measured += alone(taking_in.figures, folder, count, options.size(options.changes, CHANGES, CHANGES))
    names = options.size(None, scanning.RANDOM_NAMES, scanning.RANDOM_NAMES // 10)
    with prepared.folder_with(sizes[0]) as folder:
        measured += alone(scanning.figures, folder, sizes[0], names)
    return measured


def _importing(count: int, runs: int) -> list[Figure]:
    first, again = [], []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "records.jsonl"
            file.write_text("".join(f"{json.dumps(each)}\n" for each in synthetic.records(count)), encoding="utf-8")
            first.append(_import(folder, file))
            again.append(_import(folder, file))
    return [
        Figure(f"import {count:,} projects into an empty store", "s", first),
        Figure(f"import the same {count:,} projects again", "s", again),
    ]


def _import(folder: str, file: Path) -> float:
    environ = {**os.environ, "DOCSREDIRECT_STORE": f"{folder}/store"}
    start = time.perf_counter()
    subprocess.run([*COMMAND, "import", str(file)], env=environ, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def _starting(options: Options, count: int) -> list[Figure]:
    workers = options.size(options.workers, 1, 1)
    from_store: list[float] = []
    from_disk: list[float] = []
    memory: list[Memory] = []
    kept_memory: list[Memory] = []
    is_kept = True
    with place_with(options.store, count) as place, cuttable(place) as (through, set_outage):
        for _ in range(1 if options.quick else RUNS):
            with tempfile.TemporaryDirectory() as state, running(_environ(place, state), workers=workers) as service:
                from_store.append(service.until_ready(count))
                memory += asyncio.run(service.memory())
            with tempfile.TemporaryDirectory() as state:
                environ = _environ(through, state)
                is_kept = is_kept and _keep(environ, Path(state))
                if not is_kept:
                    continue
                set_outage(Outage.RESET)
                with running(environ, workers=workers) as service:
                    from_disk.append(service.until_ready(count, polled=False))
                    kept_memory += asyncio.run(service.memory())
                set_outage(None)
    what = f"{count:,} projects"
    return [
        Figure(f"start to ready with {what}, from the store ({options.store})", "s", from_store),
        *_memory(f"with {what}, {workers} worker(s), from the store", memory),
        *([Figure(f"start to ready with {what}, from the last good table", "s", from_disk)] if from_disk else []),
        *_memory(f"with {what}, {workers} worker(s), from the last good table", kept_memory),
    ]


def _memory(what: str, memory: list[Memory]) -> list[Figure]:
    if not memory:
        return []
    return [
        Figure(f"resident memory per worker {what}", "MiB", [each.resident for each in memory]),
        Figure("… its proportional share (PSS)", "MiB", [each.proportional for each in memory]),
        Figure("… private", "MiB", [each.private for each in memory]),
    ]


def _environ(place: Place, state: str) -> dict[str, str]:
    return {**place.environ, "DOCSREDIRECT_STORE": place.url, "DOCSREDIRECT_STATE_DIR": state}


def _keep(environ: dict[str, str], state: Path) -> bool:
    """Let a service keep its last good table on disk. False where it keeps none."""
    with running(environ):
        until = time.monotonic() + _KEPT_SECONDS
        while not next(state.rglob("table.json"), None) and time.monotonic() < until:
            time.sleep(0.1)
    return next(state.rglob("table.json"), None) is not None
