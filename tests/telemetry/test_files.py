"""Counting together: files by seats, which outlive the processes that count in them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from docsredirect.telemetry import files

_COUNTS = """
import sys, pathlib
from docsredirect.telemetry import files
files.count_in(pathlib.Path(sys.argv[1]), int(sys.argv[2]))
from docsredirect.telemetry.metrics import Metrics
metrics = Metrics()
metrics.started("worker")
metrics.edge_answers(301, int(sys.argv[3]))
metrics.table("worker", sequence=int(sys.argv[3]), rows=1, stale=False, last_poll=1.0)
"""


def _process(folder: Path, seat: int, count: int, *before: str) -> subprocess.CompletedProcess[bytes]:
    words = [*before, sys.executable, "-c", _COUNTS, str(folder), str(seat), str(count)]
    environ = {**os.environ, files.VARIABLE: str(folder)}
    return subprocess.run(words, env=environ, check=False, capture_output=True, timeout=30)


def _lines(folder: Path) -> list[str]:
    return files.exposition(folder).decode().splitlines()


def test_seats_are_summed_and_counted_on_in(tmp_path: Path) -> None:
    """Two seats, one of them taken twice: the sum of all three processes, from the files of two."""
    for seat, count in ((0, 5), (1, 7), (0, 11)):
        assert _process(tmp_path, seat, count).returncode == 0
    lines = _lines(tmp_path)
    assert 'docsredirect_edge_answers_total{status="301"} 23.0' in lines
    assert 'docsredirect_process_starts_total{role="worker"} 3.0' in lines
    assert 'docsredirect_table_sequence{role="worker"} 7.0' in lines
    assert {path.stem.rpartition("_")[2] for path in tmp_path.iterdir()} == {"0", "1"}


def test_a_file_that_has_no_head_yet_is_passed_over(tmp_path: Path) -> None:
    """A process may be making it just now."""
    _process(tmp_path, 0, 5)
    (tmp_path / "counter_1.db").touch()
    assert 'docsredirect_edge_answers_total{status="301"} 5.0' in _lines(tmp_path)


def test_a_folder_without_files_shows_nothing(tmp_path: Path) -> None:
    """Nobody has counted yet."""
    assert _lines(tmp_path) == []


@pytest.mark.skipif(sys.platform != "linux", reason="limits the size of files as Linux does")
def test_a_process_without_room_for_its_files_goes_on_without_them(tmp_path: Path) -> None:
    """It says so once, and works: a full disk may not end an edge."""
    limited = ("prlimit", "--fsize=65536") if Path("/usr/bin/prlimit").exists() else None
    if limited is None:
        pytest.skip("there is no prlimit")
    done = _process(tmp_path, 0, 5, *limited)
    assert (done.returncode, done.stdout.count(b"is not shown")) == (0, 1), done.stderr
