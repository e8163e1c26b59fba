"""Every setting, command and make target is documented, and what is documented exists."""

import re
from pathlib import Path

import click
import pytest

from docsredirect import __version__
from docsredirect.admin.problems import PROBLEMS
from docsredirect.cli import main
from docsredirect.domain import reserved
from docsredirect.domain.settings import SETTINGS
from docsredirect.telemetry.metrics import Metrics

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
    """The README has exactly the targets of the Makefile."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    assert set(re.findall(r"^\| `make (\w+)` \|", README, re.MULTILINE)) == targets


def test_every_path_of_the_service_itself_is_in_the_readme() -> None:
    """The paths that are not projects are documented."""
    paths = re.findall(r"^\| (`/[^|]*) \|", README, re.MULTILINE)
    documented = set(re.findall(r"`(/[^`]*)`", " ".join(paths)))
    expected = {path for path, page in reserved._EXACT.items() if page is not reserved.Page.SERVICE}
    assert documented == expected | {"/-/health/live", "/-/health/ready"}


def test_every_make_target_says_what_it_is_for() -> None:
    """`make help` lists every target."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE)) == set(
        re.findall(r"^([a-z]+):.*## .+$", makefile, re.MULTILINE)
    )


def test_the_changelog_has_an_entry_for_what_is_next_or_for_this_version() -> None:
    """An "Unreleased" that is empty, or a released version without an entry, fails."""
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    entry = re.search(
        rf"^## (?:Unreleased|\[?{re.escape(__version__)}.*)\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL
    )
    assert entry is not None
    assert "- " in entry.group(1)


RUNBOOK = (ROOT / "deploy" / "README.md").read_text(encoding="utf-8")


def test_every_metric_is_in_the_runbook() -> None:
    """The table of metrics has exactly those that exist, and says what to do about each."""
    rows = re.findall(r"^\| `(docsredirect_\w+)` \| ([^|]+) \| ([^|]+) \|$", RUNBOOK, re.MULTILINE)
    exist = {family.name + ("_total" if family.type == "counter" else "") for family in Metrics().registry.collect()}
    assert {name for name, _, _ in rows} == exist
    assert all(meaning.strip() and remedy.strip() for _, meaning, remedy in rows)


def test_every_problem_is_in_the_runbook() -> None:
    """Every problem of the API is in the operators' table."""
    table = RUNBOOK.split("### Problems of the API")[1].split("### ")[0]
    named = {
        code for row in re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE) for code in re.findall(r"`([\w-]+)`", row)
    }
    assert named == {problem.code for problem in PROBLEMS}


def test_alerts_name_metrics_that_exist() -> None:
    """An alert on a metric, or a label's value, that nobody feeds would never fire."""
    known = set(re.findall(r"`(docsredirect_\w+)`", RUNBOOK))
    assert set(re.findall(r"\b(docsredirect_\w+)[{\[ )]", RUNBOOK)) <= known
