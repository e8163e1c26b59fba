"""Going back: from a table that people have edited to the old service, with nothing left of ours but the mirrored file.

What the old service must answer is worked out here from what the API acknowledged, and not by the code that mirrors.
"""

import asyncio
import json
import os
import re
import subprocess
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Literal, NamedTuple

from docsredirect.domain.records import Record
from docsredirect.formats.lines import read_batch
from docsredirect.service.bulk import ImportOptions
from docsredirect.service.writers import make_registry
from docsredirect.store import open_store
from tests.bench.admin_serving import Api, administering
from tests.bench.services import COMMAND
from tests.cdn.edits import Editor, State
from tests.cdn.stage import corpus
from tests.support.edges import AUTHOR, HOSTS
from tests.support.http import Connection
from tests.support.old_service import OldService, running_old_service

Ending = Literal["stopped", "killed"]

LOST = {"clean": "path `clean`", "rules": " rules", "status": "status ", "gone": "withdrawn (410)"}
"""How the list of what is lost words each thing that the old format cannot say."""

RESTS = ("", "a/page.html")


class Scene(NamedTuple):
    """The address of a store, that of the mirrored file, and what both hold at the beginning, by name: `records`, which
    are edited, and `others`."""

    store: str
    mirror: str
    records: Mapping[str, Record]
    others: Mapping[str, Record]


class Went(NamedTuple):
    """What going back came to."""

    edits: Mapping[str, int]
    """How many of each kind were made."""
    projects: int
    """How many projects they touched."""
    seconds: float
    """From the last acknowledged edit until the old service had answered for every project that was edited."""
    asked: int
    """How much it was asked in all: each project, in each known spelling, at its root and at a page."""
    wrong: list[str]
    """What it answered otherwise than the last edit, as far as the old format can say that."""
    inexpressible: int
    """What the old format cannot say of the projects as they are at the end."""
    unlisted: list[str]
    """What of that is not listed beside the file, and what is listed there and is not lost."""


async def set_scene(store: str, mirror: str, more: Iterable[Record] = ()) -> Scene:
    """Put a hand-written redirects.txt where the old service keeps it, with the real projects and `more`, which are
    published in `store` already, and import the real ones."""
    real, more = hand_written(corpus()), list(more)
    folder, _, key = mirror.rpartition("/")
    async with open_store(folder) as old:
        await old.put(key, real + hand_written(more))
    batch = read_batch(BytesIO(real), HOSTS)
    assert not batch.refusals, batch.refusals
    async with open_store(store) as opened:
        await make_registry(opened).import_records(batch.records, AUTHOR, ImportOptions(force=True))
    return Scene(store, mirror, batch.records, {each.name: each for each in more})


def hand_written(records: Iterable[Record]) -> bytes:
    """Return a redirects.txt as people write it: each project under its own name, every third in two more spellings."""
    lines = []
    for number, record in enumerate(records):
        keep = record.path == "keep"
        base = record.target.removesuffix("/") if keep else record.target
        spellings = (record.project, record.project.swapcase(), record.name.replace("-", "."))
        lines += [
            json.dumps({"project_name": spelling, "include_path": keep, "base_uri": base})
            for spelling in dict.fromkeys(spellings[: 1 if number % 3 else 3])
        ]
    return "".join(f"{line}\n" for line in lines).encode()


