"""The run folder: where the processes of one `serve` count together, from its start to its end. No command of its own.

The parent removes it. Where all processes were killed at once nobody could, and the next `serve` does: a lock that the
kernel drops with the last process tells whether anybody is left.
"""

import fcntl
import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from docsredirect.cli.parent import remove_folder
from docsredirect.cli.terminal import WrongUse

_PREFIX = "docsredirect-"
_MEMORY = "/dev/shm"  # noqa: S108 - Linux's own folder in memory

YOUNG_SECONDS = 10.0
"""A folder in which something has changed since is left alone: its lock may not be taken yet."""


def make() -> str:
    """Make the run folder of this process and of what it becomes, and return its path. Raises `WrongUse`.

    In memory where that can be had: a disk that hangs may not hold up an edge, and a container's own file system may
    be read-only.
    """
    base = os.environ.get("TMPDIR") or (_MEMORY if os.access(_MEMORY, os.W_OK | os.X_OK) else None)
    try:
        folder = tempfile.mkdtemp(prefix=_PREFIX, dir=base)
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        os.set_inheritable(lock, True)
    except OSError as error:
        where = f" in {base}" if base else ""
        raise WrongUse(
            f"No folder for what the processes count can be made{where}: {error.strerror}. "
            "Set TMPDIR to a folder that can be written to."
        ) from error
    _sweep(Path(folder).parent)
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
