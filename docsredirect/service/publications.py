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
        self._waiting: list[asyncio.Future[None]] = []
        self._submitted = asyncio.Event()

    async def published(self, row: Row, seconds: float) -> bool:
        """Submit a row and wait for at most `seconds` until it is published. Returns whether it is."""
        done = asyncio.get_running_loop().create_future()
        self._rows[row.name] = max(row, self._rows.get(row.name, row), key=lambda each: each.revision)
        self._waiting.append(done)
        self._submitted.set()
        finished, _ = await asyncio.wait({done}, timeout=seconds)
        return bool(finished)

    async def run(self) -> None:
        """Publish for ever."""
        failures = 0
        while True:
            await self._submitted.wait()
            await asyncio.sleep(GATHER_SECONDS)
            if await self._publish_batch():
                failures = 0
            else:
                failures += 1
                await asyncio.sleep(min(self._pause(failures), MAX_PAUSE_SECONDS))

    async def _publish_batch(self) -> bool:
        self._submitted.clear()
        rows, self._rows = self._rows, {}
        waiting, self._waiting = self._waiting, []
        try:
            await self._publisher.publish(rows.values())
        except StoreError as error:
            log.error("not published", changes=len(rows), reason=str(error))
            for name, row in rows.items():
                self._rows[name] = max(row, self._rows.get(name, row), key=lambda each: each.revision)
            self._waiting = waiting + self._waiting
            self._submitted.set()
            return False
        for done in waiting:
            if not done.done():
                done.set_result(None)
        return True
