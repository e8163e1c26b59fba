"""The board: each process of one `serve` writes there, once a second, how it is. What that means, readers judge."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec

_PATTERN = "live_*.json"
"""Names with "live" in them go with the process whose seat they end in: the parent sees to it."""


class ProcessState(msgspec.Struct, frozen=True):
    """How a process is. What it holds of the table is None where it follows none; times are RFC 3339, UTC."""

    role: str
    seat: int
    pid: int
    started: str
    reported: float
    """When this was written, in Unix seconds."""
    serves: bool = False
    """Whether it takes connections."""
    ready: bool = False
    """Whether names can be answered."""
    follows: bool = False
    """Whether it follows a table."""
    epoch: str | None = None
    sequence: int | None = None
    complete: bool = False
    rows: int = 0
    refusals: int = 0
    refused_sequence: int | None = None
    reason: str | None = None
    """Why it has refused what it refused last."""
    problem: str | None = None
    stale: bool = False
    last_poll: str | None = None
    """When a poll last succeeded."""
    table_age_seconds: float | None = None
    """How long that is ago."""
    asked: dict[str, int] = {}
    """How often it was asked for names that have no redirect, at least: those most asked for."""


class Board:
    """One process's place on the board in `folder`."""

    def __init__(self, folder: Path, seat: int) -> None:
        self._path = folder / _PATTERN.replace("*", str(seat))
        self._draft = self._path.with_suffix(".draft")

    def write(self, state: ProcessState) -> None:
        """Put `state` in the place of what was there. Without the folder, nobody reads."""
        with suppress(FileNotFoundError):
            self._draft.write_bytes(msgspec.json.encode(state))
            self._draft.replace(self._path)

    def remove(self) -> None:
        """Leave the board."""
        self._path.unlink(missing_ok=True)


def read(folder: Path) -> list[ProcessState]:
    """Return how the living processes are, by their seats."""
    found = []
    for path in folder.glob(_PATTERN):
        with suppress(FileNotFoundError):  # it ended meanwhile
            found.append(msgspec.json.decode(path.read_bytes(), type=ProcessState))
    return sorted(_living(found), key=lambda state: state.seat)


def _living(states: Iterable[ProcessState]) -> list[ProcessState]:
    return [state for state in states if _lives(state.pid)]


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
