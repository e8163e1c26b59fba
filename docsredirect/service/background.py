"""Work that nobody waits for, until it is time to close. Knows nothing of what the work is."""

import asyncio
from collections.abc import Coroutine
from typing import Any


class Background:
    """Runs work and holds on to it: the event loop itself would let it be collected."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin `work`. It deals with its own errors."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self, seconds: float) -> None:
        """Let what has begun finish for at most `seconds`, and stop the rest."""
        if self._tasks:
            _, left = await asyncio.wait(self._tasks, timeout=seconds)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
