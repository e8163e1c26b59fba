"""Threads that wait for a disk, so that the event loop need not. What they do there, they are told."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar
from weakref import WeakValueDictionary

THREADS = 16
"""Parallel writes share the disk's flushes: 16 threads wrote 2.4 times as fast as one."""

SHARE = 4
"""How many of them may be at the same thing: one file that hangs, or one lock, leaves the others free."""

T = TypeVar("T")


class Threads:
    """`THREADS` threads, of which at most `SHARE` are at the same thing. Used from one event loop."""

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix=name)
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._working: set[asyncio.Future[Any]] = set()

    async def run(self, work: Callable[[], T], thing: str, seconds: float) -> T:
        """Return what `work`, which is at `thing`, returns. Raises `TimeoutError` where that takes longer.

        A thread cannot be stopped: what it has begun then goes on without anybody to wait for it, and keeps its turn.
        """
        turns = self._turns.setdefault(thing, asyncio.Semaphore(SHARE))
        async with asyncio.timeout(seconds):
            await turns.acquire()
            begun = self._pool.submit(work)
            working = asyncio.wrap_future(begun)
            self._working.add(working)
            working.add_done_callback(partial(self._ended, turns))
            try:
                return await asyncio.shield(working)
            finally:
                begun.cancel()  # only where it was not begun yet

    def _ended(self, turns: asyncio.Semaphore, working: "asyncio.Future[Any]") -> None:
        turns.release()
        self._working.discard(working)
        if not working.cancelled():
            working.exception()  # taken note of, also where nobody waits for it any more

    async def close(self, seconds: float) -> None:
        """Begin nothing more, and wait so long for what has begun."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._working:
            await asyncio.wait(self._working, timeout=seconds)
