"""Metrics: their labels come from closed sets, and what is asked of a store is counted as what it came to."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from docsredirect.domain.errors import Conflict, NotModified, StoreUnavailable, WritesRefused
from docsredirect.store import DirectoryStore
from docsredirect.telemetry import labels
from docsredirect.telemetry.metrics import Metrics
from docsredirect.telemetry.stores import MeteredStore
from tests.store.contract import StoreContract
from tests.support.stores import FakeStore

ROUTE = "/-/api/v1/projects/{project}"
ODD = ["/-/api/v1/projects/six", "\n", 'a"b', "x" * 10_000, ""]


def values(metrics: Metrics, name: str) -> dict[tuple[str, ...], float]:
    """Return the samples of a metric by the values of their labels."""
    samples = (sample for metric in metrics.registry.collect() for sample in metric.samples)
    return {tuple(each.labels.values()): each.value for each in samples if each.name == f"docsredirect_{name}"}


def test_metrics_can_be_made_twice_in_a_process() -> None:
    """Each has a registry of its own, and they count apart."""
    first, second = Metrics(), Metrics()
    first.change("created")
    assert values(first, "changes_total") == {("created",): 1}
    assert values(second, "changes_total") == {}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("edge_answers_total", lambda metrics, odd: metrics.edge_answers(len(odd) + 600)),
        ("admin_requests_total", lambda metrics, odd: metrics.admin_request(odd, odd, 799, 0.1)),
        ("admin_request_seconds_count", lambda metrics, odd: metrics.admin_request(odd, odd, 200, 0.1)),
        ("changes_total", lambda metrics, odd: metrics.change(odd)),
        ("token_refusals_total", lambda metrics, odd: metrics.token_refused(odd)),
        ("store_requests_total", lambda metrics, odd: metrics.store_request(odd, odd, 0.1)),
        ("polls_total", lambda metrics, odd: metrics.polls(odd, 1)),
    ],
)
def test_a_label_that_is_not_known_is_other(name: str, count: Callable[[Metrics, str], None], odd: str) -> None:
    """Whatever comes from outside, a metric has only the values that were thought of."""
    metrics = Metrics([ROUTE])
    count(metrics, odd)
    ((found, value),) = values(metrics, name).items()
    assert set(found) <= {labels.OTHER, "200"}
    assert value == 1


def test_the_admin_routes_are_those_that_were_declared() -> None:
    """A template is a label once it was declared; before that, and for all others, the label is other."""
    metrics = Metrics()
    metrics.admin_request(ROUTE, "PUT", 201, 0.25)
    metrics.know_routes([ROUTE])
    metrics.admin_request(ROUTE, "PUT", 201, 0.25)
    assert values(metrics, "admin_requests_total") == {("other", "PUT", "201"): 1, (ROUTE, "PUT", "201"): 1}
    assert values(metrics, "admin_request_seconds_sum") == {("other", "PUT"): 0.25, (ROUTE, "PUT"): 0.25}


def test_the_admin_side_counts_under_the_names_that_are_documented() -> None:
    """One line for each of its methods."""
    metrics = Metrics()
    metrics.change("imported", 3)
    metrics.published(ok=True, seconds=0.5)
    metrics.published(ok=False, seconds=0.5)
    metrics.unpublished(7)
    metrics.reconciled(ok=True, rows=4)
    metrics.token_refused("expired")
    metrics.store_probed(kept=False)
    assert values(metrics, "changes_total") == {("imported",): 3}
    assert values(metrics, "publications_total") == {("ok",): 1, ("failed",): 1}
    assert values(metrics, "publication_seconds_sum") == {(): 1.0}
    assert values(metrics, "unpublished_changes") == {(): 7}
    assert values(metrics, "reconciliations_total") == {("ok",): 1}
    assert values(metrics, "reconciled_rows_total") == {(): 4}
    assert values(metrics, "token_refusals_total") == {("expired",): 1}
    assert values(metrics, "store_write_conditions") == {("kept",): 0, ("broken",): 1}


class TestMeteredDirectoryStore(StoreContract):
    """A store that is counted keeps what every store promises."""

    @pytest.fixture
    def connect(self, tmp_path: Path) -> Callable[[], MeteredStore]:
        """Open one more client of the same store."""
        return lambda: MeteredStore(DirectoryStore(tmp_path / "store"), Metrics())


async def test_requests_to_the_store_are_counted_by_what_they_came_to() -> None:
    """By operation and outcome, with the time they took; keys are nowhere."""
    fake, metrics = FakeStore(), Metrics()
    ticks = iter(range(1_000))
    store = MeteredStore(fake, metrics, clock=lambda: next(ticks) * 0.5)
    etag = await store.create("a", b"1")
    await store.get("a")
    await store.get("nothing")
    with pytest.raises(NotModified):
        await store.get("a", unless=etag)
    with pytest.raises(Conflict):
        await store.create("a", b"2")
    assert [each.key async for each in store.list_objects("a")] == ["a"]
    fake.failing = "a"
    with pytest.raises(StoreUnavailable):
        await store.replace("a", b"2", etag)
    fake.failing = None
    fake.gate.clear()
    reading = asyncio.create_task(store.get("a"))
    await asyncio.sleep(0)
    reading.cancel()
    with suppress(asyncio.CancelledError):
        await reading
    assert values(metrics, "store_requests_total") == {
        ("create", "ok"): 1,
        ("create", "conflict"): 1,
        ("get", "ok"): 1,
        ("get", "absent"): 1,
        ("get", "unmodified"): 1,
        ("get", "cancelled"): 1,
        ("list", "ok"): 1,
        ("replace", "unavailable"): 1,
    }
    assert values(metrics, "store_request_seconds_sum")["get",] == 2.0


class _Lying(FakeStore):
    async def check_writes(self) -> None:
        raise WritesRefused("The store overwrites what is there.")


@pytest.mark.parametrize(("fake", "kept"), [(FakeStore(), 1), (_Lying(), 0)])
async def test_what_the_probe_has_found_is_shown(fake: FakeStore, kept: int) -> None:
    """A store that does not keep the conditions of writes is seen before somebody writes."""
    metrics = Metrics()
    assert values(metrics, "store_write_conditions") == {}
    with suppress(WritesRefused):
        await MeteredStore(fake, metrics).check_writes()
    assert values(metrics, "store_write_conditions") == {("kept",): kept, ("broken",): 1 - kept}
