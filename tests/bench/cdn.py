"""How soon readers see a change through a real Varnish, with two edges of two workers each that poll every 2 s.

100 changes one after the other (10 with ``--quick``), or ``--changes N``, in a table of 25,000 projects, or
``--projects N``; ``--store rgw``. A reader asks through Varnish every 10 ms, from before the change until the answer is
the new one, so the old answer is in the cache, and fetched again in between. Counted from the answer of the API, which
comes once the change is published.

Then the same for a first redirect over a cached old page; a project that is withdrawn by the deny file and
``docsredirect purge`` while store and admin side are gone; and how much of the real links, asked 20 times in random
spellings and order, the cache answers itself.
"""

import asyncio
import json
import os
import random
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from docsredirect.cli.terminal import run
from docsredirect.domain.records import to_fields
from tests.bench import prepared
from tests.bench.admin_serving import API, AdminService, Api, administering
from tests.bench.options import Options
from tests.bench.places import Place, environment, place_with
from tests.bench.report import Figure
from tests.bench.services import COMMAND, LOOPBACK, Service
from tests.cdn import hit_ratio
from tests.cdn.stage import corpus, store_of
from tests.support.edges import running_edge
from tests.support.http import Connection, Response
from tests.support.old_docs import Page, Pages
from tests.support.varnish import TOKEN, Varnish, running_varnish

PROJECTS, QUICK_PROJECTS = 25_000, 1_000
CHANGES, QUICK_CHANGES = 100, 10
POLL_SECONDS = 2.0
EDGES = WORKERS = 2
_ASK_SECONDS = 0.01
_SEEN_WITHIN = 120.0
_KEPT_LONG = 80_000
_OLD_PAGE = b"<h1>An old page</h1>"


class _Stage(NamedTuple):
    """Everything that runs: Varnish, the admin side's API, and what can be made to fail."""

    varnish: Varnish
    api: Api
    admin: AdminService
    edges: list[Service]
    place: Place
    deny_file: Path
    purging: dict[str, str]


def figures(options: Options) -> list[Figure]:
    """Measure."""
    count = options.size(options.projects, PROJECTS, QUICK_PROJECTS)
    changes = options.size(options.changes, CHANGES, QUICK_CHANGES)
    with place_with(options.store, count) as place, environment(place.environ):
        return run(_measure(place, count, changes))


async def _measure(place: Place, count: int, changes: int) -> list[Figure]:
    async with _stage(place, count) as stage:
        changed = await _changes(stage, count, changes)
        first = await _first_redirects(stage, changes)
        withdrawn = await _withdrawals(stage, count, min(changes, 10))
    async with running_edge(await store_of(corpus())) as edge, running_varnish([edge]) as varnish:
        ratio = await hit_ratio.measure(varnish.port)
    what = f"{count:,} projects, {place.kind}"
    return [
        Figure(f"API answer → changed answer through Varnish, {what}", "s", changed),
        Figure("API answer → first redirect over a cached old page", "s", first),
        Figure("deny file + `docsredirect purge` → 410 through Varnish, store and admin side gone", "s", withdrawn),
        Figure(f"hit ratio of {ratio.asked:,} real links in random spellings", "", [ratio.hit_ratio]),
        Figure("… answered otherwise than recorded", "", [float(len(ratio.wrong))]),
    ]


@asynccontextmanager
async def _stage(place: Place, count: int) -> AsyncIterator[_Stage]:
    async with AsyncExitStack() as stack:
        sync = stack.enter_context(ExitStack())
        folder = Path(sync.enter_context(tempfile.TemporaryDirectory()))
        common = {"DOCSREDIRECT_STORE": place.url, "DOCSREDIRECT_POLL_SECONDS": str(POLL_SECONDS)}
        deny_file = folder / "denied"
        deny_file.touch()
        edges = [_edge(common, folder / str(number), deny_file, sync) for number in range(EDGES)]
        for edge in edges:
            await asyncio.to_thread(edge.until_ready, count)
        old = await stack.enter_async_context(Pages(missing=Page(_OLD_PAGE, 200)).running())
        varnish = await stack.enter_async_context(
            running_varnish([edge.port for edge in edges], old_docs=old.port, probe_seconds=1.0)
        )
        purging = {
            "DOCSREDIRECT_PURGE": f"varnish:http://{LOOPBACK}:{varnish.port}",
            "DOCSREDIRECT_PURGE_TOKEN": TOKEN,
        }
        ops = ",".join(f"http://{LOOPBACK}:{edge.ops_port}" for edge in edges)
        admin = sync.enter_context(administering({**common, **purging, "DOCSREDIRECT_EDGES": ops}))
        await admin.until_ready()
        api = Api(admin.port)
        stack.push_async_callback(api.close)
        await _until_purged_lifetimes(varnish)
        yield _Stage(varnish, api, admin, edges, place, deny_file, purging)


