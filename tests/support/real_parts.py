"""The real programs that tests use: which there are, where they are, and what a test does without one.

A test says ``@pytest.mark.real_part("nginx")`` and starts ``real_parts.path_of("nginx")``. The list is
tests/real-parts.txt, which tests/install-real-parts.sh installs from. What comes from npm is a folder of node_modules,
and what ends in .so a module of Varnish.
"""

import json
import os
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

_LIST = Path(__file__).parent.parent / "real-parts.txt"
_NODE_MODULES = _LIST.parent.parent / "node_modules"
# Debian keeps servers where an ordinary user's PATH does not look.
_SERVER_FOLDERS = ("/usr/sbin", "/sbin")
_VARNISH_MODULES = "*/varnish/vmods"


class MissingRealPartError(LookupError):
    """The program is not installed, and the test did not say with its marker that it needs it."""


def packages() -> dict[str, str]:
    """Return the package of each program of the list: Debian's, or npm's with its version (``axe-core@4.14.1``)."""
    lines = (line.strip() for line in _LIST.read_text(encoding="utf-8").splitlines())
    entries = (line.partition(":") for line in lines if line and not line.startswith("#"))
    return {program: package for program, _, package in entries}


def find(program: str) -> str | None:
    """Return the path of a program of the list, or None where it is not installed.

    Raises `ValueError` for a program that the list does not name: nothing would ever install it.
    """
    if program not in packages():
        raise ValueError(f"{program!r} is not in tests/real-parts.txt: add a line with its package.")
    _, at, version = packages()[program].partition("@")
    if at:
        return _node_module(program, version)
    if program.endswith(".so"):
        return next(map(str, Path("/usr/lib").glob(f"{_VARNISH_MODULES}/{program}")), None)
    return shutil.which(program, path=os.pathsep.join((os.environ.get("PATH", ""), *_SERVER_FOLDERS)))


def _node_module(name: str, version: str) -> str | None:
    folder = _NODE_MODULES / name
    try:
        installed = json.loads((folder / "package.json").read_text(encoding="utf-8"))["version"]
    except FileNotFoundError:
        return None
    return str(folder) if installed == version else None


def how_to_install(package: str) -> str:
    """Return the command that installs a package of the list."""
    if "@" in package:
        return f"npm install --no-save --no-package-lock {package}"
    return f"apt-get install --no-install-recommends {package}"


def path_of(program: str) -> str:
    """Return the path of a program of the list, for a test that carries its marker."""
    path = find(program)
    if path is None:
        raise MissingRealPartError(f"{program} is not installed: mark the test with real_part({program!r}).")
    return path


class RealParts:
    """The pytest plugin: skips what cannot run here, or fails it where `required`, and tells at the end."""

    def __init__(self, *, required: bool) -> None:
        self._required = required
        self._held_back: Counter[str] = Counter()

    # First, so that no fixture starts a program that is not there.
    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Hold a test back for the first real part that it lacks."""
        for marker in item.iter_markers("real_part"):
            (program,) = marker.args
            if find(program) is None:
                self._held_back[program] += 1
                self._hold_back(program)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say which real parts are missing, and how many tests could not run for it."""
        terminalreporter.write_sep("=", "real parts")
        installed = {program: find(program) is not None for program in packages()}
        for line in self.summary(installed):
            terminalreporter.write_line(line)

    def summary(self, installed: Mapping[str, bool]) -> list[str]:
        """Return the closing lines, given for each program of the list whether it is `installed`."""
        verb = "failed" if self._required else "skipped"
        lacking = [program for program, there in installed.items() if not there]
        if not lacking:
            return ["all real parts present: " + ", ".join(installed)]
        return [
            f"missing: {program}; tests {verb} for it: {self._held_back[program]};"
            f" to install it: {how_to_install(packages()[program])}"
            for program in lacking
        ]

    def _hold_back(self, program: str) -> None:
        reason = f"needs the real program {program} (package {packages()[program]}), which is not installed"
        if self._required:
            pytest.fail(f"This test {reason}, and CI=true allows no skipping.", pytrace=False)
        pytest.skip(reason)
