"""`docsredirect set`, `delete` and `rollback`: one project changed through the admin API, never unseen.

What is shown before the question and what is written are bound together by the ETag: where somebody else came in
between, nothing is written.
"""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

import click
import msgspec

from docsredirect.admin.bodies import MAX_REVISION, DryRunBody, HistoryEntry, ProjectMeta, RecordState
from docsredirect.cli import shown, terminal
from docsredirect.cli.client import Client, Request, connected
from docsredirect.cli.exchange import Answer
from docsredirect.cli.parameters import (
    NOTHING_WRITTEN,
    PROJECT,
    agree,
    agree_by_name,
    author_headers,
    behalf_option,
    json_option,
    reason_option,
    yes_option,
)
from docsredirect.cli.projects import Current, history_of, read_project
from docsredirect.cli.refusals import Problem
from docsredirect.cli.wanted import DEFAULT_PATH, Wanted, changed, from_file, rules_of


class _Written(msgspec.Struct):
    """What every write answers with."""

    project: str
    meta: ProjectMeta
    target: str | None = None
    """None where the redirect was removed."""


@click.command("set", short_help="Create or change a project's redirect.")
@click.argument("project", type=PROJECT)
@click.argument("target", required=False)
@click.option("--path", type=click.Choice(["keep", "clean", "root"]), help="What becomes of the rest of the path.")
@click.option("--status", type=click.Choice(["301", "302", "307", "308"]), help="How it redirects.")
@click.option("--state", type=click.Choice(["active", "gone"]), help="gone: everything answers 410.")
@click.option("--rule", "rules", multiple=True, metavar="FROM=TO", help="A page or folder that leads elsewhere.")
@click.option("--gone-rule", "gone", multiple=True, metavar="FROM", help="A page or folder that answers 410.")
@click.option("--remove-rule", "removed", multiple=True, metavar="FROM", help="Take the rule for FROM out.")
@click.option("--no-rules", is_flag=True, help="Take all rules out; those of --rule and --gone-rule go in.")
@click.option(
    "--from", "file", type=click.File("rb"), metavar="FILE", help="A whole record as JSON; -: standard input."
)
@reason_option
@behalf_option
@click.option("--dry-run", is_flag=True, help="Write nothing; say what would change.")
@yes_option
@json_option
@terminal.failures_shown
def set_(project: str, target: str | None, file: IO[bytes] | None, **options: Any) -> None:
    """Create or change the redirect of PROJECT; options change only what they name.

    What would change is shown first, with what sample URLs answer now and then, and it is saved after a question. It
    is not saved where somebody else has changed the project since it was shown.

    A new project needs a TARGET; its --path is keep unless it is said. --rule is split at its first =; an empty FROM
    is the root page. A FROM that holds = itself, and another spelling of the name, come with --from. It holds all of
    the record: what it leaves out is no longer so.

    \b
      docsredirect set markdown https://python-markdown.github.io/ --path clean
      docsredirect set markdown --rule 'old-api/*=reference/*' --gone-rule 'private/*'
    """
    wanted = Wanted(
        target=target,
        path=options["path"],
        status=None if options["status"] is None else int(options["status"]),
        state=options["state"],
        rules=rules_of(options["rules"], options["gone"], options["removed"]),
        removed=options["removed"],
        no_rules=options["no_rules"],
    )
    if file is not None and wanted != Wanted():
        raise click.UsageError("--from brings the whole record. Leave out TARGET and the options that change one.")
    if wanted.no_rules and wanted.removed:
        raise click.UsageError("--no-rules takes all rules out: leave --remove-rule out.")
    whole = None if file is None else from_file(file, project)
    with connected() as client, _conflicts_shown(project):
        current = read_project(client, project)
        record = changed(_fields(current), project, wanted) if whole is None else whole
        if current.body is None and whole is None and wanted.path is None:
            click.echo(f"The path is {DEFAULT_PATH}, as --path does not say otherwise.", err=True)
        _set(client, current, record, options)


def _set(client: Client, current: Current, record: dict[str, Any], options: Mapping[str, Any]) -> None:
    as_json, dry_run = options["as_json"], options["dry_run"]
    answer = _dry_run(client, current, record)
    preview = answer.read(DryRunBody)
    if dry_run and as_json:
        terminal.write_json(answer.body)
    elif not preview.changes and current.body is not None:
        _say_unchanged(current, as_json=as_json)
    elif dry_run:
        shown.say([*_headline(current), *shown.preview(preview), f"Dry run. {NOTHING_WRITTEN}"])
    else:
        shown.say([*_headline(current), *shown.preview(preview)], err=True)
        agree("Save?", yes=options["yes"])
        headers = {**_seen(current), **author_headers(options["reason"], options["on_behalf_of"])}
        _say_saved(client.write("PUT", current.path, record, headers), as_json=as_json)


