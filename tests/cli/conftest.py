"""What the tests of the command line share."""

from pathlib import Path

import pytest

from tests.cli.commands import DJANGO, SIX, Cli


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """The command with an empty store of its own."""
    return Cli(tmp_path)


@pytest.fixture
def loaded(cli: Cli) -> Cli:
    """The command with a store that holds two projects."""
    cli("import", cli.file("first.jsonl", SIX, DJANGO))
    return cli
