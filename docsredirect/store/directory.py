"""The directory store: objects as files on a local disk, safe for several processes on one machine.

A write is a temporary file, fsync, rename, fsync of the folder: a crash leaves the old state or the new one.
Whoever writes holds an flock on one of 64 lock files while it compares and renames; the kernel drops it with the
process. A process that holds one and does not go on, because it was stopped, makes writes fail in time, and no read.
An ETag is the SHA-256 of the content: inodes and times can come back, and content that comes back is the same state.
"""

import asyncio
import fcntl
import hashlib
import os
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from docsredirect.domain.errors import Conflict, NotModified, StoreUnavailable
from docsredirect.store.protocol import Listed, StoredObject, check_key, check_prefix, is_key
from docsredirect.store.threads import Threads

_LOCKS = 64

_READ_SECONDS = 3.0
"""How long a read may take. A disk that hangs must not hang a poll, or a reader."""

_WRITE_SECONDS = 60.0
"""How long a write or a page of a listing may take: a busy disk can be seconds behind with its flushes."""

_LOCK_PART = 0.9
"""The part of a write's time that may go by until it has its lock: the rest is for the disk."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.001, 0.05
"""Seconds between two looks whether a lock is free. Who waits for it in the kernel cannot give up."""

_CLOSE_SECONDS = 2.0
_LIST_PAGE = 1_000
_ABANDONED_AFTER = 3_600.0
"""Seconds after which a temporary file has no writer any more."""

_LOCK_FOLDER, _TEMPORARY_FOLDER = ".locks", ".tmp"
_LISTING = "/"
"""What all listings are at. No key is that."""

_T = TypeVar("_T")
_Precondition = Callable[[str | None], bool]
"""Tells from an object's present ETag, None for no object, whether it may be written."""