async def go_back(scene: Scene, folder: Path, *, edits: int, seed: int, ending: Ending = "stopped") -> Went:
    """Make `edits` edits, end all that is ours, and ask the old service, which is started then on a copy of the file
    in `folder`. Where the admin side was killed, what MIGRATION.md says for that is done first."""
    spellings = _spelled(await read(scene.mirror))
    with administering({"DOCSREDIRECT_STORE": scene.store, "DOCSREDIRECT_MIRROR": scene.mirror}) as service:
        await service.until_ready()
        editor = Editor(Api(service.port), scene.records, seed)
        await editor.make(edits)
        await editor.close()
        if ending == "killed":
            service.kill()
            service.until_gone()
            await asyncio.to_thread(_reconcile, scene)
            again = service.restart()
            await again.until_ready()
            await asyncio.to_thread(again.stop)
        else:
            await asyncio.to_thread(service.stop)
    projects: dict[str, State] = {**scene.others, **editor.projects}
    edited = {name: projects[name] for name in editor.edited}
    async with _old_service(scene.mirror, folder) as port:
        wrong, asked = await _ask(port, edited, spellings)
        seconds = time.perf_counter() - editor.acknowledged
        more_wrong, more_asked = await _ask(port, {n: projects[n] for n in projects.keys() - edited}, spellings)
    expected = {each for state in projects.values() if state for each in _inexpressible(state)}
    listed = _listed(await read(f"{scene.mirror}.lost.jsonl"))
    return Went(
        edits=dict(editor.kinds),
        projects=len(edited),
        seconds=seconds,
        asked=asked + more_asked,
        wrong=wrong + more_wrong,
        inexpressible=len(expected),
        unlisted=sorted(f"{project}: {what}" for project, what in expected ^ listed),
    )


def _reconcile(scene: Scene) -> None:
    environ = {**os.environ, "DOCSREDIRECT_STORE": scene.store}
    subprocess.run([*COMMAND, "reconcile"], env=environ, check=True, capture_output=True, timeout=60)


async def read(address: str) -> bytes:
    """Return an object by its whole address."""
    folder, _, key = address.rpartition("/")
    async with open_store(folder) as store:
        stored = await store.get(key)
    assert stored is not None, f"{address} is not there"
    return stored.body


@asynccontextmanager
async def _old_service(mirror: str, folder: Path) -> AsyncIterator[int]:
    file = folder / "redirects.txt"
    await asyncio.to_thread(file.write_bytes, await read(mirror))
    async with running_old_service(OldService(file)) as port:
        yield port


async def _ask(port: int, projects: Mapping[str, State], spellings: Mapping[str, set[str]]) -> tuple[list[str], int]:
    """Ask for each project in every known spelling. Return what was answered wrongly, and how much was asked."""
    connection, wrong, asked = await Connection.open(port), list[str](), 0
    for name, state in projects.items():
        own = {name} if state is None else {name, state.project, state.project.lower()}
        for path in (f"/{each}/{rest}" for each in sorted(own | spellings.get(name, set())) for rest in RESTS):
            response = await connection.get(path)
            asked += 1
            answer = (response.status, response.header("location"))
            if answer != (expected := _expected(state, path.split("/", 2)[2])):
                wrong.append(f"{path}: {answer}, not {expected}")
    await connection.close()
    return wrong, asked


def _expected(state: State, rest: str) -> tuple[int, str | None]:
    """Return what the old service answers for a page, as far as its format goes."""
    if state is None or state.state == "gone":
        return 404, None
    return 302, state.target + rest if state.path == "keep" else state.target


def _inexpressible(record: Record) -> set[tuple[str, str]]:
    """Return what the old format cannot say of a record, as the project and one of `LOST`."""
    if record.state == "gone":
        return {(record.project, "gone")}
    is_lost = {"clean": record.path == "clean", "rules": bool(record.rules), "status": record.status != 301}
    return {(record.project, what) for what, lost in is_lost.items() if lost}


def _listed(text: bytes) -> set[tuple[str, str]]:
    rows = map(json.loads, text.splitlines())
    return {(row["project"], next(what for what, words in LOST.items() if words in row["lost"])) for row in rows}


def _spelled(text: bytes) -> dict[str, set[str]]:
    """Return how a redirects.txt spells each project."""
    found: dict[str, set[str]] = {}
    for line in text.splitlines():
        spelling = json.loads(line)["project_name"]
        found.setdefault(re.sub(r"[-_.]+", "-", spelling).lower(), set()).add(spelling)
    return found
