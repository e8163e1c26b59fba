"""Gathering changes for a moment and publishing them together: one task a process. Writes no project."""

import asyncio
from collections.abc import Callable

import structlog

from docsredirect.domain.errors import StoreError
from docsredirect.domain.tables import Row
from docsredirect.service.publisher import Publisher

GATHER_SECONDS = 0.05
"""How long changes are gathered: a fortieth of a poll, so that nobody sees it, and enough for a burst of writes."""

MAX_PAUSE_SECONDS = 30.0
"""The longest pause between two attempts while the store fails."""

log = structlog.get_logger(__name__)


class Publications:
    """Publishes what is submitted, in batches, for as long as `run` runs. A batch that fails is tried again, and what
    was submitted meanwhile goes with it."""

    def __init__(self, publisher: Publisher, pause: Callable[[int], float]) -> None:
        self._publisher = publisher
        self._pause = pause
        self._rows: dict[str, Row] = {}
        self._waiting: list[tuple[str, asyncio.Future[bool]]] = []
        self._submitted = asyncio.Event()

    async def published(self, row: Row, seconds: float) -> bool:
        """Submit a row and wait for at most `seconds` until it is published. Returns whether it is, and not outdone
        by a higher revision that is published already."""
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._rows[row.name] = max(row, self._rows.get(row.name, row), key=lambda each: each.revision)
        self._waiting.append((row.name, done))
        self._submitted.set()
        finished, _ = await asyncio.wait({done}, timeout=seconds)
        return bool(finished) and done.result()

    async def run(self) -> None:
        """Publish for ever."""
        failures = 0
        while True:
            await self._submitted.wait()
            await asyncio.sleep(GATHER_SECONDS)
            try:
                published = await self._publish_batch()
            except Exception:  # a fault of our own must not end all publishing
                log.exception("publishing broke off")
                published = False
            if published:
                failures = 0
            else:
                failures += 1
                await asyncio.sleep(min(self._pause(failures), MAX_PAUSE_SECONDS))

    async def _publish_batch(self) -> bool:
        self._submitted.clear()
        rows, self._rows = self._rows, {}
        waiting, self._waiting = self._waiting, []
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
        for name in outdone:
            log.error("outdone by what is published", project=name, revision=rows[name].revision)
        for name, done in waiting:
            if not done.done():
                done.set_result(name not in outdone)
        return True
