"""What 25,000 projects cost: importing them, starting with them, holding them."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from tests.bench import synthetic
from tests.bench.report import Figure

PROJECTS = 25_000
RUNS = 3
_DEADLINE = 60.0
_COMMAND = (sys.executable, "-m", "docsredirect")


def figures() -> list[Figure]:
    """Measure, each run in a folder of its own."""
    first, again, ready, memory, empty = [], [], [], [], []
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "records.jsonl"
            file.write_text("".join(f"{json.dumps(each)}\n" for each in synthetic.records(PROJECTS)), encoding="utf-8")
            first.append(_import(folder, file))
            again.append(_import(folder, file))
            seconds, mebibytes = _serve(folder, PROJECTS)
            ready.append(seconds)
            memory.append(mebibytes)
        with tempfile.TemporaryDirectory() as folder:
            empty.append(_serve(folder, 0)[1])
    what = f"{PROJECTS:,} projects"
    return [
        Figure(f"import {what} into an empty store", "s", first),
        Figure(f"import the same {what} again", "s", again),
        Figure(f"start to ready with {what}", "s", ready),
        Figure(f"resident memory with {what}", "MiB", memory),
        Figure("resident memory with an empty store", "MiB", empty),
    ]


def _environ(folder: str) -> dict[str, str]:
    return {**os.environ, "DOCSREDIRECT_STORE": f"{folder}/store", "DOCSREDIRECT_EDGE": "127.0.0.1:0"}


def _import(folder: str, file: Path) -> float:
    start = time.perf_counter()
    subprocess.run([*_COMMAND, "import", str(file)], env=_environ(folder), check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def _serve(folder: str, rows: int) -> tuple[float, float]:
    """Return the seconds from start to a table of `rows` rows that is held, and the process's resident MiB then."""
    start = time.perf_counter()
    process = subprocess.Popen([*_COMMAND, "serve"], env=_environ(folder), stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        while not (found := re.search(r'"port": (\d+)', process.stderr.readline())):
            assert process.poll() is None, "the process ended"
        while not _is_ready(int(found.group(1)), rows):
            assert time.perf_counter() - start < _DEADLINE, "not ready in time"
            time.sleep(0.005)
        return time.perf_counter() - start, _resident(process.pid)
    finally:
        process.terminate()
        process.communicate(timeout=15)


def _is_ready(port: int, rows: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/health/ready", timeout=5) as response:
            status = json.load(response)
    except urllib.error.HTTPError:
        return False
    return bool(status["rows"] == rows and status["seconds_since_successful_poll"] is not None)


def _resident(pid: int) -> float:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="ascii"))
    assert found is not None
    return int(found.group(1)) / 1024
