"""`docsredirect get`, `list` and `history`: what there is, read through the admin API. Changes nothing."""

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

import click
import msgspec
from msgspec import UNSET

from docsredirect.admin.bodies import HistoryEntry, ListedProject, ProjectBody
from docsredirect.cli import shown, terminal
from docsredirect.cli.client import Client, connected
from docsredirect.cli.exchange import Answer, NotOurs
from docsredirect.cli.parameters import PROJECT, json_option
from docsredirect.cli.refusals import Problem

PAGE = 1_000
HISTORY_PAGE = 100
"""Items of a list, and entries of a history, that are asked for at once: the most that the API gives."""

_ETAG = re.compile(r'"[!#-~]{1,200}"')


class Current(NamedTuple):
    """A project as it was read. `body` is None where there is no redirect; then `etag` is a tombstone's, or None."""

    project: str
    """As it was typed."""
    body: ProjectBody | None
    json: bytes
    etag: str | None

    @property
    def path(self) -> str:
        """Where it is, below the API's root."""
        return path_of(self.project)


class _Projects(msgspec.Struct):
    projects: list[msgspec.Raw]


class _History(msgspec.Struct):
    history: list[msgspec.Raw]


def path_of(project: str) -> str:
    """Return where a project is, below the API's root. A legal name needs no escapes."""
    return f"/projects/{project}"


def read_project(client: Client, project: str) -> Current:
    """Return a project as it is now. Raises as the client does, but not where there is none."""
    try:
        answer = client.get(path_of(project))
    except Problem as problem:
        if problem.code != "no-such-project":
            raise
        return Current(project, None, b"", _usable(problem.etag))
    body = answer.read(ProjectBody)
    etag = _usable(answer.etag)
    if etag is None:
        raise NotOurs(answer.url, "sent a project without an ETag that can be sent back")
    return Current(project, body, answer.body, etag)


def _usable(etag: str | None) -> str | None:
    return etag if etag is not None and _ETAG.fullmatch(etag) else None


@click.command(short_help="Show a project's redirect.")
@click.argument("project", type=PROJECT)
@json_option
@terminal.failures_shown
def get(project: str, as_json: bool) -> None:
    """Show the redirect of PROJECT, in any spelling, and its last change.

    It is asked of the admin side at DOCSREDIRECT_URL, with DOCSREDIRECT_TOKEN.

    \b
      docsredirect get markdown
    """
    with connected() as client:
        answer = client.get(path_of(project))
        body = answer.read(ProjectBody)
    if as_json:
        terminal.write_json(answer.body)
    else:
        shown.say(shown.project(body))


@click.command("list", short_help="List projects.")
@click.option("--q", metavar="TEXT", help="Only those with this in their name, in any spelling, or in their target.")
@click.option("--state", type=click.Choice(["active", "gone", "removed"]), help="Only those in this state.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help='Print one JSON object, {"projects": [...]}.')
@terminal.failures_shown
def list_(q: str | None, state: str | None, limit: int | None, as_json: bool) -> None:
    """List the published projects by name: name, state, path and target.

    Where standard output is no terminal, the columns are separated by tabs. Projects that were removed are listed
    with --state removed only.

    \b
      docsredirect list --q readthedocs --limit 20
    """
    query = {name: value for name, value in (("q", q), ("state", state)) if value}
    with connected() as client:
        pages = client.pages("/projects", query, min(limit or PAGE, PAGE))
        found = islice((each for answer in pages for each in _page(answer)), limit)
        if as_json:
            _write_list("projects", (raw for raw, _ in found))
            return
        count = 0

        def rows() -> Iterator[tuple[str, ...]]:
            nonlocal count
            for _, each in found:
                count += 1
                target = "" if each.target is UNSET else each.target
                yield each.project, each.state, "" if each.path is UNSET else each.path, target

        shown.table(("name", "state", "path", "target"), rows())
    if not count:
        click.echo(_nothing_listed(filtered=bool(query)), err=True)


def _page(answer: Answer) -> Iterator[tuple[msgspec.Raw, ListedProject]]:
    for raw in answer.read(_Projects).projects:
        yield raw, answer.read_part(raw, ListedProject)


def _nothing_listed(*, filtered: bool) -> str:
    if filtered:
        return "No project is like that. `docsredirect list` without options lists all that have a redirect."
    return "There are no redirects yet. `docsredirect set PROJECT TARGET` makes one, `docsredirect import` many."


def history_of(
    client: Client, project: str, *, below: int | None = None, limit: int | None = None
) -> Iterator[tuple[msgspec.Raw, HistoryEntry]]:
    """Give the entries of a project's history, newest first, at most `limit`, with revisions under `below`."""
    query = {} if below is None else {"cursor": str(below)}
    pages = client.pages(f"{path_of(project)}/history", query, min(limit or HISTORY_PAGE, HISTORY_PAGE))
    entries = ((raw, answer.read_part(raw, HistoryEntry)) for answer in pages for raw in answer.read(_History).history)
    return islice(entries, limit)


@click.command(short_help="Show who changed a project, when and why.")
@click.argument("project", type=PROJECT)
@click.option("--limit", type=click.IntRange(1), metavar="N", help="At most so many revisions.")
@click.option("--json", "as_json", is_flag=True, help='Print one JSON object, {"history": [...]}.')
@terminal.failures_shown
def history(project: str, limit: int | None, as_json: bool) -> None:
    """Show the revisions of PROJECT, newest first: when, by whom, why, and what each changed.

    The history of a project that was removed is kept. `docsredirect rollback` goes back to a revision.

    \b
      docsredirect history markdown --limit 5
    """
    with connected() as client:
        entries = history_of(client, project, limit=limit)
        if as_json:
            _write_list("history", (raw for raw, _ in entries))
            return
        for number, (_, each) in enumerate(entries):
            shown.say(["", *shown.entry(each)] if number else shown.entry(each))


def _write_list(name: str, items: Iterable[msgspec.Raw]) -> None:
    """Write one JSON object with a list that comes page by page."""
    write = terminal.write_json
    opened = False
    for item in items:
        write(b",\n" if opened else b'{"%s": [\n' % name.encode())
        write(bytes(item))
        opened = True
    write(b"\n]}\n" if opened else b'{"%s": []}\n' % name.encode())
