"""The process that answers the admin API, and its parent, are killed during writes, and started again at once.

Eight writers create, change, remove and roll back 50 projects over HTTP, each under a precondition and with an
Idempotency-Key. 200 times (``--kills N``) both processes get SIGKILL at a random moment (``--seed N``). After each kill
all projects are read from the store and held against what was acknowledged; after half of them, and after the last,
nothing is written before all that is committed is published. Two thirds of the writes without an answer are repeated.
At the end every attempt is held against every history, from the objects and from the API.

``--store rgw`` (or moto, or the URL of an empty store) for another store than a folder. On moto and RGW a request that
the killed process had sent may be carried out after it: then it counts as found later, and no promise changes.
"""

import asyncio
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from docsredirect.cli.terminal import run
from docsredirect.store import Store, open_store
from tests.bench.admin_serving import AdminService, NotReadyError
from tests.bench.places import environment, place_with
from tests.bench.report import Figure
from tests.drill import checking
from tests.drill.checking import Histories
from tests.drill.ledger import Attempt
from tests.drill.writing import Scene, Writer

KILLS = 200
WRITERS = 8
PROJECTS = 50
SEED = 1

MOMENTS = (0.02, 0.8)
"""Between what seconds after the writers go on the next kill comes, and not before a write is in flight."""

PUBLISHED_WITHIN = 15.0
"""Seconds from the start of the service after which what was committed before it must be published."""

_HELD = 0.5
"""The share of the restarts after which nothing is written before all is published."""

_SAID_EVERY = 20


class Options(NamedTuple):
    """How large the drill is, on which store (as `tests.bench.options.Options.store`), and which one it is."""

    kills: int = KILLS
    store: str = "directory"
    writers: int = WRITERS
    projects: int = PROJECTS
    seed: int = SEED


class Ended(NamedTuple):
    """What the drill came to."""

    violations: list[str]
    attempts: list[Attempt]
    histories: Histories
    moved_out: int
    ready: list[float]
    published: list[float]
    writes: list[float]
    behind: list[int]
    """Of each kill, how many projects were committed and not published."""


def drill(options: Options) -> Ended:
    """Kill, and check. Not to be called on an event loop."""
    with place_with(options.store, 0) as place, environment(place.environ), tempfile.TemporaryDirectory() as runs:
        return run(_drill(options, place.url, Path(runs)))


async def _drill(options: Options, url: str, runs: Path) -> Ended:
    async with open_store(url) as store:
        service = AdminService({"DOCSREDIRECT_STORE": url}, runs)
        killer = _Killer(options, store, service)
        try:
            await killer.run()
            found = await checking.read_projects(store)
            histories, moved_out, broken = await checking.read_histories(store, found)
            scene = killer.scene
            violations = [
                *scene.violations,
                *found.violations,
                *broken,
                *checking.unbroken(histories),
                *checking.kept(scene.attempts, histories),
                *await checking.told_by_api(service.port, histories),
            ]
        finally:
            killer.service.stop()
    return Ended(
        list(dict.fromkeys(violations)), scene.attempts, histories, moved_out,
        killer.ready, killer.published, scene.seconds, killer.behind,
    )  # fmt: skip


