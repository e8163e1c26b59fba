"""What the states of all processes come to, and whether the service can answer. Reads nothing itself."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from docsredirect.telemetry.board import ProcessState

ASKED_SHOWN = 50
"""How many names without a redirect are shown."""

SILENT_SECONDS = 10.0
"""Who has not said for so long how it is does not count as ready: ten times as often as it should."""

EVERYTHING, EDGE_ONLY, ADMIN_ONLY = "all", "edge-only", "admin-only"
_ANSWERING = {EVERYTHING: "worker", EDGE_ONLY: "worker", ADMIN_ONLY: "control"}
"""The role that answers whom the service is there for, by mode."""


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the service: of the table, what is true of the process that is furthest behind."""

    version: str
    mode: str
    store: str
    epoch: str | None
    sequence: int | None
    """The lowest sequence that a process has applied."""
    refused_sequence: int | None
    reason: str | None
    table_age_seconds: float | None
    rows: int | None
    last_poll: str | None
    stale: bool
    asked: dict[str, int]
    """How often all processes were asked for names that have no redirect, at least: those most asked for."""
    processes: list[dict[str, Any]]


def summary(version: str, mode: str, store: str, states: Sequence[ProcessState], now: float) -> Summary:
    """Return what `states` come to at `now`, in Unix seconds."""
    # Who is not ready yet has nothing that could be behind.
    following = [state for state in states if state.follows and state.ready]
    behind = min(following, key=lambda state: state.sequence or 0, default=None)
    oldest = max(following, key=_age, default=None)
    refused = [state for state in following if state.reason is not None]
    refusing = max(refused, key=lambda state: state.refused_sequence or 0, default=None)
    return Summary(
        version=version,
        mode=mode,
        store=store,
        epoch=behind.epoch if behind else None,
        sequence=behind.sequence if behind else None,
        refused_sequence=refusing.refused_sequence if refusing else None,
        reason=refusing.reason if refusing else None,
        table_age_seconds=oldest.table_age_seconds if oldest else None,
        rows=behind.rows if behind else None,
        last_poll=oldest.last_poll if oldest else None,
        stale=any(state.stale for state in following),
        asked=dict(sum((Counter(state.asked) for state in states), Counter[str]()).most_common(ASKED_SHOWN)),
        processes=[_shown(state, now) for state in states],
    )


def is_ready(mode: str, states: Sequence[ProcessState], now: float) -> bool:
    """Tell whether somebody can answer those whom the service is there for in this mode."""
    role = _ANSWERING[mode]
    return any(state.role == role and state.ready and now - state.reported < SILENT_SECONDS for state in states)


def mode_of(*, edge: bool, admin: bool) -> str:
    """Return the mode of a service with these listeners."""
    if edge and admin:
        return EVERYTHING
    return EDGE_ONLY if edge else ADMIN_ONLY


def _age(state: ProcessState) -> float:
    return float("inf") if state.table_age_seconds is None else state.table_age_seconds


def _shown(state: ProcessState, now: float) -> dict[str, Any]:
    """Return a process as it is shown: when it said so is a duration, which no clock can contradict."""
    shown = msgspec.structs.asdict(state)
    del shown["asked"]
    shown["reported_seconds_ago"] = round(max(0.0, now - shown.pop("reported")), 1)
    return shown