def _edge(common: dict[str, str], state: Path, deny_file: Path, stack: ExitStack) -> Service:
    environ = {**common, "DOCSREDIRECT_STATE_DIR": str(state), "DOCSREDIRECT_DENY_FILE": str(deny_file)}
    service = Service(environ, workers=WORKERS)
    stack.callback(service.stop)
    return service


async def _until_purged_lifetimes(varnish: Varnish) -> None:
    """Wait until the edges let the CDN keep answers for a day, as they do while purging works."""
    connection = await Connection.open(varnish.port)
    name = next(prepared.records(1)).name
    async with asyncio.timeout(_SEEN_WITHIN):
        while _seconds_kept(await _cached(connection, f"/{name}/")) < _KEPT_LONG:
            await varnish.purge(f"project/{name}")
            await asyncio.sleep(0.2)
    await connection.close()


def _seconds_kept(response: Response) -> int:
    return int((response.header("cache-status") or "").partition("ttl=")[2].partition(";")[0])


async def _changes(stage: _Stage, count: int, changes: int) -> list[float]:
    chosen, seen = random.Random(5), []
    for number, record in enumerate(islice(prepared.records(count), changes)):
        await asyncio.sleep(chosen.uniform(0, POLL_SECONDS))
        target = f"https://moved-{number}.example.org/"
        fields = {**to_fields(record), "target": target, "path": "root", "rules": {}}
        seen.append(await _change(stage, record.name, fields, target))
    return seen


async def _first_redirects(stage: _Stage, changes: int) -> list[float]:
    chosen, seen = random.Random(6), []
    for number in range(changes):
        await asyncio.sleep(chosen.uniform(0, POLL_SECONDS))
        fields = {"project": f"never-had-{number}", "target": "https://first.example.org/", "path": "root"}
        seen.append(await _change(stage, f"never-had-{number}", fields, fields["target"]))
    return seen


async def _change(stage: _Stage, name: str, fields: Mapping[str, object], target: str) -> float:
    """Write a record while a reader asks for it, and return the seconds from the answer until the reader sees it."""
    reader = await Connection.open(stage.varnish.port)
    await _cached(reader, f"/{name}/")
    reading = asyncio.create_task(_until(reader, f"/{name}/", lambda answer: answer.header("location") == target))
    precondition = {"If-None-Match": "*"}  # a prepared table has rows alone, and no projects
    answer = await stage.api.ask(
        "PUT", f"{API}/projects/{name}", headers=precondition, body=json.dumps(fields).encode()
    )
    acknowledged = time.perf_counter()
    assert answer is not None and json.loads(answer.body)["meta"]["published"], answer
    at = await reading
    await reader.close()
    return max(at - acknowledged, 0.0)


async def _cached(reader: Connection, path: str) -> Response:
    await reader.get(path)
    response = await reader.get(path)
    assert response.header("x-cache") == "HIT", response
    return response


async def _until(reader: Connection, path: str, seen: Callable[[Response], bool]) -> float:
    async with asyncio.timeout(_SEEN_WITHIN):
        while not seen(await reader.get(path)):
            await asyncio.sleep(_ASK_SECONDS)
    return time.perf_counter()


async def _withdrawals(stage: _Stage, count: int, times: int) -> list[float]:
    """Withdraw projects as the runbook says, with nothing left but the edges and the CDN."""
    await asyncio.to_thread(stage.admin.stop)
    if stage.place.folder is not None:
        stage.place.folder.rename(stage.place.folder.with_suffix(".gone"))
    names = [record.name for record in islice(prepared.records(count), count - times, count)]
    seen = []
    reader = await Connection.open(stage.varnish.port)
    for name in names:
        assert (await _cached(reader, f"/{name}/")).header("location")
        begun = time.perf_counter()
        with stage.deny_file.open("a") as file:
            file.write(f"{name}\n")
        await asyncio.sleep(1.0)  # for the edges to see it, as the runbook says
        environ = {**os.environ, **stage.purging, "DOCSREDIRECT_STORE": "./gone"}
        await asyncio.to_thread(
            subprocess.run, [*COMMAND, "purge", name], env=environ, check=True, stdout=subprocess.DEVNULL, timeout=60
        )
        seen.append(await _until(reader, f"/{name}/", lambda response: response.status == 410) - begun)
    await reader.close()
    return seen
