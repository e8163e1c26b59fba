"""The run folder: files through which the processes of one `serve` count together. What is counted, `metrics` says.

A process counts in the files of its seat. The parent gives a seat to one process at a time, so there are as many files
as processes that ever lived at the same time, and a process that is started again counts on where the last one ended.
"""

import os
import struct
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry, generate_latest, values
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Names the run folder in the environment of a process. prometheus_client reads it by itself."""

_ATTEMPTS = 5
_KINDS = ("counter", "histogram", "gauge_livemax", "gauge_livemin", "gauge_livesum")
_BYTES = 256 * 1024
"""What a file may take at first: three times what the histograms of all the admin side's routes do."""

log = structlog.get_logger(__name__)


def count_in(folder: Path, seat: int) -> None:
    """Make every metric that is made from now on in this process count in the files of `seat`.

    Where there is no room for them, a process counts for itself: better than one that does not serve. The library has
    one switch for a whole process: tests, which count in memory, leave it alone.
    """
    try:
        for kind in _KINDS:
            _make_room(folder / f"{kind}_{seat}.db")
    except OSError as error:
        log.warning("what this process counts is not shown", reason=f"{folder}: {error.strerror}")
        values.ValueClass = values.MutexValue
        return
    os.environ[VARIABLE] = str(folder)
    values.ValueClass = values.MultiProcessValue(lambda: seat)  # type: ignore[no-untyped-call]


def _make_room(path: Path) -> None:
    """Have room for a file before it is written to through memory, where a full disk ends the process (SIGBUS)."""
    with path.open("ab") as file:
        if path.stat().st_size < _BYTES:
            os.posix_fallocate(file.fileno(), 0, _BYTES)


def exposition(folder: Path) -> bytes:
    """Return what all processes have counted together, in Prometheus' text format 0.0.4."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Sum(folder))
    return generate_latest(registry)


class _Sum(Collector):
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> list[Metric]:
        # A file that is just being made has no head yet.
        for attempt in range(_ATTEMPTS):
            files = [str(path) for path in self._folder.glob("*.db") if path.stat().st_size]
            try:
                merged = MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]
                return sorted(merged, key=lambda metric: str(metric.name))
            except (FileNotFoundError, struct.error):
                if attempt == _ATTEMPTS - 1:
                    raise
        return []
