"""The mirror: the old service's ``redirects.txt``, rewritten after each publication, so that going back to that service
loses nothing that its file can say. What it cannot say is listed beside it.

The file is replaced only in the state that was read before the table was, so an older table never replaces a newer one.
It is never rewritten while it holds a project that the table has never known, and the first one that was found is kept.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple

import msgspec
import structlog

from docsredirect.domain.errors import Conflict, MirrorRefused, StoreError, StoreUnavailable, Unknown, shorten
from docsredirect.formats import conveyor
from docsredirect.formats.conveyor import Approximation
from docsredirect.service.listing import Listing
from docsredirect.service.replica import Replica
from docsredirect.store import Store, StoredObject

LOOK_SECONDS: Final = 60.0
"""How often the file is looked at while nothing is published: somebody may have put an older one there."""

GATHER_SECONDS: Final = 1.0
"""How long publications are gathered: the file is rewritten as a whole."""

END_SECONDS: Final = 4.0
"""How long a process that ends may take to write what was published last: 25,000 projects take about one."""

_ATTEMPTS: Final = 20
_SHOWN: Final = 5

log = structlog.get_logger(__name__)


class Mirrored(NamedTuple):
    """What the file holds: lines, and what it cannot say. `written`: whether it had to be rewritten."""

    lines: int
    lost: list[Approximation]
    written: bool


class Mirror:
    """Keeps the object `key` of `store`, the old service's, as `replica` has the table.

    `on_end` is told of each round what it came to, None where it failed.
    """

    def __init__(
        self,
        store: Store,
        key: str,
        replica: Replica,
        *,
        on_end: Callable[[Mirrored | None], None] = lambda mirrored: None,
    ) -> None:
        self._store = store
        self._key = key
        self._replica = replica
        self._listing = Listing(replica)
        self._on_end = on_end
        self._changed = asyncio.Event()
        self._problem: str | None = None
        self._lost: bytes | None = None
        self._first: dict[str, list[str]] | None = None
        """How the file that was there first spells projects: one that was withdrawn for a while is not in the present
        one, and comes back in all of them."""
        replica.on_applied.append(self._changed.set)

    async def run(self) -> None:
        """Rewrite the file after each publication, for ever. Never raises for what the stores do."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._changed.wait()
            await asyncio.sleep(GATHER_SECONDS)
            self._changed.clear()
            self._on_end(await self._round())

    async def finish(self) -> None:
        """Look once more, at the end of a process: what was acknowledged a moment ago is in the file then."""
        try:
            async with asyncio.timeout(END_SECONDS):
                self._on_end(await self._round())
        except TimeoutError:
            self._report(f"The stores did not answer within {END_SECONDS:g} s. Start the admin side once more.")

    async def _round(self) -> Mirrored | None:
        try:
            mirrored = await self.write()
        except (StoreError, MirrorRefused, Unknown) as error:
            self._report(str(error))
            return None
        except Exception:  # a fault of our own must not end all mirroring
            log.exception("mirroring broke off")
            return None
        self._report(None)
        if mirrored.written:
            log.info("mirrored", file=self._key, lines=mirrored.lines, lost=len(mirrored.lost))
        return mirrored

    def _report(self, problem: str | None) -> None:
        if problem is not None and problem != self._problem:
            log.error("not mirrored", file=self._key, reason=problem)
        self._problem = problem

    async def write(self) -> Mirrored:
        """Rewrite the file where it says something else than the table does.

        Raises `MirrorRefused` where it holds projects that the table has never known, `Unknown` where the table cannot
        be read now, and `StoreError`.
        """
        for _ in range(_ATTEMPTS):
            present = await self._store.get(self._key)
            if not await self._replica.refresh():  # after the file was read: whoever wrote it knew no newer table
                raise StoreUnavailable(f"The published table cannot be read now: {self._replica.problem}")
            spellings = {} if present is None else conveyor.spellings_in(present.body)
            self._check(spellings)
            body, lost = await self._render(spellings)
            if self._first is None and present is not None and body != present.body:
                first = await self._store.get(f"{self._key}.before") or present
                self._first = conveyor.spellings_in(first.body)
                continue
            try:
                written = await self._replace(present, body)
            except Conflict:
                continue
            await self._list_lost(b"".join(map(_line, lost)))
            return Mirrored(body.count(b"\n"), lost, written)
        raise Conflict(f"{self._key} changed {_ATTEMPTS} times while it was being rewritten.")

    def _check(self, spellings: dict[str, list[str]]) -> None:
        nothing = self._replica.applied is None
        if unknown := [name for name in spellings if nothing or self._replica.row(name) is None]:
            some = ", ".join(map(shorten, unknown[:_SHOWN]))
            raise MirrorRefused(
                f"{self._key} holds {len(unknown)} projects that the table has never known: {some}"
                f"{' …' if len(unknown) > _SHOWN else ''}. Import it first: `docsredirect import {self._key}`."
            )

    async def _render(self, spellings: dict[str, list[str]]) -> tuple[bytes, list[Approximation]]:
        body, lost, first = bytearray(), list[Approximation](), self._first or {}
        async for row in self._listing.export():
            if row.record is not None:
                known = (*spellings.get(row.name, ()), *first.get(row.name, ()))
                for line in conveyor.lines(row.record, known):
                    body += line
                lost += conveyor.approximations(row.record)
        return bytes(body), lost

    async def _replace(self, present: StoredObject | None, body: bytes) -> bool:
        """Put `body` in the place of what is present. Returns whether that was another. Raises `Conflict`."""
        if present is None:
            await self._store.create(self._key, body)
        elif present.body == body:
            return False
        else:
            with suppress(Conflict):  # the one that was there before the first rewriting is kept already
                await self._store.create(f"{self._key}.before", present.body)
            await self._store.replace(self._key, body, present.etag)
        return True

    async def _list_lost(self, body: bytes) -> None:
        """Say beside the file what it cannot say: that may change while the file does not."""
        if body != self._lost:
            await self._store.put(f"{self._key}.lost.jsonl", body)
            self._lost = body


def _line(lost: Approximation) -> bytes:
    return msgspec.json.encode({"project": lost.project, "lost": lost.lost}) + b"\n"
