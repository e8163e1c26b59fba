"""The deny file: projects that answer 410 at once, whatever the table says and however the store is.

One project a line, in any spelling; blank lines, and what follows a ``#``, are left out. A line that is no project is
reported and the rest holds. What was read last holds while the file cannot be read. Knows nothing of HTTP.
"""

import asyncio
import os
import stat
from collections.abc import Iterable
from typing import NamedTuple

import structlog

from docsredirect.domain import names

PAUSE_SECONDS = 0.2
"""Between two looks at the file: with the reading itself, a change is seen within half a second."""

FIRST_LOOK_SECONDS = 2.0
"""How long a start waits for the file. A disk that hangs must not keep the rest from being answered."""

MAX_BYTES = 64 * 1024 * 1024
"""The largest file that is read: half a million of the longest names. More is not a list of names."""

_SETTLING_LOOKS = 10
"""How often a file that has changed is read again although it looks the same: two writes within one tick of the
file system's clock (up to 10 ms; 2 s on FAT) leave the same size and times."""

_SHOWN_LINES = 20

log = structlog.get_logger(__name__)

_Signature = tuple[int, ...]


class Parsed(NamedTuple):
    """What a deny file says: the normalised names, and the numbers of the lines that are no names."""

    names: frozenset[str]
    refused: list[int]


class Denied:
    """The projects that `path` denies, as last read. Without a path it denies nothing and never looks."""

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._names: frozenset[str] = frozenset()
        self._text: bytes | None = None
        self._signature: _Signature | None = None
        self._looks_left = 0
        self._problem: str | None = None

    def __contains__(self, name: object) -> bool:
        return name in self._names

    async def begin(self) -> None:
        """Read the file for the first time; give up waiting where the disk does not answer."""
        try:
            async with asyncio.timeout(FIRST_LOOK_SECONDS):
                await self.look()
        except TimeoutError:
            self._report("it is not answered by the disk")

    async def follow(self) -> None:
        """Look at the file for ever. A fault of our own fails one look."""
        while self._path is not None:
            await asyncio.sleep(PAUSE_SECONDS)
            try:
                await self.look()
            except Exception:
                log.exception("look at the deny file broke off", file=self._path)

    async def look(self) -> None:
        """Take what the file says where it has changed. Never raises for what the file or the disk does."""
        if self._path is None:
            return
        try:
            signature = await asyncio.to_thread(_signature, self._path)
            if signature != self._signature:
                self._signature, self._looks_left = signature, _SETTLING_LOOKS
            if self._looks_left:
                self._looks_left -= 1
                await self._read(self._path)
        except OSError as error:
            self._signature = None
            self._report(error.strerror or str(error))
        else:
            self._report(None)

    async def _read(self, path: str) -> None:
        text = await asyncio.to_thread(_read, path)
        if text == self._text:
            return
        parsed = await asyncio.to_thread(parse, text.splitlines())
        self._text, self._names = text, parsed.names
        log.info("deny file read", file=path, projects=len(parsed.names))
        if parsed.refused:
            log.warning(
                "deny file has lines that are no project names",
                file=path,
                lines=parsed.refused[:_SHOWN_LINES],
                more=max(0, len(parsed.refused) - _SHOWN_LINES),
            )

    def _report(self, problem: str | None) -> None:
        """Report what keeps the file from being read once, and once that it can be read again."""
        if problem == self._problem:
            return
        if problem is not None:
            holds = "what was read last" if self._text is not None else "nothing is denied"
            log.warning("deny file cannot be read", file=self._path, reason=problem, holds=holds)
        else:
            log.info("deny file can be read again", file=self._path)
        self._problem = problem


def parse(lines: Iterable[bytes]) -> Parsed:
    """Return what the lines of a deny file say."""
    found: set[str] = set()
    refused = []
    for number, line in enumerate(lines, 1):
        text = line.partition(b"#")[0].removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace").strip()
        name = names.normalise(text) if text else None
        if name is not None:
            found.add(name)
        elif text:
            refused.append(number)
    return Parsed(frozenset(found), refused)


def _signature(path: str) -> _Signature:
    status = os.stat(path)
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _read(path: str) -> bytes:
    # Opening a pipe would wait for its other end.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("it is not a file")
        with open(descriptor, "rb", closefd=False) as file:
            text = file.read(MAX_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(text) > MAX_BYTES:
        raise OSError(f"it is larger than {MAX_BYTES} bytes")
    return text