@click.command(short_help="Remove a project's redirect.")
@click.argument("project", type=PROJECT)
@reason_option
@behalf_option
@yes_option
@json_option
@terminal.failures_shown
def delete(project: str, reason: str | None, on_behalf_of: str | None, yes: bool, as_json: bool) -> None:
    """Remove the redirect of PROJECT: its URLs answer 404, as if there had never been one.

    It is shown first, and you are asked to type its name. Its history is kept: `docsredirect rollback` brings it
    back. To say that documentation was withdrawn (410), use `docsredirect set PROJECT --state gone` instead.

    \b
      docsredirect delete markdown --reason "asked for by its maintainers"
    """
    with connected() as client, _conflicts_shown(project):
        current = read_project(client, project)
        if current.body is None:
            raise click.ClickException(f"{project} has no redirect. There is nothing to remove.")
        shown.say(shown.project(current.body), err=True)
        agree_by_name(current.body.project, yes=yes)
        headers = {**_seen(current), **author_headers(reason, on_behalf_of)}
        _say_saved(client.write("DELETE", current.path, None, headers), as_json=as_json)


@click.command(short_help="Go back to a revision of a project.")
@click.argument("project", type=PROJECT)
@click.argument("revision", type=click.IntRange(1, MAX_REVISION))
@reason_option
@behalf_option
@yes_option
@json_option
@terminal.failures_shown
def rollback(project: str, revision: int, **options: Any) -> None:
    """Make PROJECT again what it was at REVISION, as a new revision; `docsredirect history` shows them.

    What would change is shown first, and done after a question. A project that was removed comes back, and one goes
    where it was removed at REVISION.

    \b
      docsredirect rollback markdown 3 --reason "the new host is not ready"
    """
    with connected() as client, _conflicts_shown(project):
        current = read_project(client, project)
        if current.etag is None:
            raise click.ClickException(f"{project} never had a redirect.")
        wanted = _revision(client, project, revision)
        present = None if current.body is None else msgspec.convert(_fields(current), RecordState)
        if wanted.after == present:
            click.echo(f"Nothing to change: {project} is what it was at revision {revision}.", err=options["as_json"])
            if options["as_json"]:
                terminal.write_json(current.json)
            return
        shown.say([*_headline(current), *_rollback_preview(client, current, wanted)], err=True)
        agree(f"Go back to revision {revision}?", yes=options["yes"])
        headers = {"If-Match": current.etag, **author_headers(options["reason"], options["on_behalf_of"])}
        answer = client.write("POST", f"{current.path}/rollback", {"revision": revision}, headers)
        _say_saved(answer, as_json=options["as_json"])


def _revision(client: Client, project: str, revision: int) -> HistoryEntry:
    for _, entry in history_of(client, project, below=revision + 1, limit=1):
        if entry.revision == revision:
            return entry
    raise click.ClickException(f"{project} has no revision {revision}. `docsredirect history {project}` shows them.")


def _rollback_preview(client: Client, current: Current, wanted: HistoryEntry) -> list[str]:
    if wanted.after is None:
        return ["  It had no redirect at that revision: it is removed."]
    record = msgspec.to_builtins(wanted.after)
    return list(shown.preview(_dry_run(client, current, record).read(DryRunBody)))


def _dry_run(client: Client, current: Current, record: dict[str, Any]) -> Answer:
    """Ask what a record would change of what was read, and what sample URLs would answer."""
    body = msgspec.json.encode(record)
    return client.send(Request("PUT", current.path, {"dry_run": "true"}, _seen(current), body))


def _seen(current: Current) -> dict[str, str]:
    """Return the precondition that the project still is what was read."""
    if current.body is None or current.etag is None:
        return {"If-None-Match": "*"}
    return {"If-Match": current.etag}


def _fields(current: Current) -> dict[str, Any] | None:
    if current.body is None:
        return None
    fields: dict[str, Any] = msgspec.json.decode(current.json)
    del fields["meta"]
    return fields


def _headline(current: Current) -> list[str]:
    if current.body is not None:
        return [f"{current.body.project}, now at revision {current.body.meta.revision}:"]
    return [f"{current.project}, which has no redirect now:"]


def _say_unchanged(current: Current, *, as_json: bool) -> None:
    if as_json or current.body is None:
        terminal.write_json(current.json)
    else:
        revision = current.body.meta.revision
        shown.say([f"Nothing to change: {current.body.project} is so already, since revision {revision} or before."])


def _say_saved(answer: Answer, *, as_json: bool) -> None:
    written = answer.read(_Written)
    if as_json:
        terminal.write_json(answer.body)
        return
    done = "removed" if written.target is None else "saved"
    published = "It is published." if written.meta.published else "It will be published shortly."
    shown.say([f"{written.project} is {done}, as revision {written.meta.revision}. {published}"])
    shown.say(shown.visible(written.meta))


@contextmanager
def _conflicts_shown(project: str) -> Iterator[None]:
    """Where the project is not what was shown any more, say what it is instead, and end."""
    try:
        yield
    except Problem as problem:
        if problem.code != "precondition-failed":
            raise
        lines = [f"{project} was changed by somebody since it was read. {NOTHING_WRITTEN} It is now:", ""]
        shown.say(
            [*lines, *shown.current(problem.body.current), "", "Look at it, then run the command again."], err=True
        )
        sys.exit(1)
