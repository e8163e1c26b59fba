"""Gathering changes for a moment and publishing them together: one task a process. Writes no project."""

import asyncio
import time
from collections.abc import Callable

import structlog

from docsredirect.domain.clock import Clock
from docsredirect.domain.errors import StoreError
from docsredirect.domain.tables import Row
from docsredirect.service.publisher import Publisher

GATHER_SECONDS = 0.005
"""How long changes are gathered: enough for a burst of writes. What comes later is gathered while these are
published."""

MAX_PAUSE_SECONDS = 30.0
"""The longest pause between two attempts while the store fails."""

log = structlog.get_logger(__name__)


class Publications:
    """Publishes what is submitted, in batches, for as long as `run` runs. A batch that fails is tried again, and what
    was submitted meanwhile goes with it."""

    def __init__(
        self,
        publisher: Publisher,
        pause: Callable[[int], float],
        *,
        clock: Clock = time.monotonic,
        on_end: Callable[[bool, float], None] = lambda ok, seconds: None,
    ) -> None:
        """`on_end` is told of each attempt whether it went well and how many seconds of `clock` it took."""
        self._publisher = publisher
        self._clock = clock
        self._on_end = on_end
        self._pause = pause
        self._rows: dict[str, Row] = {}
        self._waiting: list[tuple[str, asyncio.Future[bool]]] = []
        self._publishing: dict[str, Row] = {}
        """What is being published at this moment."""
        self._idle = asyncio.Event()
        self._idle.set()
        self._submitted = asyncio.Event()

    @property
    def waiting(self) -> int:
        """How many projects have changes that are not published yet."""
        return len(self._rows | self._publishing)

    def submit(self, row: Row) -> asyncio.Future[bool]:
        """Take a row to publish. The future tells, once that is done, whether it is published, and not outdone by a
        higher revision that is published already."""
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._rows[row.name] = max(row, self._rows.get(row.name, row), key=lambda each: each.revision)
        self._waiting.append((row.name, done))
        self._idle.clear()
        self._submitted.set()
        return done

    async def wait(self, publication: asyncio.Future[bool], seconds: float) -> bool:
        """Wait for at most `seconds` for what `submit` gave. Returns whether the row is published."""
        finished, _ = await asyncio.wait({publication}, timeout=seconds)
        return bool(finished) and publication.result()

    async def drain(self) -> None:
        """Wait until what was submitted is published."""
        await self._idle.wait()

    async def run(self) -> None:
        """Publish for ever."""
        failures = 0
        while True:
            await self._submitted.wait()
            await asyncio.sleep(GATHER_SECONDS)
            begin = self._clock()
            try:
                published = await self._publish_batch()
            except Exception:  # a fault of our own must not end all publishing
                log.exception("publishing broke off")
                published = False
            self._on_end(published, self._clock() - begin)
            if published:
                failures = 0
            else:
                failures += 1
                await asyncio.sleep(min(self._pause(failures), MAX_PAUSE_SECONDS))

    async def _publish_batch(self) -> bool:
        self._submitted.clear()
        rows, self._rows = self._rows, {}
        waiting, self._waiting = self._waiting, []
        self._publishing = rows
        try:
            outdone = (await self._publisher.publish_rows(rows.values())).outdone
        except BaseException as error:
            if isinstance(error, StoreError):
                log.error("not published", changes=len(rows), reason=str(error))
            for name, row in rows.items():
                self._rows[name] = max(row, self._rows.get(name, row), key=lambda each: each.revision)
            self._waiting = waiting + self._waiting
            self._submitted.set()
            if not isinstance(error, StoreError):
                raise
            return False
        finally:
            self._publishing = {}
        for name in outdone:
            log.error("outdone by what is published", project=name, revision=rows[name].revision)
        for name, done in waiting:
            if not done.done():
                done.set_result(name not in outdone)
        if not self._rows:
            self._idle.set()
        return True
