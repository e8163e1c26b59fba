"""What the tests of the command line share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.commands import DJANGO, SIX, Cli
from tests.cli.servers import TOKEN, admin_side
from tests.support.stores import FakeStore


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """The command with an empty store of its own."""
    return Cli(tmp_path)


@pytest.fixture
def loaded(cli: Cli) -> Cli:
    """The command with a store that holds two projects."""
    cli("import", cli.file("first.jsonl", SIX, DJANGO))
    return cli


@pytest.fixture
def side() -> Iterator[dict[str, str]]:
    """A running admin side with an empty store, as the settings of those who may do everything there."""
    with admin_side(FakeStore(), DOCSREDIRECT_RETRY_AFTER="1") as url:
        yield {"DOCSREDIRECT_URL": url, "DOCSREDIRECT_TOKEN": TOKEN}
