"""The object store as the rules see it. Every store passes one contract suite: tests/store/contract.py.

Keys are relative to the store's prefix. An ETag is opaque, strong, and compared only within one store.

*Absent* and *unknown* are different: a store says None only where it knows that there is no such object, and raises
`StoreUnavailable` for everything that is neither yes nor no.
"""

import re
from collections.abc import AsyncIterator
from typing import Protocol

import msgspec

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*")


class StoredObject(msgspec.Struct, frozen=True):
    """An object's bytes and the ETag of that state of it."""

    body: bytes
    etag: str


class Listed(msgspec.Struct, frozen=True):
    """An object in a listing. `modified` is when it was last put, in seconds since the epoch by the store's clock."""

    key: str
    etag: str
    modified: float


class Store(Protocol):
    """An object store with conditional writes. Every operation may raise `StoreUnavailable`, and every writing one
    `WritesRefused`."""

    @property
    def url(self) -> str:
        """Where the store is, as the operator wrote it; without secrets."""
        ...

    async def get(self, key: str, *, unless: str | None = None) -> StoredObject | None:
        """Return the object, or None where there is none. Raises `NotModified` where its ETag is `unless`."""
        ...

    async def create(self, key: str, body: bytes) -> str:
        """Put a new object and return its ETag. Raises `Conflict` where there is one already."""
        ...

    async def replace(self, key: str, body: bytes, etag: str) -> str:
        """Replace the object whose ETag is `etag` and return the new one. Raises `Conflict` where it has another,
        or is gone."""
        ...

    async def put(self, key: str, body: bytes) -> str:
        """Put an object whatever is there, and return its ETag: for objects that are named by their content."""
        ...

    async def delete(self, key: str) -> None:
        """Remove an object, if there is one."""
        ...

    def list_objects(self, prefix: str) -> AsyncIterator[Listed]:
        """Go through the objects whose keys begin with `prefix`, in the order of their keys."""
        ...

    async def now(self) -> float:
        """Return the time by the store's own clock, the one of `Listed.modified`, in seconds since the epoch."""
        ...

    async def check_writes(self) -> None:
        """Find out whether the store keeps the conditions of writes, where it is of a kind that may not. Raises
        `WritesRefused` where it does not."""
        ...

    async def close(self) -> None:
        """Let go of connections and files. The store is of no use afterwards."""
        ...


def is_key(key: str) -> bool:
    """Tell whether `key` is one that every store takes."""
    return _KEY.fullmatch(key) is not None


def check_key(key: str) -> str:
    """Return `key`. Raises `ValueError` where it is none: that is a mistake in this program."""
    if not is_key(key):
        raise ValueError(f"{key!r} is not a key")
    return key


def check_prefix(prefix: str) -> str:
    """Return `prefix`. Raises `ValueError` where no key begins with it: that is a mistake in this program."""
    if prefix and not is_key(prefix + "x" * prefix.endswith("/")):
        raise ValueError(f"no key begins with {prefix!r}")
    return prefix
