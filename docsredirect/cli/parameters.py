"""Arguments and options that several commands take, and the questions that they ask."""

import sys
from typing import Any

import click

from docsredirect.cli.terminal import WrongUse, printable
from docsredirect.domain import names
from docsredirect.domain.errors import shorten

MAX_REASON = 1_000
MAX_BEHALF = 200
"""In characters: what the API takes."""

NOTHING_WRITTEN = "Nothing was written."


class ProjectName(click.ParamType[str]):
    """A project's name, in any spelling."""

    name = "project"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name as it was typed."""
        if names.normalise(value) is None:
            self.fail(f"{shorten(value)} is not a project name (PEP 508).", param, ctx)
        return str(value)


class Words(click.ParamType[str]):
    """One line of at most so many characters."""

    name = "text"

    def __init__(self, limit: int) -> None:
        self._limit = limit

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the words without blanks around them."""
        words = str(value).strip()
        if len(words) > self._limit or not words.isprintable():
            self.fail(f"{shorten(words)} is not one line of at most {self._limit} characters.", param, ctx)
        return words


PROJECT = ProjectName()

reason_option = click.option("--reason", type=Words(MAX_REASON), metavar="TEXT", help="Why, for the history.")
behalf_option = click.option(
    "--on-behalf-of", type=Words(MAX_BEHALF), metavar="NAME", help="For whom, for the history; administrators only."
)
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print what the API answers, as JSON.")


def author_headers(reason: str | None, on_behalf_of: str | None) -> dict[str, str]:
    """Return the headers that say for the history why a change is made, and for whom."""
    given = {"X-Reason": reason, "On-Behalf-Of": on_behalf_of}
    return {header: words for header, words in given.items() if words}


def agree(question: str, *, yes: bool) -> None:
    """Ask a person, and return where he agrees, or `yes` says so. Raises `ClickException`, or `WrongUse` where there
    is no terminal to ask on."""
    if yes:
        return
    _need_terminal()
    try:
        agreed = click.confirm(question, err=True)
    except click.Abort:
        agreed = False
    if not agreed:
        raise click.ClickException(NOTHING_WRITTEN)


def agree_by_name(project: str, *, yes: bool) -> None:
    """Ask a person to type a project's name, and return where he does, or `yes` says so. Raises as `agree` does."""
    if yes:
        return
    _need_terminal()
    try:
        typed = click.prompt(
            f"Type {printable(project)} to remove its redirect", default="", show_default=False, err=True
        )
    except click.Abort:
        typed = ""
    if names.normalise(typed.strip()) != names.normalise(project):
        raise click.ClickException(NOTHING_WRITTEN)


def _need_terminal() -> None:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise WrongUse(f"There is no terminal to ask on. {NOTHING_WRITTEN} Say --yes if this is meant.")
