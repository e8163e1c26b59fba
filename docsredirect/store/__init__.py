"""Object stores behind one protocol. A store knows bytes and keys; what the bytes mean is not its business."""

from pathlib import Path
from urllib.parse import unquote

from docsredirect.store.directory import DirectoryStore
from docsredirect.store.protocol import Listed, NotModified, Store, StoredObject

__all__ = ["DirectoryStore", "Listed", "NotModified", "Store", "StoredObject", "open_store"]


def open_store(url: str) -> Store:
    """Return the store at `url`, as the settings give it: ``file:///path``, or the path of a folder. Touches nothing
    yet: a store that cannot be reached now may be later."""
    return DirectoryStore(Path(unquote(url.removeprefix("file://")) if url.startswith("file://") else url))
