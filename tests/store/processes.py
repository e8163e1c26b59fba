"""What the directory store's tests run as processes of their own: ``python -m tests.store.processes TASK FOLDER …``.

Each task prints one JSON object and exits 0, or fails.
"""

import asyncio
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from docsredirect.domain.errors import StoreUnavailable
from docsredirect.store import DirectoryStore, StoredObject
from tests.store.contract import increment, keys_of

BODY_NUMBERS = 20_000
"""How often a crash body repeats its number: 160 kB, so that a write takes a while."""

Report = dict[str, Any]


def crash_body(number: int) -> bytes:
    """Return a body that says its number from the first byte to the last."""
    return b"%08d" % number * BODY_NUMBERS


def count(folder: Path, times: str) -> Report:
    """Add one to ``count`` so many times by compare-and-swap."""

    async def work() -> int:
        store = DirectoryStore(folder)
        try:
            return sum([await increment(store, "count") for _ in range(int(times))])
        finally:
            await store.close()

    return {"lost": asyncio.run(work())}


def crash(folder: Path, kills: str, seed: str) -> Report:
    """Kill a writer at random moments, and check after each kill what it left behind."""
    random, left, numbers = Random(int(seed)), 0, []
    acknowledged = 0
    for _ in range(int(kills)):
        acknowledged = _kill_a_writer(folder, acknowledged, random.uniform(0.0, 0.012))
        stored, keys = asyncio.run(_after(folder))
        number = int(stored.body[:8])
        assert stored.body == crash_body(number), "half an object"
        assert acknowledged <= number <= acknowledged + 1, (acknowledged, number)
        assert keys == ["a/state"], keys
        acknowledged = number
        numbers.append(number)
        left = len(list((folder / ".tmp").iterdir()))
    return {"numbers": numbers, "left": left}


def _kill_a_writer(folder: Path, start: int, after: float) -> int:
    """Let a child write on from `start`, kill it, and return the last number that it had been told is stored."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            asyncio.run(_write_for_ever(folder, start, writing))
        finally:
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading, "rb") as told:
        first = told.read(8)
        time.sleep(after)
        os.kill(child, signal.SIGKILL)
        told_after = told.read()
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL, "the writer ended by itself"
    numbers = first + told_after
    return int(numbers[-8:])


async def _write_for_ever(folder: Path, start: int, tell: int) -> None:
    store = DirectoryStore(folder)
    stored = await store.get("a/state")
    etag = await store.create("a/state", crash_body(start)) if stored is None else stored.etag
    number = start
    while True:
        os.write(tell, b"%08d" % number)
        number += 1
        etag = await store.replace("a/state", crash_body(number), etag)


async def _after(folder: Path) -> tuple[StoredObject, list[str]]:
    """Return what is stored and what is listed, once it is shown that the object can still be locked."""
    store = DirectoryStore(folder)
    try:
        stored = await store.get("a/state")
        assert stored is not None, "the object is gone"
        etag = await asyncio.wait_for(store.replace("a/state", stored.body, stored.etag), 10)
        assert etag == stored.etag
        return stored, await keys_of(store, "")
    finally:
        await store.close()


def fill(folder: Path, limit: str) -> Report:
    """Write over ``a.json`` more than fits, and tell what came of it. `limit` in bytes caps a file; 0 does not."""
    if int(limit):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))

    async def work() -> Report:
        store = DirectoryStore(folder)
        etag = await store.create("a.json", b"old")
        refused = []
        for write in _too_large(store, etag):
            try:
                await write()
            except StoreUnavailable as error:
                refused.append(str(error))
        stored = await store.get("a.json")
        then = await store.replace("a.json", b"new", etag)
        keys = await keys_of(store, "")
        await store.close()
        return {
            "refused": refused,
            "kept": stored == StoredObject(b"old", etag),
            "works again": then != etag,
            "keys": keys,
            "left": [path.name for path in (folder / ".tmp").iterdir()],
        }

    return asyncio.run(work())


def _too_large(store: DirectoryStore, etag: str) -> list[Callable[[], Any]]:
    body = os.urandom(1 << 20)
    return [
        lambda: store.replace("a.json", body, etag),
        lambda: store.put("a.json", body),
        lambda: store.create("b.json", body),
    ]


def read(folder: Path) -> Report:
    """Read and list a folder that cannot be written, and try to write."""

    async def work() -> Report:
        store = DirectoryStore(folder)
        stored = await store.get("a.json")
        absent = await store.get("b.json")
        keys = await keys_of(store, "")
        try:
            await store.put("a.json", b"new")
        except StoreUnavailable as error:
            refused: str | None = str(error)
        else:
            refused = None
        await store.close()
        return {
            "body": None if stored is None else stored.body.decode(),
            "absent": absent is None,
            "keys": keys,
            "refused": refused,
        }

    return asyncio.run(work())


def listing(folder: Path, prefix: str) -> Report:
    """List what begins with `prefix`."""

    async def work() -> Report:
        store = DirectoryStore(folder)
        try:
            return {"keys": await keys_of(store, prefix), "refused": None}
        except StoreUnavailable as error:
            return {"keys": None, "refused": str(error)}
        finally:
            await store.close()

    return asyncio.run(work())


TASKS: dict[str, Callable[..., Report]] = {
    "count": count,
    "crash": crash,
    "fill": fill,
    "read": read,
    "listing": listing,
}


def main() -> None:
    """Run one task."""
    task, folder, *arguments = sys.argv[1:]
    print(json.dumps(TASKS[task](Path(folder), *arguments)))


if __name__ == "__main__":
    main()
