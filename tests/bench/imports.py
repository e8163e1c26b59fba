"""An import into an empty store, directly and through the API: seconds and peak memory; and the same once more.

100,000 records into a folder, 10,000 into any other store (2,000 with ``--quick``), or ``--projects N``. Directly is
`docsredirect import`, of whose process the memory is; through the API is one POST, and the memory is that of the
process that answers. The second time every record is there already. What a process took at most is the kernel's
VmHWM, which for the command is read every few milliseconds until it ends.
"""

import asyncio
import json
import os
import re
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import NamedTuple

from tests.bench import synthetic
from tests.bench.admin_serving import API, TOKEN, AdminService, administering
from tests.bench.options import Options
from tests.bench.places import Place, place_with
from tests.bench.report import Figure
from tests.bench.services import COMMAND

PROJECTS = 100_000
S3_PROJECTS = 10_000
QUICK_PROJECTS = 2_000
_LOOK_SECONDS = 0.005
_ANSWER_SECONDS = 1_200.0
_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB", re.MULTILINE)


class Cost(NamedTuple):
    """What an import took, and what its process held at most, in MiB."""

    seconds: float
    peak: float


def figures(options: Options) -> list[Figure]:
    """Measure, each way on a store of its own."""
    full = PROJECTS if options.store == "directory" else S3_PROJECTS
    count = options.size(options.projects, full, QUICK_PROJECTS)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "records.jsonl"
        file.write_text("".join(f"{json.dumps(each)}\n" for each in synthetic.records(count)), encoding="utf-8")
        with place_with(options.store, 0) as place:
            direct = [_direct(place, file, count, created=created) for created in (count, 0)]
        with place_with(options.store, 0) as place, administering(_environ(place)) as service:
            asyncio.run(service.until_ready())
            at_rest = peak_of(service.control)
            posted = [_posted(service, file, count, created=created) for created in (count, 0)]
    what = f"import {count:,} records into an empty store ({options.store})"
    return [
        *_shown(f"{what}, directly", direct),
        *_shown(f"{what}, through the API", posted),
        Figure("… before any of them", "MiB", [at_rest]),
    ]


def peak_of(pid: int) -> float:
    """Return what a process has held at most until now, in MiB; 0 of one that has ended."""
    try:
        found = _PEAK.search(Path(f"/proc/{pid}/status").read_text(encoding="ascii"))
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return int(found.group(1)) / 1024 if found else 0.0


def import_directly(place: Place, file: Path) -> tuple[Cost, dict[str, int]]:
    """Import `file` by the command, and return what that took and its summary."""
    start, peak = time.perf_counter(), 0.0
    command = [*COMMAND, "import", "--json", str(file)]
    with subprocess.Popen(command, env={**os.environ, **_environ(place)}, stdout=subprocess.PIPE) as process:
        while process.poll() is None:
            peak = max(peak, peak_of(process.pid))
            time.sleep(_LOOK_SECONDS)
        seconds = time.perf_counter() - start
        assert process.stdout is not None
        assert process.returncode == 0, f"the import failed with {process.returncode}"
        return Cost(seconds, peak), json.loads(process.stdout.read())


def _direct(place: Place, file: Path, count: int, *, created: int) -> Cost:
    cost, report = import_directly(place, file)
    _check(report, count, created)
    return cost


def _posted(service: AdminService, file: Path, count: int, *, created: int) -> Cost:
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/jsonl"}
    url = f"http://127.0.0.1:{service.port}{API}/import"
    start = time.perf_counter()
    request = urllib.request.Request(url, method="POST", data=file.read_bytes(), headers=headers)
    with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS) as response:
        report = json.load(response)
    cost = Cost(time.perf_counter() - start, peak_of(service.control))
    _check(report, count, created)
    return cost


def _check(report: dict[str, int], count: int, created: int) -> None:
    told = (report["created"], report["unchanged"], report["refused"])
    assert told == (created, count - created, 0), f"created, unchanged and refused are {told}"


def _shown(what: str, costs: list[Cost]) -> list[Figure]:
    first, again = costs
    return [
        Figure(what, "s", [first.seconds]),
        Figure("… peak memory", "MiB", [first.peak]),
        Figure("… the same records again", "s", [again.seconds]),
        Figure("… peak memory by then", "MiB", [again.peak]),
    ]


def _environ(place: Place) -> dict[str, str]:
    return {**place.environ, "DOCSREDIRECT_STORE": place.url}
