"""Writers: each makes one write after the other over HTTP, and remembers what it was told."""

import asyncio
import itertools
import json
import random
import time
from typing import NamedTuple

import msgspec

from docsredirect.domain.hosts import HostRules
from docsredirect.domain.records import Record, parse_record, to_fields
from tests.bench.admin_serving import API, Api
from tests.drill.ledger import REFUSALS, Attempt, read_answer
from tests.support.http import Response

REPEATED = 2 / 3
"""The share of the writes without an answer that are sent again."""

_MAX_RULES = 20
_HOSTS = HostRules.of()


class Seen(NamedTuple):
    """What writers know of a project; others may have changed it since."""

    there: bool = False
    etag: str | None = None
    revision: int = 0


class Scene:
    """What the writers and whoever kills share."""

    def __init__(self, port: int, projects: int, seed: int) -> None:
        self.port = port
        self.seed = seed
        self.open = asyncio.Event()
        """Set while the service may be asked. Cleared before it is killed."""
        self.life = 1
        """How often the service was started."""
        self.numbers = itertools.count(1)
        self.over = asyncio.Event()
        """Set when no other write is to be begun."""
        self.seen = {f"project-{number}": Seen() for number in range(projects)}
        self.attempts: list[Attempt] = []
        self.violations: list[str] = []
        self.in_flight = 0
        """How many writes are waiting for their answer."""
        self.seconds: list[float] = []
        """How long each answered write took."""


class Writer:
    """The writer `number` of a scene."""

    def __init__(self, scene: Scene, number: int) -> None:
        self._scene = scene
        self._number = number
        self._chosen = random.Random(f"{scene.seed} {number}")
        self._api = Api(scene.port)
        self._life = -1

    async def run(self) -> None:
        """Write until the scene is over."""
        while not self._scene.over.is_set():
            attempt = self._next()
            if await self._make(attempt):
                continue
            await self._look(attempt)
            # The last kill is the last chance to repeat anything, so all that it hit is repeated.
            if self._scene.over.is_set() or self._chosen.random() < REPEATED:
                while not await self._make(attempt):
                    await self._look(attempt)
        await self._api.close()

    async def _make(self, attempt: Attempt) -> bool:
        """Send a write, unless it would be the first time and the scene is over, and take note of the answer. False
        where there was none, or an uncertain one."""
        scene = self._scene
        await self._connected()
        if not attempt.life:
            if scene.over.is_set():
                return True
            scene.attempts.append(attempt)
        attempt.life, start = scene.life, time.perf_counter()
        scene.in_flight += 1
        response = await self._api.ask(attempt.method, attempt.path, headers=attempt.headers, body=attempt.body)
        scene.in_flight -= 1
        if response is None:
            attempt.lost_in.append(attempt.life)
            if scene.life == attempt.life:
                scene.violations.append(f"{attempt.reason} got no answer of a service that was not killed")
            return False
        answer = read_answer(response)
        attempt.answers.append(answer)
        if answer.acknowledges:
            scene.seconds.append(time.perf_counter() - start)
            scene.seen[attempt.name] = Seen(answer.record is not None, response.header("etag"), answer.revision)
        elif answer.status in REFUSALS:
            await self._see(attempt.name)
        elif not answer.is_uncertain:
            scene.violations.append(f"{attempt.reason} was answered {answer.status}: {response.body.decode()}")
        return not answer.is_uncertain

    async def _connected(self) -> None:
        """Wait until the service can be asked, on a connection to the process that lives now."""
        while True:
            await self._scene.open.wait()
            if self._life != self._scene.life:
                await self._api.close()
                self._life = self._scene.life
            try:
                await self._api.connect()
            except OSError:
                await asyncio.sleep(0.005)
                continue
            if self._scene.open.is_set():
                return

    async def _get(self, path: str) -> Response:
        while True:
            await self._connected()
            response = await self._api.ask("GET", path)
            if response is not None:
                return response

    async def _see(self, name: str) -> None:
        """Look at a project as it is now."""
        response = await self._get(f"{API}/projects/{name}")
        there = response.status == 200
        revision = json.loads(response.body)["meta"]["revision"] if there else self._scene.seen[name].revision
        self._scene.seen[name] = Seen(there, response.header("etag"), revision)

    async def _look(self, attempt: Attempt) -> None:
        """Look whether a write without an answer was done."""
        response = await self._get(f"{API}/projects/{attempt.name}/history?limit=50")
        entries = json.loads(response.body)["history"] if response.status == 200 else []
        attempt.found = any(entry["reason"] == attempt.reason for entry in entries)
        await self._see(attempt.name)

    def _next(self) -> Attempt:
        chosen = self._chosen
        number = next(self._scene.numbers)
        name = chosen.choice(list(self._scene.seen))
        seen = self._scene.seen[name]
        headers = {"If-Match": "*" if seen.etag is None or chosen.random() < 0.3 else seen.etag}
        method, end = "PUT", ""
        wanted: Record | int | None = None
        kind = chosen.random()
        if seen.revision and kind < 0.15:
            method, end, headers, wanted = "POST", "/rollback", {}, chosen.randint(1, seen.revision)
        elif seen.there and kind < 0.3:
            method = "DELETE"
        else:
            wanted = self._record(name, number)
            if not seen.there or kind > 0.97:
                headers = {"If-None-Match": "*"}
        marks = {"X-Reason": f"attempt {number}", "Idempotency-Key": f"writer-{self._number}-attempt-{number}"}
        return Attempt(
            number=number, name=name, method=method, path=f"{API}/projects/{name}{end}",
            headers={**headers, **marks}, body=_body(wanted), wanted=wanted,
        )  # fmt: skip

    def _record(self, name: str, number: int) -> Record:
        """Return a record that no other attempt has."""
        pages = range(self._chosen.randrange(_MAX_RULES))
        raw = {
            "project": self._chosen.choice((name, name.title(), name.replace("-", "_"))),
            "target": f"https://attempt-{number}.example.org/",
            "path": self._chosen.choice(("keep", "clean", "root")),
            "rules": {f"page-{page}.html": f"pages/{number}/{page}/" for page in pages},
        }
        return parse_record(raw, _HOSTS).record


def _body(wanted: Record | int | None) -> bytes:
    if wanted is None:
        return b""
    return msgspec.json.encode({"revision": wanted} if isinstance(wanted, int) else to_fields(wanted))
