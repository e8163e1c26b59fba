"""Doing one thing for many items, a few at a time, with the results in the order of the items."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_AHEAD = 16
"""How many items for each that is worked on may be begun or done before the first of them: so many results wait for a
slow one, and not the work."""


async def in_order(items: Iterable[T], work: Callable[[T], Awaitable[R]], at_once: int) -> AsyncGenerator[R]:
    """Yield what `work` makes of each item, at most `at_once` at a time. Items are taken as results are. Whoever stops
    before the end closes it, so that what is begun ends too."""
    room = asyncio.Semaphore(at_once)

    async def one(item: T) -> R:
        async with room:
            return await work(item)

    begun: deque[asyncio.Task[R]] = deque()
    try:
        for item in items:
            begun.append(asyncio.create_task(one(item)))
            while len(begun) >= at_once * _AHEAD or (begun and begun[0].done()):
                yield await begun.popleft()
        while begun:
            yield await begun.popleft()
    finally:
        for task in begun:
            task.cancel()
        await asyncio.gather(*begun, return_exceptions=True)
