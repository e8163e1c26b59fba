"""Imports go only downward, the domain knows no outside, and every module says at its top what it is for.

The source is parsed, not imported: an import in a function or under TYPE_CHECKING counts like any other.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

_ROOT = "docsredirect"
_PACKAGE = Path(__file__).parent.parent / _ROOT

# What each part may import beside itself. `cli` starts the edge; the edge knows nothing of who started it.
_BELOW: dict[str, frozenset[str]] = {
    "domain": frozenset(),
    "store": frozenset({"domain"}),
    "cdn": frozenset({"domain"}),
    "formats": frozenset({"domain"}),
    "asking": frozenset({"domain"}),
    "service": frozenset({"domain", "store", "formats", "cdn"}),
    "edge": frozenset({"domain", "store", "formats", "service", "wire"}),
    "wire": frozenset(),
    # What counts and reports for the faces. `ops` shows it; the others feed it.
    "telemetry": frozenset({"domain", "store", "service"}),
    "ops": frozenset({"domain", "telemetry", "wire"}),
    "admin": frozenset({"domain", "store", "formats", "cdn", "service", "telemetry", "wire"}),
    "cli": frozenset({"domain", "store", "formats", "cdn", "asking", "service", "edge", "admin", "ops", "telemetry"}),
    "__main__": frozenset({"cli"}),
    "": frozenset(),
}

# All that the domain may import from outside. Nothing on it reads a file, a clock, the environment or a
# random number, and nothing that does belongs on it.
_PURE = frozenset({
    "array",
    "bisect",
    "collections",
    "dataclasses",
    "difflib",
    "enum",
    "functools",
    "hashlib",
    "ipaddress",
    "itertools",
    "json",
    "math",
    "msgspec",
    "operator",
    "re",
    "string",
    "types",
    "typing",
    "unicodedata",
    "zlib",
})  # fmt: skip


class Module(NamedTuple):
    """A module by its dotted name, whether it is a package's `__init__`, and its source."""

    name: str
    is_package: bool
    source: str


def part_of(dotted: str) -> str:
    """Return the part of the package that a dotted name lies in; the empty text for the package itself."""
    head = dotted.removeprefix(_ROOT).removeprefix(".").partition(".")[0]
    return "" if head == "__version__" else head