class DirectoryStore:
    """A store in the folder `root`, which is made at first use. The folder must be on a local disk (flock, rename)."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        self._readers, self._writers = Threads("directory-reader"), Threads("directory-writer")
        self._seen = self._prepared = False
        self._mine = [threading.Lock() for _ in range(_LOCKS)]
        self._closed = threading.Event()

    @property
    def url(self) -> str:
        """The folder as a file URL."""
        return self._root.as_uri()

    async def get(self, key: str, *, unless: str | None = None) -> StoredObject | None:
        """Return the object, or None where there is none. Raises `NotModified` where its ETag is `unless`."""
        path = self._path(key)
        body = await self._run(self._readers, lambda: self._read(path), key, _READ_SECONDS)
        if body is None:
            return None
        etag = _etag(body)
        if etag == unless:
            raise NotModified(key)
        return StoredObject(body, etag)

    async def create(self, key: str, body: bytes) -> str:
        """Put a new object and return its ETag. Raises `Conflict` where there is one already."""
        return await self._write(key, body, lambda present: present is None)

    async def replace(self, key: str, body: bytes, etag: str) -> str:
        """Replace the object whose ETag is `etag`. Raises `Conflict` where it has another, or is gone."""
        return await self._write(key, body, lambda present: present == etag)

    async def put(self, key: str, body: bytes) -> str:
        """Put an object whatever is there, and return its ETag."""
        return await self._write(key, body, None)

    async def delete(self, key: str) -> None:
        """Remove an object, if there is one."""
        path, number = self._path(key), _lock_of(key)
        deadline = time.monotonic() + _WRITE_SECONDS * _LOCK_PART

        def work() -> None:
            self._prepare()
            with self._locked(number, deadline), suppress(FileNotFoundError):
                path.unlink()
                _sync_folder(path.parent)

        await self._run(self._writers, work, str(number), _WRITE_SECONDS)

    async def list_objects(self, prefix: str) -> AsyncIterator[Listed]:
        """Go through the objects whose keys begin with `prefix`, in the order of their keys."""
        check_prefix(prefix)
        keys = await self._run(self._readers, lambda: self._keys(prefix), _LISTING, _WRITE_SECONDS)
        for start in range(0, len(keys), _LIST_PAGE):
            page = keys[start : start + _LIST_PAGE]
            for listed in await self._run(self._readers, partial(self._describe, page), _LISTING, _WRITE_SECONDS):
                yield listed

    async def now(self) -> float:
        """Return the time by this machine's clock: on a local disk it is the one that files are dated by."""
        return time.time()

    async def check_writes(self) -> None:
        """Find out nothing: the conditions are kept here, under locks."""

    async def close(self) -> None:
        """Let the threads finish what they have begun, unless the disk hangs."""
        await asyncio.gather(self._readers.close(_CLOSE_SECONDS), self._writers.close(_CLOSE_SECONDS))
        self._closed.set()

    def _path(self, key: str) -> Path:
        return self._root / check_key(key)

    async def _run(self, threads: Threads, work: Callable[[], _T], thing: str, seconds: float) -> _T:
        try:
            return await threads.run(work, thing, seconds)
        except TimeoutError as error:
            raise StoreUnavailable(f"{self._root} did not answer within {seconds:g} seconds.") from error
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            raise StoreUnavailable(f"{self._root} cannot be used: {error}.") from error

    def _prepare(self) -> None:
        """Make the folder a store, before the first write. Reading makes nothing."""
        self._check_mounted()
        if not self._prepared:
            for folder in (_LOCK_FOLDER, _TEMPORARY_FOLDER):
                (self._root / folder).mkdir(parents=True, exist_ok=True)
            _remove_abandoned(self._root / _TEMPORARY_FOLDER)
            self._seen = self._prepared = True

    def _read(self, path: Path) -> bytes | None:
        try:
            body = path.read_bytes()
        except FileNotFoundError:
            self._check_mounted()
            return None
        self._seen = self._seen or (self._root / _LOCK_FOLDER).is_dir()
        return body

    def _check_mounted(self) -> None:
        """Raise where the whole folder went away, as an unmounted disk does: then nothing is known to be absent."""
        if self._seen and not (self._root / _LOCK_FOLDER).is_dir():
            raise FileNotFoundError(f"the folder {self._root} is no longer a store")

    async def _write(self, key: str, body: bytes, allowed: _Precondition | None) -> str:
        path, number = self._path(key), _lock_of(key)
        deadline = time.monotonic() + _WRITE_SECONDS * _LOCK_PART

        def work() -> str:
            self._prepare()
            temporary = _write_temporary(self._root / _TEMPORARY_FOLDER, body)
            try:
                with self._locked(number, deadline):
                    if allowed is not None:
                        present = self._read(path)
                        if not allowed(None if present is None else _etag(present)):
                            raise Conflict(f"{key} is not what the writer believed it to be.")
                    _make_folder(path.parent)
                    temporary.replace(path)
                    _sync_folder(path.parent)
            finally:
                temporary.unlink(missing_ok=True)
            return _etag(body)

        return await self._run(self._writers, work, str(number), _WRITE_SECONDS)

    @contextmanager
    def _locked(self, number: int, deadline: float) -> Iterator[None]:
        """Hold a lock: first among the threads of this process, which need not look again and again."""
        mine, lock = self._mine[number], self._root / _LOCK_FOLDER / f"{number:02x}"
        if not mine.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise _held(lock)
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                pause = _FIRST_PAUSE
                while not _is_taken(descriptor):
                    if time.monotonic() >= deadline or self._closed.wait(pause):
                        raise _held(lock)
                    pause = min(2 * pause, _LONGEST_PAUSE)
                yield
            finally:
                os.close(descriptor)
        finally:
            mine.release()

    def _keys(self, prefix: str) -> list[str]:
        def note(error: OSError) -> None:
            is_object = folder_of_prefix != self._root and folder_of_prefix.is_file()
            if not isinstance(error, FileNotFoundError) and not is_object:
                raise error  # what cannot be read is not empty
            self._check_mounted()

        self._check_mounted()
        keys = []
        folder_of_prefix = self._root / prefix.rpartition("/")[0]
        for folder, below, files in os.walk(folder_of_prefix, onerror=note):
            below[:] = [name for name in below if not name.startswith(".")]
            relative = Path(folder).relative_to(self._root).as_posix()
            keys += [name if relative == "." else f"{relative}/{name}" for name in files]
        return sorted(key for key in keys if key.startswith(prefix) and is_key(key))

    def _describe(self, keys: list[str]) -> list[Listed]:
        described = []
        for key in keys:
            path = self._root / key
            body = self._read(path)
            if body is not None:
                with suppress(FileNotFoundError):
                    described.append(Listed(key, _etag(body), path.stat().st_mtime))
        return described


def _lock_of(key: str) -> int:
    return hashlib.sha256(key.encode()).digest()[0] % _LOCKS


def _held(lock: Path) -> StoreUnavailable:
    return StoreUnavailable(
        f"Another process holds {lock} and does not let go of it. It may have been stopped: let it go on, or end it."
    )


def _is_taken(descriptor: int) -> bool:
    """Take the lock, if nobody else has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _etag(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _write_temporary(folder: Path, body: bytes) -> Path:
    path = folder / uuid.uuid4().hex
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(descriptor)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_abandoned(folder: Path) -> None:
    """Remove what a killed writer left behind. Another process may be at the same, or the disk be read-only."""
    for path in folder.iterdir():
        with suppress(OSError):
            if path.stat().st_mtime < time.time() - _ABANDONED_AFTER:
                path.unlink()
