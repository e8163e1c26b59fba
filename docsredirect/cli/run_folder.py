"""The run folder: where the processes of one `serve` count together, from its start to its end. No command of its own.

The parent removes it. Where all processes were killed at once nobody could, and the next `serve` does: a lock that the
kernel drops with the last process tells whether anybody is left.
"""

import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import structlog

from docsredirect.cli.parent import remove_folder

_PREFIX = "docsredirect-run-"
"""Nothing else of the service is called so: what is not held is removed, and ``docsredirect-data`` is a store."""

_MEMORY = "/dev/shm"  # noqa: S108 - Linux's own folder in memory

NOWHERE = "/proc/none/docsredirect"
"""Stands for the run folder where none can be made. Nothing is there, nor can be: each process counts for itself."""

YOUNG_SECONDS = 10.0
"""A folder in which something has changed since is left alone: its lock may not be taken yet."""

log = structlog.get_logger(__name__)


def make() -> str:
    """Make the run folder of this process and of what it becomes, and return its path; `NOWHERE`, with a warning,
    where none can be made: counting may not keep the service from its work.

    In memory where that can be had: a disk that hangs may not hold up an edge, and a container's own file system may
    be read-only.
    """
    problems = []
    for base in _places():
        try:
            folder = _make_in(base)
        except OSError as error:
            problems.append(f"{base}: {error.strerror}")
            continue
        _sweep(Path(folder).parent)
        return folder
    log.warning(
        "metrics and status stay empty, and ops is never ready",
        reason=f"there is no folder for what the processes count; {', '.join(problems)}",
        remedy="set TMPDIR to a folder that can be written to",
    )
    return NOWHERE


def _places() -> Iterator[str]:
    if wanted := os.environ.get("TMPDIR"):
        yield wanted
    yield _MEMORY
    with suppress(FileNotFoundError):  # it has tried all that there are
        yield tempfile.gettempdir()


def _make_in(base: str) -> str:
    folder = tempfile.mkdtemp(prefix=_PREFIX, dir=base)
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:  # a file system without locks
        os.close(lock)
        os.rmdir(folder)
        raise
    os.set_inheritable(lock, True)
    return folder


def _sweep(base: Path) -> None:
    """Remove the run folders of which no process is left."""
    now = time.time()
    for folder in base.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # somebody else's, or gone already
            if now - folder.stat().st_mtime > YOUNG_SECONDS and not _is_held(folder):
                remove_folder(str(folder))


def _is_held(folder: Path) -> bool:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
