"""Object stores behind one protocol. A store knows bytes and keys; what the bytes mean is not its business."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import unquote

from docsredirect.store.directory import DirectoryStore
from docsredirect.store.protocol import Listed, Store, StoredObject

__all__ = ["DirectoryStore", "Listed", "Store", "StoredObject", "folder_of", "open_store"]


@asynccontextmanager
async def open_store(url: str) -> AsyncIterator[Store]:
    """Open the store at `url`, as the settings give it: ``s3://bucket/prefix``, ``file:///path``, or the path of a
    folder. Touches nothing yet: a store that cannot be reached now may be later."""
    store = _store(url)
    try:
        yield store
    finally:
        await store.close()


def _store(url: str) -> Store:
    if url.startswith("s3://"):
        # Only here, because it takes botocore along: up to a second, and memory, that a directory store has no use for.
        from docsredirect.store.s3 import S3Store  # noqa: PLC0415

        return S3Store(url)
    return DirectoryStore(folder_of(url))


def folder_of(url: str) -> Path:
    """Return the folder of a directory store: ``file:///path``, or the path of a folder."""
    return Path(unquote(url.removeprefix("file://")) if url.startswith("file://") else url)
