"""`docsredirect token` and `docsredirect invite`: who may write, given out and taken back through the admin API.

A secret is printed alone on standard output, once; all other words go to standard error.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import click
import msgspec

from docsredirect.admin.bodies import DEFAULT_HOURS, MAX_HOURS, InvitationBody, NewTokenBody, TokenBody, TokensBody
from docsredirect.cli import shown, terminal
from docsredirect.cli.client import Request, connected
from docsredirect.cli.exchange import Answer, NotOurs
from docsredirect.cli.parameters import PROJECT, Words, json_option
from docsredirect.domain import tokens

PAGE = 1_000
_MAX_DAYS = 36_500
_LINK = re.compile(r"https?://[!-~]+")


class Expiry(click.ParamType[datetime]):
    """When a token ends: in so many days, or on a date."""

    name = "days or date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the time. A date is its beginning, in UTC."""
        if isinstance(value, datetime):
            return value
        now = datetime.now(UTC)
        if re.fullmatch(r"[0-9]{1,5}", value) and 1 <= int(value) <= _MAX_DAYS:
            return (now + timedelta(days=int(value))).replace(microsecond=0)
        try:
            time = datetime.fromisoformat(value)
        except ValueError:
            time = now
        time = time if time.tzinfo is not None else time.replace(tzinfo=UTC)
        if time <= now:
            self.fail(
                f"{value!r} is neither days, 1 to {_MAX_DAYS}, nor a date to come, such as 2031-01-31.", param, ctx
            )
        return time


class TokenId(click.ParamType[str]):
    """The id of a token. It is taken out of a whole token too: the rest is a secret, and is not sent or shown."""

    name = "id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the id."""
        whole = tokens.parse(value)
        id_ = value if whole is None else whole.id
        if not tokens.is_id(id_):
            self.fail("An id has 12 letters and digits: of drd_ID_SECRET it is the middle.", param, ctx)
        return str(id_)


label_option = click.option(
    "--label", type=Words(tokens.MAX_LABEL), metavar="TEXT", help="Whose it is: histories show it."
)


@click.group(short_help="Make, list and revoke tokens.")
def token() -> None:
    """Make, list and revoke the tokens that writing takes. For administrators.

    \b
      docsredirect token create --project markdown --label "the maintainers of Markdown"
      docsredirect token list
    """


@token.command(short_help="Make a token and print it, once.")
@click.option("--admin", is_flag=True, help="It may do everything.")
@click.option("--project", "projects", type=PROJECT, multiple=True, metavar="NAME", help="It may write this project.")
@click.option("--expires", type=Expiry(), metavar="DAYS|DATE", help="When it ends; after 90 days unless it is said.")
@label_option
@json_option
@terminal.failures_shown
def create(admin: bool, projects: tuple[str, ...], expires: datetime | None, label: str | None, as_json: bool) -> None:
    """Make a token and print it on standard output, alone. It is shown this once, and kept nowhere.

    --project may be given several times; the projects need not exist yet. A DATE is its beginning, in UTC.

    \b
      docsredirect token create --project markdown --expires 365 --label "Markdown's CI"
    """
    if admin == bool(projects):
        raise click.UsageError("Say what it may write: --admin, or one or more --project NAME.")
    wanted: dict[str, Any] = {"scope": "admin" if admin else list(projects), "expires": expires, "label": label or None}
    answer = _make("/tokens", wanted)
    made = answer.read(NewTokenBody)
    if tokens.parse(made.token) is None:
        raise NotOurs(answer.url, "sent a token that is none")
    scope = "everything" if made.scope == "admin" else ", ".join(made.scope)
    shown.say([f"Token {made.id} for {scope}, until {shown.moment(made.expires)}. It is shown this once."], err=True)
    _give_out(made.token, answer, as_json=as_json)


@token.command("list", short_help="List tokens and invitations.")
@click.option("--json", "as_json", is_flag=True, help='Print one JSON object, {"tokens": [...]}.')
@terminal.failures_shown
def list_tokens(as_json: bool) -> None:
    """List all tokens and invitations, without their secrets, and which of them are still good.

    Where standard output is no terminal, the columns are separated by tabs.

    \b
      docsredirect token list
    """
    with connected() as client:
        found = [each for answer in client.pages("/tokens", {}, PAGE) for each in answer.read(TokensBody).tokens]
    if as_json:
        terminal.write_json(msgspec.json.encode(TokensBody(found)) + b"\n")
        return
    now = datetime.now(UTC)
    shown.table(
        ("id", "kind", "may write", "label", "state", "expires", "last used"), (_row(each, now) for each in found)
    )
    if not found:
        click.echo("No token was given out yet. `docsredirect token create` makes one.", err=True)


@token.command(short_help="Take a token or an invitation back.")
@click.argument("id", type=TokenId())
@json_option
@terminal.failures_shown
def revoke(id: str, as_json: bool) -> None:  # noqa: A002 - the name that its usage shows
    """Take back the token or invitation ID, which `docsredirect token list` shows. It ends within seconds.

    \b
      docsredirect token revoke 4mYxq0Zk81Pd
    """
    with connected() as client:
        answer = client.send(Request("DELETE", f"/tokens/{id}"))
    revoked = answer.read(TokenBody)
    if as_json:
        terminal.write_json(answer.body)
    else:
        shown.say([f"The {revoked.kind} {revoked.id} is revoked."])


@click.command(short_help="Print a link that lets a maintainer in.")
@click.argument("project", type=PROJECT)
@click.option("--hours", type=click.IntRange(1, MAX_HOURS), default=DEFAULT_HOURS, show_default=True,
              help="How long it can be taken up.")  # fmt: skip
@label_option
@json_option
@terminal.failures_shown
def invite(project: str, hours: int, label: str | None, as_json: bool) -> None:
    """Make a link that lets one person in, once, to say where PROJECT's documentation lives, and print it.

    Send it as the answer to a maintainer's ticket. Whoever opens it first can take it up. For administrators.

    \b
      docsredirect invite markdown --hours 24 --label "ticket 1234"
    """
    answer = _make("/invitations", {"project": project, "hours": hours, "label": label or None})
    made = answer.read(InvitationBody)
    if not _LINK.fullmatch(made.link):
        raise NotOurs(answer.url, "sent a link that is none")
    words = f"Invitation {made.id} for {made.project}, to be taken up once, until {shown.moment(made.expires)}."
    shown.say([words], err=True)
    _give_out(made.link, answer, as_json=as_json)


def _make(path: str, wanted: dict[str, Any]) -> Answer:
    """Ask for something that is made anew with every request."""
    with connected() as client:
        return client.send(Request("POST", path, body=msgspec.json.encode(wanted), repeatable=False))


def _give_out(secret: str, answer: Answer, *, as_json: bool) -> None:
    if as_json:
        terminal.write_json(answer.body)
    else:
        terminal.write_out(secret.encode() + b"\n")


def _row(each: TokenBody, now: datetime) -> tuple[str, ...]:
    scope = "everything" if each.scope == "admin" else ", ".join(each.scope)
    used = "" if each.last_used is None else shown.moment(each.last_used)
    return each.id, each.kind, scope, each.label or "", _state(each, now), shown.moment(each.expires), used


def _state(each: TokenBody, now: datetime) -> str:
    if each.revoked is not None:
        return "revoked"
    if each.used is not None:
        return "used"
    return "expired" if each.expires <= now else "good"
