"""Many writers at once: 16 of them in two processes, all on the same few projects; and what is true afterwards.

2,000 changes (500 on moto; 200 with ``--quick``), or ``--changes N``; ``--store moto``, ``rgw`` or an ``s3://`` URL
for another store than a folder. Every change has a target of its own, so that each acknowledged one can be looked for:
the history must show, at the revision that the writer was told, exactly that target.
"""

import asyncio
import random
import time
import uuid
from typing import NamedTuple

import msgspec

from docsredirect.cli.terminal import run
from docsredirect.domain import projects
from docsredirect.domain.projects import Author
from docsredirect.domain.records import Record
from docsredirect.service.publications import Publications
from docsredirect.service.registry import Registry
from docsredirect.service.replica import published_rows
from docsredirect.service.writers import make_publisher, pause_before
from docsredirect.store import Store, open_store
from tests.bench.alone import side_by_side
from tests.bench.options import Options
from tests.bench.places import environment, place_with
from tests.bench.report import Figure

PROCESSES = 2
WRITERS = 16
PROJECTS = 20
CHANGES = 2_000
MOTO_CHANGES = 500
QUICK_CHANGES = 200
_PUBLISHED_WITHIN = 60.0


class Part(NamedTuple):
    """What one process is to do."""

    url: str
    process: int
    writers: int
    changes: int
    seed: int


class Acknowledged(NamedTuple):
    """One change that the registry has acknowledged."""

    name: str
    revision: int
    target: str
    seconds: float
    published: bool


class Verdict(NamedTuple):
    """What is true of the store afterwards."""

    revisions: int
    gaps: int
    lost: int
    rows_that_differ: int
    unpublished: int


def figures(options: Options) -> list[Figure]:
    """Write from all processes at once, then look at what there is."""
    changes = options.size(options.changes, MOTO_CHANGES if options.store == "moto" else CHANGES, QUICK_CHANGES)
    with place_with(options.store, 0) as place, environment(place.environ):
        share = changes // PROCESSES
        parts = [Part(place.url, each, WRITERS // PROCESSES, share, seed=each) for each in range(PROCESSES)]
        start = time.perf_counter()
        acknowledged = [each for part in side_by_side(_write_part, parts) for each in part]
        seconds = time.perf_counter() - start
        verdict = run(_verdict(place.url, acknowledged))
    told = [each.published for each in acknowledged]
    return [
        Figure(f"changes acknowledged, of {share * PROCESSES:,} on {options.store}", "", [len(acknowledged)]),
        Figure(f"revisions of {PROJECTS} projects at the end, together", "", [verdict.revisions]),
        Figure("revisions missing between the first and the last", "", [verdict.gaps]),
        Figure("acknowledged changes that their project's history does not show", "", [verdict.lost]),
        Figure("rows of the table that differ from their objects, either way", "", [verdict.rows_that_differ]),
        Figure(f"acknowledged changes not in the table within {_PUBLISHED_WITHIN:g} s", "", [verdict.unpublished]),
        Figure("answers that said published", "%", [100 * sum(told) / max(len(told), 1)]),
        Figure("seconds in all, starting the processes included", "s", [seconds]),
        Figure("one change, its publication included", "s", [each.seconds for each in acknowledged]),
    ]


def _write_part(part: Part) -> list[Acknowledged]:
    return run(_write(part))


async def _write(part: Part) -> list[Acknowledged]:
    """Make a process's share of the changes, its writers side by side; end when they are in the table."""
    acknowledged: list[Acknowledged] = []
    async with open_store(part.url) as store:
        publisher = make_publisher(store)
        publications = Publications(publisher, pause_before)
        new_operation = lambda: uuid.uuid4().hex  # noqa: E731
        registry = Registry(store, publisher, publications, clock=time.time, new_operation=new_operation)
        publishing = asyncio.create_task(publications.run())
        left = iter(range(part.changes))
        chosen = random.Random(part.seed)

        async def write() -> None:
            for number in left:
                name = f"project-{chosen.randrange(PROJECTS)}"
                target = f"https://writer-{part.process}-{number}.example.org/"
                record = Record(project=name, target=target, path="keep")
                begun = time.perf_counter()
                written = await registry.put(record, Author(by=f"writer {part.process}"))
                seconds = time.perf_counter() - begun
                acknowledged.append(Acknowledged(name, written.project.revision, target, seconds, written.published))

        await asyncio.gather(*(write() for _ in range(part.writers)))
        # Nothing is submitted here: what a failed publication owes must come by itself.
        until = time.monotonic() + _PUBLISHED_WITHIN
        while await _behind(store, acknowledged) and time.monotonic() < until:
            await asyncio.sleep(0.2)
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)
    return acknowledged


async def _behind(store: Store, acknowledged: list[Acknowledged]) -> int:
    """Return how many changes are newer than their row."""
    revisions = {row.name: row.revision for row in await published_rows(store) or []}
    return sum(revisions.get(each.name, 0) < each.revision for each in acknowledged)


async def _verdict(url: str, acknowledged: list[Acknowledged]) -> Verdict:
    async with open_store(url) as store:
        rows = {row.name: (row.revision, row.etag, row.record) for row in await published_rows(store) or []}
        objects = {}
        shown: dict[tuple[str, int], str | None] = {}
        gaps = 0
        names = [projects.name_of(listed.key) async for listed in store.list_objects(projects.PREFIX)]
        for name in filter(None, names):
            stored = await store.get(projects.key_of(name))
            assert stored is not None
            project = projects.decode(stored.body, name)
            objects[name] = (project.revision, stored.etag, project.record)
            targets = await _targets(store, project)
            shown |= {(name, revision): target for revision, target in targets.items()}
            gaps += len(set(range(1, project.revision + 1)) ^ set(targets))
        lost = sum(shown.get((each.name, each.revision)) != each.target for each in acknowledged)
        lost += len(acknowledged) - len({(each.name, each.revision) for each in acknowledged})
        differ = sum(rows.get(name) != objects.get(name) for name in {*rows, *objects})
        return Verdict(len(shown), gaps, lost, differ, await _behind(store, acknowledged))


async def _targets(store: Store, project: projects.Project) -> dict[int, str | None]:
    """Return the target that each revision of a project brought, by its history: an entry holds what it replaced."""
    entries = list(project.history)
    async for listed in store.list_objects(f"history/{project.name}/"):
        moved = await store.get(listed.key)
        assert moved is not None
        entries.append(msgspec.json.decode(moved.body, type=projects.Entry))
    after, targets = project.record, {}
    for entry in sorted(entries, key=lambda each: -each.revision):
        assert entry.revision not in targets, f"{project.name} has revision {entry.revision} twice"
        targets[entry.revision] = None if after is None else after.target
        after = entry.before
    return targets
