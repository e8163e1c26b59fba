"""Going back to the old service after edits: how long it takes, and what of the edits is lost.

200 edits of every kind (51 with ``--quick``), or ``--changes N``, through the admin API, with the mirror on, in a table
of 25,000 projects (1,000), or ``--projects N``; ``--store moto`` or ``rgw``, with the mirrored file in the same bucket.
Then the admin side is stopped, or killed and, as MIGRATION.md says, started once more after `docsredirect reconcile`;
and the stand-in for the old service is started from the mirrored file, and asked for every project in each known
spelling.

Seconds count from the answer to the last edit until the old service has answered for each project that was edited: all
that takes place is in them but the time that the real old service needs to start.

Before that, how long the file is behind while everything runs: it is looked at every 20 ms.
"""

import asyncio
import json
import random
import tempfile
import time
from itertools import islice
from pathlib import Path

from docsredirect.cli.terminal import run
from tests.bench import prepared
from tests.bench.admin_serving import API, Api, administering
from tests.bench.options import Options
from tests.bench.places import Place, environment, place_with
from tests.bench.report import Figure
from tests.cdn.going_back import Ending, Scene, Went, go_back, read, set_scene

PROJECTS, QUICK_PROJECTS = 25_000, 1_000
EDITS, QUICK_EDITS = 200, 51
RUNS, QUICK_RUNS = 2, 1
LAGS, QUICK_LAGS = 20, 3
_LOOK_SECONDS = 0.02
_POLL_SECONDS = 2.0
_WITHIN = 60.0
_SHOWN = 10


def figures(options: Options) -> list[Figure]:
    """Measure, each time on a store of its own."""
    count = options.size(options.projects, PROJECTS, QUICK_PROJECTS)
    edits = options.size(options.changes, EDITS, QUICK_EDITS)
    runs = options.size(None, RUNS, QUICK_RUNS)
    with place_with(options.store, count) as place, environment(place.environ):
        lags = run(_lags(place, count, options.size(None, LAGS, QUICK_LAGS)))
    stopped = [_went(options.store, count, edits, seed, "stopped") for seed in range(runs)]
    killed = [_went(options.store, count, edits, seed, "killed") for seed in range(runs)]
    both = stopped + killed
    for each in both:
        for text in (each.wrong + each.unlisted)[:_SHOWN]:
            print(f"wrong or not listed: {text}")
    what = f"{count:,} projects, {options.store}"
    return [
        Figure(f"an edit, acknowledged → in the mirrored file, admin side running, {what}", "s", lags),
        Figure(f"last of {edits} edits → old service answers; admin side stopped", "s", [w.seconds for w in stopped]),
        Figure("… admin side killed, reconciled, started once more, and stopped", "s", [w.seconds for w in killed]),
        Figure("projects edited", "", [w.projects for w in both]),
        Figure("asked of the old service", "", [w.asked for w in both]),
        Figure("… answered otherwise than the last edit that its format can say", "", [len(w.wrong) for w in both]),
        Figure("what its format cannot say", "", [w.inexpressible for w in both]),
        Figure("… not listed, or listed and not lost", "", [len(w.unlisted) for w in both]),
    ]


def _went(store: str, count: int, edits: int, seed: int, ending: Ending) -> Went:
    async def go(place: Place, folder: Path) -> Went:
        return await go_back(await _scene(place, count), folder, edits=edits, seed=seed, ending=ending)

    with place_with(store, count) as place, environment(place.environ), tempfile.TemporaryDirectory() as folder:
        return run(go(place, Path(folder)))


async def _scene(place: Place, count: int) -> Scene:
    return await set_scene(place.url, f"{place.url}-old/redirects.txt", prepared.records(count))


async def _lags(place: Place, count: int, times: int) -> list[float]:
    """Return how long each of some edits took to come into the file."""
    scene, chosen, lags = await _scene(place, count), random.Random(7), []
    with administering({"DOCSREDIRECT_STORE": scene.store, "DOCSREDIRECT_MIRROR": scene.mirror}) as service:
        await service.until_ready()
        api = Api(service.port)
        for number, name in enumerate(islice(scene.records, times)):
            await asyncio.sleep(chosen.uniform(0, _POLL_SECONDS))
            fields = {"project": name, "target": f"https://lag-{number}.example.org/", "path": "root"}
            path, body = f"{API}/projects/{name}", json.dumps(fields).encode()
            answer = await api.ask("PUT", path, headers={"If-Match": "*"}, body=body)
            assert answer is not None and answer.status == 200, answer
            begin = time.perf_counter()
            async with asyncio.timeout(_WITHIN):
                while fields["target"].encode() not in await read(scene.mirror):
                    await asyncio.sleep(_LOOK_SECONDS)
            lags.append(time.perf_counter() - begin)
        await api.close()
        await asyncio.to_thread(service.stop)
    return lags
