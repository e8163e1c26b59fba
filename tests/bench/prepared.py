"""Stores that hold a published table of any size, without importing its projects one by one.

Only what an edge reads is written: the shards and ``table.json``, by the functions that the publisher uses. The
first change of a project finds no object, and goes on from the revision that is published.
"""

import asyncio
import atexit
import functools
import hashlib
import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from docsredirect.domain import tables
from docsredirect.domain.hosts import HostRules
from docsredirect.domain.records import Record, parse_record
from docsredirect.domain.tables import SHARDS, TABLE_KEY, Row, ShardRef, Table
from docsredirect.service.concurrency import for_each
from docsredirect.store import DirectoryStore, Store
from tests.bench import synthetic

_EPOCH = "5ca1ab1e00000000"
_AT_ONCE = 16
_CHECKED = 1_000
"""How many records are compared with what the border would make of them. Checking a million takes a minute."""

_run = ExitStack()
atexit.register(_run.close)


def records(count: int) -> Iterator[Record]:
    """Return the records of a prepared table of `count` projects."""
    return (Record(**raw) for raw in synthetic.records(count))


async def write_table(store: Store, count: int, etag_digits: int) -> None:
    """Publish a table of `count` projects in an empty store. `etag_digits` is how long an ETag of that store is."""
    rules = HostRules.of()
    for raw in itertools.islice(synthetic.records(count), _CHECKED):
        assert parse_record(raw, rules).record == Record(**raw), "not a record in normal form"
    by_shard: list[list[Row]] = [[] for _ in range(SHARDS)]
    for record in records(count):
        name = record.name
        etag = hashlib.sha256(name.encode()).hexdigest()[:etag_digits]
        by_shard[tables.shard_of(name)].append(Row(name, 1, etag, record))
    refs = [ShardRef(None, 0)] * SHARDS

    async def put_shard(number: int) -> None:
        rows = sorted(by_shard[number], key=lambda row: row.name)
        refs[number], body = await asyncio.to_thread(tables.encode_shard, number, rows)
        key = refs[number].key
        if key is not None:
            await store.put(key, body)

    await for_each(range(SHARDS), put_shard, _AT_ONCE)
    table = Table(epoch=_EPOCH, sequence=1, follows=(), shards=tuple(refs))
    body = tables.encode_table(table)
    await store.create(tables.kept_key(table.epoch, table.sequence), body)
    await store.create(TABLE_KEY, body)


@functools.cache
def _made_once(count: int) -> Path:
    """Return a folder with a table of `count` projects, which is made once in a run."""
    folder = Path(_run.enter_context(tempfile.TemporaryDirectory(prefix="docsredirect-bench-")))

    async def make() -> None:
        store = DirectoryStore(folder)
        await write_table(store, count, etag_digits=64)
        await store.close()

    asyncio.run(make())
    return folder


@contextmanager
def folder_with(count: int) -> Iterator[Path]:
    """Give a folder store of its own that holds a table of `count` projects, or, for 0, nothing."""
    with tempfile.TemporaryDirectory(prefix="docsredirect-bench-") as folder:
        path = Path(folder) / "store"
        if count:
            # Links: a store replaces files and never writes into one.
            shutil.copytree(_made_once(count), path, copy_function=os.link)
        yield path
