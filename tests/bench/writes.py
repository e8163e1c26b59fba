"""Single writes and reads over the admin API, in a store of 25,000 projects, each with its object (``--projects N``).

1,000 changes one after the other, then 1,000 by 8 writers at once (50 each with ``--quick``), or ``--changes N``;
``--store rgw`` (or moto, or the URL of an empty store). A change is a PUT with ``If-Match: *`` to a project of its own,
and answers once it is published. The ratios are to a bare conditional PUT of an object of the same kind to the same
store, from this process, measured in turns with the changes. Then as many reads of each kind.
"""

import asyncio
import itertools
import json
import random
import tempfile
import time
import urllib.parse
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from docsredirect.cli.terminal import run
from docsredirect.domain import projects
from docsredirect.domain.names import normalise
from docsredirect.domain.records import Record
from docsredirect.store import Store, open_store
from tests.bench import synthetic
from tests.bench.admin_serving import API, Api, administering
from tests.bench.imports import import_directly
from tests.bench.options import Options
from tests.bench.places import environment, place_with
from tests.bench.report import Figure, percentile

PROJECTS = 25_000
QUICK_PROJECTS = 1_000
CHANGES = 1_000
QUICK_CHANGES = 50
WRITERS = 8
_TURN = 5
"""How many changes each of several writers makes before it is the turn of bare PUTs."""


@contextmanager
def serving(records: list[dict[str, Any]], store: str) -> Iterator[tuple[str, int]]:
    """Serve the admin side of a store that holds `records`; give the store's URL and the port."""
    with place_with(store, 0) as place, environment(place.environ), tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "records.jsonl"
        file.write_text("".join(f"{json.dumps(each)}\n" for each in records), encoding="utf-8")
        import_directly(place, file)
        with administering({"DOCSREDIRECT_STORE": place.url}) as service:
            asyncio.run(service.until_ready())
            yield place.url, service.port


class Written(NamedTuple):
    """What a way of writing came to: the seconds of each change and of each bare PUT, and which were published."""

    changes: list[float]
    bare: list[float]
    published: list[bool]


def figures(options: Options) -> list[Figure]:
    """Measure."""
    count = options.size(options.projects, PROJECTS, QUICK_PROJECTS)
    changes = options.size(options.changes, CHANGES, QUICK_CHANGES)
    records = list(synthetic.records(count))
    with serving(records, options.store) as (url, port):
        return run(_measure(url, port, records, changes, options.store))


async def _measure(url: str, port: int, records: list[dict[str, Any]], changes: int, store: str) -> list[Figure]:
    chosen = random.Random(5)
    some = itertools.cycle(chosen.sample(records, len(records)))
    async with open_store(url) as bare:
        alone = await _write(port, bare, some, changes, writers=1)
        together = await _write(port, bare, some, changes, writers=WRITERS)
    what = f"with {len(records):,} projects on {store}"
    shown = [
        *_shown(f"PUT of one project, one after the other, {what}", alone),
        *_shown(f"PUT of one project, {WRITERS} writers at once, {what}", together),
    ]
    api = Api(port)
    names = [normalise(record["project"]) for record in records]
    reads: dict[str, Callable[[], str]] = {
        "GET of a project": lambda: f"{API}/projects/{chosen.choice(names)}",
        "GET of a list's page of 100": lambda: f"{API}/projects?limit=100&cursor={chosen.choice(names)}",
        "GET of what a URL answers": lambda: f"{API}/resolve?url={_legacy_url(chosen.choice(records))}",
    }
    for read, path in reads.items():
        seconds = [await _timed(_get(api, path())) for _ in range(changes)]
        shown.append(Figure(f"{read}, {what}", "ms", [each * 1e3 for each in seconds]))
    await api.close()
    return shown


def _shown(what: str, written: Written) -> list[Figure]:
    figures = [
        Figure(what, "ms", [each * 1e3 for each in written.changes]),
        Figure("… answered as published", "%", [100 * sum(written.published) / len(written.published)]),
        Figure("… a bare conditional PUT to the same store, in turns", "ms", [each * 1e3 for each in written.bare]),
    ]
    for share in (50, 99):
        ratio = percentile(written.changes, share) / percentile(written.bare, share)
        figures.append(Figure(f"… ratio of both, {share}th percentile", "", [ratio]))
    return figures


async def _write(port: int, store: Store, some: Iterator[dict[str, Any]], changes: int, *, writers: int) -> Written:
    """Make so many changes and as many bare PUTs, both by `writers` at once, in turns."""
    written = Written([], [], [])
    apis = [Api(port) for _ in range(writers)]
    plain = [_Bare(store, f"bench/{writers}-{number}", next(some)) for number in range(writers)]
    await asyncio.gather(*(each.begin() for each in plain))
    for api in apis:
        await _get(api, f"{API}/projects?limit=1")  # the connection is open, the token known
    turn = 1 if writers == 1 else _TURN

    async def change(api: Api) -> None:
        for _ in range(turn):
            written.changes.append(await _timed(_change(api, next(some), written.published)))

    async def put(bare: _Bare) -> None:
        for _ in range(turn):
            written.bare.append(await _timed(bare.put()))

    while len(written.changes) < changes:
        await asyncio.gather(*map(change, apis))
        await asyncio.gather(*map(put, plain))
    for api in apis:
        await api.close()
    return written


class _Bare:
    """One object of a project's size, replaced where it is unchanged, and nothing else."""

    def __init__(self, store: Store, key: str, record: dict[str, Any]) -> None:
        self._store = store
        self._key = key
        self._etag = ""
        self._numbers = itertools.count()
        self._record = record

    async def begin(self) -> None:
        """Make the object."""
        self._etag = await self._store.create(self._key, self._body())

    async def put(self) -> None:
        """Replace it."""
        self._etag = await self._store.replace(self._key, self._body(), self._etag)

    def _body(self) -> bytes:
        author = projects.Author(by="bench", reason=str(next(self._numbers)))
        change = projects.Change(msgspec.convert(self._record, Record), 0.0, author, "0" * 32)
        first = projects.revise(None, "bench", change).project
        return projects.encode(projects.revise(first, "bench", change).project)


async def _change(api: Api, record: dict[str, Any], published: list[bool]) -> None:
    body = msgspec.json.encode({**record, "target": f"https://moved-{time.time_ns()}.example.org/"})
    path = f"{API}/projects/{normalise(record['project'])}"
    response = await api.ask("PUT", path, headers={"If-Match": "*"}, body=body)
    assert response is not None and response.status == 200, f"the change was answered {response}"
    published.append(json.loads(response.body)["meta"]["published"])


async def _get(api: Api, path: str) -> None:
    response = await api.ask("GET", path)
    assert response is not None and response.status == 200, f"{path} was answered {response}"


async def _timed(work: Awaitable[None]) -> float:
    start = time.perf_counter()
    await work
    return time.perf_counter() - start


def _legacy_url(record: dict[str, Any]) -> str:
    return urllib.parse.quote(f"https://pythonhosted.org/{record['project']}/api/index.html", safe="")