class _Killer:
    """Lets writers write, and kills."""

    def __init__(self, options: Options, store: Store, service: AdminService) -> None:
        self._options = options
        self._store = store
        self._chosen = random.Random(options.seed)
        self.service = service
        self.scene = Scene(service.port, options.projects, options.seed)
        self.ready: list[float] = []
        self.published: list[float] = []
        self.behind: list[int] = []

    async def run(self) -> None:
        """Kill as often as the options say, then let the writers end what they are at."""
        await self.service.until_ready()
        writing = [asyncio.create_task(Writer(self.scene, each).run()) for each in range(self._options.writers)]
        try:
            for kill in range(1, self._options.kills + 1):
                self.scene.open.set()
                await self._moment(writing)
                self._kill()
                await self._restarted(is_last=kill == self._options.kills)
                if kill % _SAID_EVERY == 0:
                    said = f"{kill} kills, {len(self.scene.attempts)} writes, {len(self.scene.violations)} violations"
                    print(said, file=sys.stderr)
            self.scene.over.set()
            self.scene.open.set()
            await asyncio.gather(*writing)
        except NotReadyError as error:
            self.scene.violations.append(f"not ready after start {self.scene.life}: {error}")
        finally:
            for task in writing:
                task.cancel()
            await asyncio.gather(*writing, return_exceptions=True)

    async def _moment(self, writing: list[asyncio.Task[None]]) -> None:
        """Wait for the moment of the next kill."""
        broken_off, _ = await asyncio.wait(
            writing, timeout=self._chosen.uniform(*MOMENTS), return_when=asyncio.FIRST_COMPLETED
        )
        while not self.scene.in_flight and not broken_off:
            await asyncio.sleep(0)
            broken_off = {task for task in writing if task.done()}
        for task in broken_off:
            task.result()
        assert not broken_off, "a writer ended before its time"

    def _kill(self) -> None:
        self.scene.open.clear()
        self.service.kill()
        self.scene.life += 1
        self.service.until_gone()
        self.service = self.service.restart()

    async def _restarted(self, *, is_last: bool) -> None:
        """Check what the kill has left while the service starts, then wait until it is ready."""
        found = await checking.read_projects(self._store)
        self.behind.append(len(await checking.unpublished(self._store, found)))
        # Writes of the life that was ended, and those that were sent again in it.
        last = [each for each in self.scene.attempts if each.life >= self.scene.life - 1]
        self.scene.violations += [*found.violations, *checking.acknowledged_last(last, found)]
        self.ready.append(await self.service.until_ready())
        if is_last or self._chosen.random() < _HELD:
            await self._until_published()

    async def _until_published(self) -> None:
        while True:
            # Read anew each time: on S3 a write of the process that was killed may come after it.
            found = await checking.read_projects(self._store)
            behind = await checking.unpublished(self._store, found)
            self.scene.violations += found.violations
            seconds = time.perf_counter() - self.service.started
            if not behind:
                self.published.append(seconds)
                return
            if seconds > PUBLISHED_WITHIN:
                self.scene.violations.append(
                    f"not published {PUBLISHED_WITHIN:g} s after start {self.scene.life}: {sorted(behind)}"
                )
                return
            await asyncio.sleep(0.02)


def figures(options: Options, ended: Ended) -> list[Figure]:
    """Return what happened in figures."""
    lost = [each for each in ended.attempts if each.lost_in]
    repeated = [each for each in lost if each.answers]
    uncertain = sum(answer.is_uncertain for each in ended.attempts for answer in each.answers)
    acknowledged = [each for each in ended.attempts if each.acknowledged]
    told = [answer.published for each in ended.attempts for answer in each.answers if answer.acknowledges]
    revisions = sum(map(len, ended.histories.values()))
    refused = [each for each in ended.attempts if each.refused]
    beaten = [each for each in repeated if not each.acknowledged]
    shown = [
        Figure(f"kills, on {options.store}", "", [options.kills]),
        Figure("kills that hit a write in flight", "", [len({life for each in lost for life in each.lost_in})]),
        Figure("kills that left something committed and not published", "", [sum(map(bool, ended.behind))]),
        Figure("writes attempted", "", [len(ended.attempts)]),
        Figure("… acknowledged", "", [len(acknowledged)]),
        Figure("… refused, the project being another than its writer knew", "", [len(refused)]),
        Figure("… answered that the store is too slow", "", [uncertain]),
        Figure("… without an answer at first", "", [len(lost)]),
        Figure("   of which committed", "", [sum(each.found is True for each in lost)]),
        Figure("   of which not", "", [sum(each.found is False for each in lost)]),
        Figure("   of which repeated with the same key", "", [len(repeated)]),
        Figure("   repeated and refused, somebody else having been first", "", [len(beaten)]),
        Figure(f"revisions of {len(ended.histories)} projects at the end", "", [revisions]),
        Figure("… of which in objects of their own", "", [ended.moved_out]),
        Figure("acknowledgements that said published", "%", [100 * sum(told) / max(len(told), 1)]),
        Figure("one acknowledged write", "s", ended.writes),
        Figure("from a restart until ready", "s", ended.ready),
        Figure("from a restart until all is published, without a write", "s", ended.published),
        Figure("violations", "", [len(ended.violations)]),
    ]  # fmt: skip
    return [each for each in shown if each.runs]
