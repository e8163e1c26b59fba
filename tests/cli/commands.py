"""Running the command as a user does: in a process of its own, with nothing in its environment but what is said."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from click.testing import CliRunner, Result

from docsredirect.cli import main

REPOSITORY = Path(__file__).parents[2]
DATA = REPOSITORY / "tests" / "data"
CLEAN = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(REPOSITORY), "LC_ALL": "C.UTF-8"}

SIX = {"project": "six", "target": "https://six.example.org/", "path": "keep"}
DJANGO = {"project": "Django_Thing", "target": "https://django.example.org/x/", "path": "clean", "status": 308}


class Done(NamedTuple):
    """What a command came to. What it says to people is text; its data are bytes."""

    status: int
    out: bytes
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Standard output as JSON Lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def said(self) -> list[str]:
        """What was said to people: the lines of standard error that are not blank."""
        return [line for line in self.err.splitlines() if line]

    @property
    def json(self) -> Any:
        """Standard output as one JSON value."""
        return json.loads(self.out)


class Cli:
    """The command, with a store and a working folder of its own below `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = folder / "store"
        self.environment: dict[str, str] = {**CLEAN, "DOCSREDIRECT_STORE": str(self.store)}

    def words(self, *arguments: str | Path | bytes) -> list[str | bytes]:
        """Return the whole command line."""
        plain = [argument if isinstance(argument, bytes) else str(argument) for argument in arguments]
        return [sys.executable, "-m", "docsredirect", *plain]

    def __call__(
        self,
        *arguments: str | Path | bytes,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        fails: bool = False,
    ) -> Done:
        """Run the command. Whatever happens, nobody is shown a traceback; it fails only where `fails` says so."""
        done = subprocess.run(
            self.words(*arguments),
            input=stdin,
            env={**self.environment, **(env or {})},
            cwd=self.folder,
            capture_output=True,
            timeout=60,
            check=False,
        )
        err = done.stderr.decode()
        assert "Traceback" not in err, err
        assert (done.returncode != 0) == fails, err
        return Done(done.returncode, done.stdout, err)

    def file(self, name: str, *rows: Mapping[str, Any] | bytes) -> Path:
        """Write rows, or lines as they are, to a file in the working folder."""
        path = self.folder / name
        path.write_bytes(lines(rows))
        return path


def invoke(*words: str, env: Mapping[str, str] | None = None) -> Result:
    """Run the command in this process, which shows the same where neither streams nor processes matter."""
    return CliRunner().invoke(main, words, env={"COLUMNS": "200", **(env or {})}, prog_name="docsredirect")


def lines(rows: Iterable[Mapping[str, Any] | bytes]) -> bytes:
    """Return rows, or lines as they are, as JSON Lines."""
    return b"".join((row if isinstance(row, bytes) else json.dumps(row).encode()) + b"\n" for row in rows)


def tree(folder: Path) -> dict[str, tuple[bytes | None, int]]:
    """Return everything below a folder: the bytes of files, and when each was last changed in nanoseconds."""
    paths = [folder, *sorted(folder.rglob("*"))] if folder.exists() else []
    return {
        str(path.relative_to(folder)): (path.read_bytes() if path.is_file() else None, path.stat().st_mtime_ns)
        for path in paths
    }


def objects(folder: Path) -> dict[str, tuple[bytes | None, int]]:
    """Return the objects in a store's folder, without what the store keeps for itself."""
    return {
        name: state
        for name, state in tree(folder).items()
        if state[0] is not None and not name.startswith((".locks", ".tmp"))
    }
