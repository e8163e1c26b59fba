"""The metrics: their names, labels and meanings. Where they are kept is the business of `files`.

Counters and histograms are the same in every process and are summed. Gauges tell of a living process; of those that
follow a table there is one for each role, and none for a process that follows none.
"""

import platform
from collections.abc import Iterable
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from docsredirect import __version__
from docsredirect.telemetry import labels
from docsredirect.telemetry.labels import closed

_Mode = Literal["livesum", "livemin", "livemax"]

_STORE_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Bounds of what a store request takes: a local disk's 0.1 ms up to where an S3 client gives up."""

_ADMIN_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 30.0, 120.0)
"""Bounds of what an admin request takes: a write waits up to 2 s to be published, an import up to minutes."""

_PUBLICATION_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0)
"""Bounds of what a publication takes, up to where it starts again."""


class Metrics:
    """All metrics of a process. `routes` are the admin side's route templates; any other one counts as other."""

    def __init__(self, routes: Iterable[str] = ()) -> None:
        self.registry = CollectorRegistry()
        self._routes = frozenset(routes)
        self._make_edge()
        self._make_following()
        self._make_store()
        self._make_admin()
        self._starts = self._counter("process_starts", "Processes that were started.", "role")
        self._processes = self._gauge("processes", "Processes that live.", "livesum", "role")
        self._lag = self._gauge(
            "event_loop_lag_seconds", "By how much a wait of a second was too long; the longest.", "livemax", "role"
        )
        info = self._gauge("build_info", "What is installed; always 1.", "livemax", "version", "python")
        info.labels(__version__, platform.python_version()).set(1)

    def know_routes(self, templates: Iterable[str]) -> None:
        """Take more route templates of the admin side, such as ``/-/api/v1/projects/{project}``."""
        self._routes |= frozenset(templates)

    def started(self, role: str) -> None:
        """Count a process of `role`, and that it lives."""
        self._starts.labels(role).inc()
        self._processes.labels(role).set(1)

    def lagged(self, role: str, seconds: float) -> None:
        """Tell by how much the event loop was late."""
        self._lag.labels(role).set(seconds)

    def edge_answers(self, status: int, count: int = 1) -> None:
        """Count answers of an edge."""
        self._edge_answers.labels(closed(str(status), labels.STATUSES)).inc(count)

    def lookups(self, result: str, count: int) -> None:
        """Count lookups of names: ``hit`` or ``miss`` of the hot entries."""
        self._lookups.labels(result).inc(count)

    def read_through(self, outcome: str, count: int) -> None:
        """Count names that were read from the store: ``ok`` or ``failed``."""
        self._read_throughs.labels(outcome).inc(count)

    def polls(self, outcome: str, count: int) -> None:
        """Count looks for a new table."""
        self._polls.labels(closed(outcome, labels.POLLS)).inc(count)

    def refusals(self, count: int) -> None:
        """Count tables and shards that failed a check."""
        self._refusals.inc(count)

    def table(self, role: str, *, sequence: int, rows: int, stale: bool, last_poll: float) -> None:
        """Tell what a process holds. `last_poll` is when a poll last succeeded, in Unix seconds, 0 for never."""
        self._sequence.labels(role).set(sequence)
        self._rows.labels(role).set(rows)
        self._stale.labels(role).set(stale)
        self._last_poll.labels(role).set(last_poll)

    def store_request(self, operation: str, outcome: str, seconds: float) -> None:
        """Count a request to the store."""
        operation = closed(operation, labels.OPERATIONS)
        self._store_requests.labels(operation, closed(outcome, labels.OUTCOMES)).inc()
        self._store_seconds.labels(operation).observe(seconds)

    def store_probed(self, *, kept: bool) -> None:
        """Tell whether the store keeps the conditions of writes."""
        for result in labels.PROBES:
            self._probe.labels(result).set((result == "kept") == kept)

    def admin_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request to the admin side. `route` is the template that answered it."""
        route, method = closed(route, self._routes), closed(method, labels.METHODS)
        self._admin_requests.labels(route, method, closed(str(status), labels.STATUSES)).inc()
        self._admin_seconds.labels(route, method).observe(seconds)

    def change(self, outcome: str, count: int = 1) -> None:
        """Count changes: created, changed, unchanged, removed, rolled-back or imported."""
        self._changes.labels(closed(outcome, labels.CHANGES)).inc(count)

    def published(self, ok: bool, seconds: float) -> None:
        """Count a publication that took `seconds`."""
        self._publications.labels(labels.outcome(ok=ok)).inc()
        self._publication_seconds.observe(seconds)

    def unpublished(self, count: int) -> None:
        """Tell how many changes are committed and wait to be published."""
        self._unpublished.set(count)

    def reconciled(self, ok: bool, rows: int) -> None:
        """Count a reconciliation that has published `rows` rows which were behind."""
        self._reconciliations.labels(labels.outcome(ok=ok)).inc()
        self._reconciled_rows.inc(rows)

    def purged(self, ok: bool) -> None:
        """Count a purge of the CDN, and tell whether that works."""
        self._purges.labels(labels.outcome(ok=ok)).inc()
        for result in (labels.OK, labels.FAILED):
            self._purging.labels(result).set((result == labels.OK) == ok)

    def unpurged(self, count: int) -> None:
        """Tell how many changes are published and wait to be purged."""
        self._unpurged.set(count)

    def mirrored(self, ok: bool, lost: int | None = None) -> None:
        """Count a round of mirroring, and tell how many things the mirrored file cannot say."""
        self._mirrorings.labels(labels.outcome(ok=ok)).inc()
        if lost is not None:
            self._mirror_lost.set(lost)

    def token_refused(self, reason: str) -> None:
        """Count a token that was refused: missing, unknown, expired, revoked or limited."""
        self._token_refusals.labels(closed(reason, labels.TOKEN_REFUSALS)).inc()

    def begin_edge(self) -> None:
        """Count from 0 what an edge answers most."""
        for status in labels.EDGE_STATUSES:
            self._edge_answers.labels(status)

    def _make_edge(self) -> None:
        self._edge_answers = self._counter(
            "edge_answers", "Answers of the edge; 400 also for what is no HTTP.", "status"
        )
        self._lookups = self._counter("hot_lookups", "Names looked up among the hot entries.", "result")
        self._read_throughs = self._counter("read_throughs", "Names read from the store one by one.", "outcome")

    def _make_following(self) -> None:
        self._polls = self._counter("polls", "Looks for a new table.", "outcome")
        self._refusals = self._counter("table_refusals", "Tables and shards that failed a check.")
        self._sequence = self._gauge("table_sequence", "Sequence of the table held; the lowest.", "livemin", "role")
        self._rows = self._gauge("table_rows", "Rows held; the lowest number.", "livemin", "role")
        self._stale = self._gauge("table_stale", "1 where a process has a stale table.", "livemax", "role")
        self._last_poll = self._gauge(
            "last_successful_poll_timestamp_seconds", "Of the process whose last one is longest ago; 0 for never.",
            "livemin", "role",
        )  # fmt: skip

    def _make_store(self) -> None:
        self._store_requests = self._counter("store_requests", "Requests to the store.", "operation", "outcome")
        self._store_seconds = self._histogram(
            "store_request_seconds", "What requests to the store took.", _STORE_SECONDS, "operation"
        )
        self._probe = self._gauge(
            "store_write_conditions", "What the probe of the store has found.", "livemax", "result"
        )

    def _make_admin(self) -> None:
        self._admin_requests = self._counter(
            "admin_requests", "Requests to the admin side.", "route", "method", "status"
        )
        self._admin_seconds = self._histogram(
            "admin_request_seconds", "What requests to the admin side took.", _ADMIN_SECONDS, "route", "method"
        )
        self._changes = self._counter("changes", "What writes came to.", "outcome")
        self._publications = self._counter("publications", "Publications.", "outcome")
        self._publication_seconds = self._histogram(
            "publication_seconds", "What publications took.", _PUBLICATION_SECONDS
        )
        self._unpublished = self._gauge("unpublished_changes", "Changes that wait to be published.", "livemax")
        self._reconciliations = self._counter("reconciliations", "Reconciliations.", "outcome")
        self._reconciled_rows = self._counter("reconciled_rows", "Rows that reconciling found behind, and published.")
        self._purges = self._counter("purges", "Purges of the CDN; also those that only try it.", "outcome")
        self._purging = self._gauge("purging", "How the last purge of the CDN went.", "livemax", "result")
        self._unpurged = self._gauge("unpurged_changes", "Changes that wait to be purged from the CDN.", "livemax")
        self._mirrorings = self._counter("mirrorings", "Looks at the old service's file, rewritten or not.", "outcome")
        self._mirror_lost = self._gauge("mirror_lost", "Things that the old service's file cannot say.", "livemax")
        self._token_refusals = self._counter("token_refusals", "Tokens that were refused.", "reason")

    def _counter(self, name: str, text: str, *names: str) -> Counter:
        return Counter(f"docsredirect_{name}", text, names, registry=self.registry)

    def _gauge(self, name: str, text: str, mode: _Mode, *names: str) -> Gauge:
        return Gauge(f"docsredirect_{name}", text, names, registry=self.registry, multiprocess_mode=mode)

    def _histogram(self, name: str, text: str, bounds: tuple[float, ...], *names: str) -> Histogram:
        return Histogram(f"docsredirect_{name}", text, names, buckets=bounds, registry=self.registry)
