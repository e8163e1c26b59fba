"""Going back after edits: the old service, started from the mirrored file alone, answers all that its format says."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from docsredirect.service import mirror as mirroring
from docsredirect.service.mirror import Mirror
from docsredirect.service.replica import Replica
from tests.cdn.edits import KINDS
from tests.cdn.going_back import Ending, go_back, hand_written, set_scene
from tests.support.edges import AUTHOR, make_registry, publish, record
from tests.support.stores import FakeStore

EDITS = 3 * len(KINDS)
WITHIN = 60.0
FILE = "redirects.txt"


@pytest.mark.parametrize("ending", ["stopped", "killed"])
async def test_no_edit_is_lost_that_the_old_format_can_say(ending: Ending, tmp_path: Path) -> None:
    """Edits of every kind, the last a moment before the admin side ends, in order or killed: each known spelling of
    each project leads where it was last said to, and exactly what the format cannot say is listed."""
    scene = await set_scene(str(tmp_path / "store"), str(tmp_path / "old" / FILE))
    went = await go_back(scene, tmp_path, edits=EDITS, seed=20181107, ending=ending)
    print(f"\n{ending}: {EDITS} edits, {went.asked} questions, {went.seconds:.2f} s, {len(went.wrong)} wrong")
    assert set(went.edits) == set(KINDS)
    assert went.wrong == []
    assert went.unlisted == []
    assert went.inexpressible > 10
    assert went.seconds < WITHIN


@pytest.mark.parametrize("meanwhile", ["withdrawn", "removed"])
async def test_a_project_that_comes_back_is_found_in_every_spelling(meanwhile: str) -> None:
    """While it is away the file does not name it. The one that was there first knows how links spell it, and is asked
    by a process that was started since."""
    store, old, first = FakeStore(), FakeStore(), record("Foo.Bar", "https://foo.example.org/")
    await old.put(FILE, hand_written([first]))
    await publish(store, [first])
    if meanwhile == "withdrawn":
        await publish(store, [record("Foo.Bar", state="gone")])
    else:
        await make_registry(store).restore({}, AUTHOR)
    await _mirror(store, old).write()
    assert old.objects[FILE].body == b""
    await publish(store, [record("foo-bar", "https://foo.example.org/")])
    await _mirror(store, old).write()
    assert _rows(old.objects[FILE].body) >= _rows(hand_written([first]))


async def test_a_process_that_ends_does_not_wait_for_a_store_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """It tells that the file is behind, and what to do about it."""
    monkeypatch.setattr(mirroring, "END_SECONDS", 0.1)
    store, old = FakeStore(), FakeStore()
    await publish(store, [record()])
    old.gate.clear()
    with capture_logs() as logs:
        async with asyncio.timeout(2):
            await _mirror(store, old).finish()
    assert [(line["event"], "once more" in line["reason"]) for line in logs] == [("not mirrored", True)]


def _rows(text: bytes) -> set[tuple[Any, ...]]:
    return {tuple(sorted(json.loads(line).items())) for line in text.splitlines()}


def _mirror(store: FakeStore, old: FakeStore) -> Mirror:
    return Mirror(old, FILE, Replica(store, clock=lambda: 0.0))
