"""Edits of every kind through the admin API, and a ledger of what each project was last acknowledged to be."""

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from docsredirect.domain.records import Record, parse_record, to_fields
from docsredirect.formats import jsonl
from tests.bench.admin_serving import API, Api
from tests.support.edges import HOSTS

KINDS = (
    "new", "target", "path", "status", "rules", "gone", "gone", "target", "spelling", "rollback",
    "removal", "removal", "back", "again", "new", "import", "target",
)  # fmt: skip
"""What is done, one after the other, again and again: all that the API can do to a redirect. What is withdrawn or
removed twice in a round comes back once."""

State = Record | None
"""What a project is: a record, or None, removed."""

_FIELDS = frozenset(Record.__struct_fields__)


class Editor:
    """Makes edits of projects, chosen by `seed`, each on what the last one left. `records` are there already, at
    their first revision."""

    def __init__(self, api: Api, records: Mapping[str, Record], seed: int) -> None:
        self.projects: dict[str, State] = dict(records)
        """What was last acknowledged of each project."""
        self.edited: set[str] = set()
        self.kinds: Counter[str] = Counter()
        self.acknowledged = 0.0
        """When the last edit was, by `time.perf_counter`."""
        self._api = api
        self._dice = random.Random(seed)
        self._number = 0
        self._past = {name: {1: record} for name, record in records.items()}
        self._changes: dict[str, Callable[[Record], Mapping[str, Any]]] = {
            "target": self._target, "path": self._path, "status": self._status, "rules": self._rules,
            "gone": lambda record: {"state": "gone"}, "spelling": self._spelling,
        }  # fmt: skip

    async def make(self, count: int) -> None:
        """Make `count` edits, one after the other."""
        for self._number in range(count):
            kind = KINDS[self._number % len(KINDS)]
            if kind in self._changes:
                record = self._choose("active")
                await self._put(msgspec.structs.replace(record, **self._changes[kind](record)), "If-Match")
            else:
                await getattr(self, f"_{kind}")()
            self.kinds[kind] += 1

    async def close(self) -> None:
        """Let go of the connection."""
        await self._api.close()

    async def _new(self) -> None:
        await self._put(self._record(f"New.Project-{self._number}"), "If-None-Match")

    async def _again(self) -> None:
        removed = [name for name, state in self.projects.items() if state is None]
        await self._put(self._record(self._dice.choice(removed)), "If-None-Match")

    async def _back(self) -> None:
        record = self._choose("gone")
        await self._put(msgspec.structs.replace(record, state="active", project=record.name), "If-Match")

    async def _removal(self) -> None:
        await self._send("DELETE", self._choose("active").name, {"If-Match": "*"})

    async def _rollback(self) -> None:
        record = self._dice.choice([each for each in self._all("active") if len(self._past[each.name]) > 1])
        past = self._past[record.name]
        revision = self._dice.choice(sorted(past)[:-1])
        await self._send("POST", record.name, {}, json.dumps({"revision": revision}).encode(), end="/rollback")
        assert self.projects[record.name] == past[revision]

    async def _import(self) -> None:
        records = [self._record(each.project) for each in self._dice.sample(self._all("active"), 2)]
        records.append(self._record(f"imported_{self._number}"))
        body = b"".join(line for record in records for line in jsonl.lines(record))
        answer = await self._ask("POST", "/import", {"Content-Type": "application/jsonl"}, body)
        assert (answer["created"], answer["changed"], answer["refused"]) == (1, 2, 0), answer
        for record in records:
            self._note(record.name, record, (await self._ask("GET", f"/projects/{record.name}"))["meta"]["revision"])

    def _target(self, record: Record) -> Mapping[str, Any]:
        return {"target": f"https://moved-{self._number}.example.org/docs/"}

    def _path(self, record: Record) -> Mapping[str, Any]:
        path = self._dice.choice([each for each in ("keep", "clean", "root") if each != record.path])
        return {"path": path, **self._target(record)}

    def _status(self, record: Record) -> Mapping[str, Any]:
        return {"status": self._dice.choice([each for each in (301, 302, 307, 308) if each != record.status])}

    def _rules(self, record: Record) -> Mapping[str, Any]:
        return {"rules": {"old-api/*": f"https://api-{self._number}.example.org/*", "closed.html": None}}

    def _spelling(self, record: Record) -> Mapping[str, Any]:
        return {"project": record.name.upper().replace("-", "_")}

    def _record(self, project: str) -> Record:
        path = self._dice.choice(("keep", "keep", "root", "clean"))
        fields = {"project": project, "target": f"https://new-{self._number}.example.org/{project}/", "path": path}
        return parse_record(fields, HOSTS).record

    def _all(self, state: str) -> list[Record]:
        return [each for each in self.projects.values() if each is not None and each.state == state]

    def _choose(self, state: str) -> Record:
        return self._dice.choice(self._all(state))

    async def _put(self, record: Record, precondition: str) -> None:
        await self._send("PUT", record.name, {precondition: "*"}, msgspec.json.encode(to_fields(record)))
        assert self.projects[record.name] == record

    async def _send(
        self, method: str, name: str, headers: Mapping[str, str], body: bytes = b"", *, end: str = ""
    ) -> None:
        answer = await self._ask(method, f"/projects/{name}{end}", headers, body)
        fields = {field: value for field, value in answer.items() if field in _FIELDS}
        state = None if method == "DELETE" else parse_record(fields, HOSTS).record
        self._note(name, state, answer["meta"]["revision"])

    async def _ask(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> dict[str, Any]:
        response = await self._api.ask(method, f"{API}{path}", headers=headers, body=body)
        assert response is not None and response.status in (200, 201), f"{method} {path}: {response}"
        if method != "GET":
            self.acknowledged = time.perf_counter()
        answer: dict[str, Any] = json.loads(response.body)
        return answer

    def _note(self, name: str, state: State, revision: int) -> None:
        self.projects[name] = state
        self.edited.add(name)
        if state is not None:
            self._past.setdefault(name, {})[revision] = state
