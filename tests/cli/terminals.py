"""A command on a terminal of its own: what it shows there, and what it is told."""

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.cli.commands import Cli

_ON_ITS_OWN = "import os, sys; os.login_tty(0); os.execv(sys.argv[1], sys.argv[1:])"
"""Makes the terminal the command's own, so that Ctrl-C there reaches it."""


class Shown(NamedTuple):
    """What a command came to, and all that was on its terminal."""

    status: int
    text: str


def on_terminal(
    cli: Cli,
    *words: str | Path,
    env: Mapping[str, str],
    reply: str,
    asks: str = "",
    meanwhile: Callable[[], object] = lambda: None,
) -> Shown:
    """Run a command on a terminal. Once it shows `asks`, do what happens `meanwhile`, then type `reply`."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", _ON_ITS_OWN, *cli.words(*words)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**cli.environment, **env, "TERM": "xterm", "COLUMNS": "200"},
        cwd=cli.folder,
    )
    os.close(theirs)
    try:
        seen = _read(ours, asks)
        if asks:
            assert asks in seen, seen
            meanwhile()
            time.sleep(0.2)  # Python misses a Ctrl-C that comes in the moment before it reads; no person is so fast
            os.write(ours, reply.encode())
            seen += _read(ours, "")
        return Shown(process.wait(30), seen)
    finally:
        os.close(ours)
        process.kill()
        process.wait()


def _read(terminal: int, until: str) -> str:
    """Read to where `until` is shown; without it, to the end."""
    seen, deadline = b"", time.monotonic() + 30
    while time.monotonic() < deadline and not (until and until in seen.decode("utf-8", "replace")):
        if not select.select([terminal], [], [], 0.1)[0]:
            continue
        try:
            piece = os.read(terminal, 65_536)
        except OSError:  # Linux says so where the other side is closed
            break
        if not piece:
            break
        seen += piece
    return seen.decode("utf-8", "replace").replace("\r\n", "\n")
