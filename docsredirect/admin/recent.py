"""The last changes that this process has made, for administrators to glance at. The histories of projects, and the log,
are what is kept."""

from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple

CHANGES = 20


class RecentChange(NamedTuple):
    """A change as it was logged: what was done, by whom, and when (seconds since the epoch)."""

    action: str
    by: str
    time: float
    fields: Mapping[str, Any]


class Recent:
    """Remembers the last `CHANGES` changes of this process."""

    def __init__(self) -> None:
        self._changes: deque[RecentChange] = deque(maxlen=CHANGES)

    def note(self, action: str, by: str, time: float, fields: Mapping[str, Any]) -> None:
        """Remember a change. What was asked for and found done already is none."""
        if fields.get("outcome") != "unchanged":
            self._changes.appendleft(RecentChange(action, by, time, fields))

    def changes(self) -> list[RecentChange]:
        """Return the last changes, newest first."""
        return list(self._changes)
