"""Every setting, command and make target is documented, and what is documented exists."""

import re
from pathlib import Path

import click
import pytest

from docsredirect import __version__
from docsredirect.cli import main
from docsredirect.domain.settings import SETTINGS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_setting_is_in_the_readme_with_its_default() -> None:
    """The table of settings has exactly the variables that exist, and their defaults."""
    rows = dict(re.findall(r"^\| `(DOCSREDIRECT_\w+)` \| (?:`([^`]*)`)? ?\|", README, re.MULTILINE))
    assert rows == {setting.variable: setting.default for setting in SETTINGS}


def test_every_command_is_in_the_readme() -> None:
    """The table of commands has exactly the commands that exist."""
    context = click.Context(main)
    assert re.findall(r"^\| `docsredirect (\w+)` \|", README, re.MULTILINE) == main.list_commands(context)


@pytest.mark.parametrize("name", main.list_commands(click.Context(main)))
def test_every_command_and_option_has_help(name: str) -> None:
    """A command says in a sentence what it does, and each option what it is for."""
    command = main.get_command(click.Context(main), name)
    assert command is not None
    assert (command.help or "").split("\n")[0].rstrip(".:")
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    assert all(option.help for option in options)


def test_every_make_target_is_in_the_readme() -> None:
    """The targets in the README are targets of the Makefile."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    assert set(re.findall(r"`make (\w+)`", README)) <= targets


def test_the_changelog_knows_the_version() -> None:
    """What is released, or about to be, has an entry."""
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "## Unreleased" in changelog or f"## {__version__}" in changelog