def imports(module: Module, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the line and the full dotted name of all that a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = origin_of(module, node)
            yield from ((node.lineno, f"{origin}.{alias.name}") for alias in node.names)


def origin_of(module: Module, node: ast.ImportFrom) -> str:
    """Return the absolute name of what stands between ``from`` and ``import``."""
    if not node.level:
        return node.module or ""
    up = node.level - module.is_package
    origin = module.name.rsplit(".", up)[0] if up else module.name
    return f"{origin}.{node.module}" if node.module else origin


def faults(module: Module) -> list[str]:
    """Return everything that `module` does and its place forbids, one sentence each."""
    part, tree = part_of(module.name), ast.parse(module.source)
    found = [] if ast.get_docstring(tree) else [f"{module.name}: has no docstring."]
    if part not in _BELOW:
        return [*found, f"{module.name}: lies in no part that this test knows; name it and its level here."]
    for line, name in imports(module, tree):
        if name.partition(".")[0] == _ROOT:
            if part_of(name) not in _BELOW[part] | {part, ""}:
                found.append(f"{module.name}:{line}: {part or _ROOT} may not import {name}.")
        elif part == "domain" and not _is_pure(name):
            found.append(f"{module.name}:{line}: {name} is not on the list of what the domain may import.")
    return found


def _is_pure(name: str) -> bool:
    return name.partition(".")[0] in _PURE


def modules() -> list[Module]:
    """Return every module of the package."""
    return [_module(path) for path in sorted(_PACKAGE.rglob("*.py"))]


def _module(path: Path) -> Module:
    parts = path.relative_to(_PACKAGE.parent).with_suffix("").parts
    is_package = parts[-1] == "__init__"
    name = ".".join(parts[:-1] if is_package else parts)
    return Module(name, is_package, path.read_text(encoding="utf-8"))


def test_every_module_keeps_its_place() -> None:
    """No module imports upward or sideways, and each has a docstring."""
    assert [fault for module in modules() for fault in faults(module)] == []


def test_every_folder_with_modules_is_a_package() -> None:
    """A folder says what lives in it: it has an `__init__.py`, whose docstring the test above asks for."""
    folders = {path.parent for path in _PACKAGE.rglob("*.py")}
    assert [str(folder) for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []


def test_the_whole_package_is_looked_at() -> None:
    """The tests above have something to say: they see the package, its parts, and modules in them."""
    assert {"docsredirect", "docsredirect.domain", "docsredirect.domain.resolve"} <= {
        module.name for module in modules()
    }


@pytest.mark.parametrize(
    ("name", "source", "fault"),
    [
        ("docsredirect.domain.x", "import docsredirect.store", "domain may not import docsredirect.store."),
        (
            "docsredirect.domain.x",
            "from docsredirect import edge",
            "domain may not import docsredirect.edge.",
        ),
        ("docsredirect.domain.x", "from ..store import a", "domain may not import docsredirect.store.a."),
        ("docsredirect.domain.x", "from .. import cli", "domain may not import docsredirect.cli."),
        (
            "docsredirect.domain.x",
            "def f():\n    import os",
            "docsredirect.domain.x:3: os is not on the list",
        ),
        ("docsredirect.domain.x", "from time import time", "time.time is not on the list"),
        ("docsredirect.domain.x", "from os import path", "os.path is not on the list"),
        ("docsredirect.domain.x", "import asyncio, re", "asyncio is not on the list"),
        ("docsredirect.domain.x", "if True:\n    import aiohttp.web", "aiohttp.web is not on the list"),
        (
            "docsredirect.store.x",
            "from docsredirect.formats import a",
            "store may not import docsredirect.form",
        ),
        (
            "docsredirect.formats.x",
            "from docsredirect import store",
            "formats may not import docsredirect.store",
        ),
        (
            "docsredirect.store.x",
            "from docsredirect.service.y import z",
            "store may not import docsredirect.ser",
        ),
        (
            "docsredirect.service.x",
            "from docsredirect.edge import a",
            "service may not import docsredirect.edge",
        ),
        ("docsredirect.edge.x", "from docsredirect.cli import a", "edge may not import docsredirect.cli.a."),
        (
            "docsredirect",
            "from docsredirect import domain",
            "docsredirect may not import docsredirect.domain.",
        ),
        ("docsredirect.utils", "", "docsredirect.utils: lies in no part that this test knows"),
    ],
)
def test_a_module_out_of_place_is_reported(name: str, source: str, fault: str) -> None:
    """Each kind of forbidden import gives one fault, which names the module and what it may not import."""
    (found,) = faults(Module(name, is_package=False, source=f'"""Says what it is for."""\n{source}\n'))
    assert fault in found


def test_a_relative_import_in_a_package_counts_from_that_package() -> None:
    """In an `__init__`, one dot is the package itself."""
    source = '"""Says what it is for."""\nfrom . import names\nfrom ..service import cache\n'
    assert faults(Module("docsredirect.store", is_package=True, source=source)) == [
        "docsredirect.store:3: store may not import docsredirect.service.cache.",
    ]


def test_a_missing_docstring_is_reported() -> None:
    """A comment at the top is no docstring."""
    assert faults(Module("docsredirect.domain.x", is_package=False, source="# Nothing.\n")) == [
        "docsredirect.domain.x: has no docstring.",
    ]


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("docsredirect.domain.x", "import collections.abc\nfrom docsredirect.domain import names"),
        ("docsredirect.store.x", "import os, docsredirect.domain.names"),
        ("docsredirect.service.x", "from docsredirect import __version__, domain, formats, store"),
        ("docsredirect.cli.x", "from docsredirect.edge import server"),
        ("docsredirect.__main__", "from docsredirect.cli import main"),
    ],
)
def test_a_module_in_its_place_is_not_reported(name: str, source: str) -> None:
    """Downward, within the same part, and outside where a part may: nothing to say."""
    assert faults(Module(name, is_package=False, source=f'"""Says what it is for."""\n{source}\n')) == []
