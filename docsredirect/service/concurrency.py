"""Doing many small things at once without holding them all. Knows nothing of what they are."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


async def for_each(items: Iterable[T] | AsyncIterable[T], work: Callable[[T], Awaitable[None]], limit: int) -> None:
    """Run `work` on every item, at most `limit` at a time; items are taken only as fast as they are worked on.

    The first exception stops the rest and is raised as it is.
    """
    source = _iterate(items)
    taking = asyncio.Lock()

    async def worker() -> None:
        while True:
            async with taking:
                try:
                    item = await anext(source)
                except StopAsyncIteration:
                    return
            await work(item)

    workers = [asyncio.create_task(worker()) for _ in range(limit)]
    try:
        await asyncio.gather(*workers)
    finally:
        for task in workers:
            task.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


async def _iterate(items: Iterable[T] | AsyncIterable[T]) -> AsyncIterator[T]:
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item
