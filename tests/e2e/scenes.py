"""Every page of both sides, in each of its states: how it comes about. What holds for all pages is tried on these, and
the pictures of the README are taken of them."""

import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from docsredirect.telemetry import files
from docsredirect.telemetry.board import Board, ProcessState
from tests.e2e.browser import Person
from tests.e2e.site import Site, record

TARGET = "Where the documentation is now"

MARKDOWN = record(
    "Markdown",
    "https://python-markdown.github.io/",
    path="clean",
    rules={"siteindex.html": "sitemap/", "old-api/*": "reference/*", "private/*": None},
)


class Scene(NamedTuple):
    """A page in a state: its name, and how a person gets to see it."""

    name: str
    play: Callable[[Site, Person], Awaitable[object]]


SCENES: list[Scene] = []


def scene(play: Callable[[Site, Person], Awaitable[object]]) -> Callable[[Site, Person], Awaitable[object]]:
    """Put a function among the scenes, under its own name."""
    SCENES.append(Scene(play.__name__.replace("_", "-"), play))
    return play


async def fill(site: Site) -> None:
    """Put a few redirects into the store, with a history, and tokens."""
    await site.put({**MARKDOWN, "path": "keep", "rules": {}}, reason="from redirects.txt")
    await site.put(MARKDOWN, reason="the site map has moved")
    await site.put(record("pyenchant", "https://pyenchant.github.io/pyenchant/"))
    await site.put(record("six", "http://six.example.org/docs/"))
    await site.put(record("zope.interface", "https://zopeinterface.readthedocs.io/en/latest/", state="gone"))
    await site.put(record("oldname", "https://oldname.example.org/"))
    await site.admin.ask("DELETE", "projects/oldname", headers={"If-Match": "*", "X-Reason": "merged into newname"})
    await site.admin.new_token(["markdown", "pymdown-extensions"], label="release machine")
    await site.invite("six", label="Benjamin")


async def _own(site: Site, person: Person, *projects: str) -> None:
    await fill(site)
    await site.maintainer(person, *(projects or ("markdown",)))


async def _admin(site: Site, person: Person, path: str) -> None:
    await fill(site)
    await site.signed_in(person)
    await person.open(site.page(path))


@scene
async def sign_in(site: Site, person: Person) -> None:
    """Signing in with a token."""
    await person.open(site.page("/sign-in"))


@scene
async def sign_in_refused(site: Site, person: Person) -> None:
    """A token that is not known."""
    await person.open(site.page("/sign-in"))
    await person.type("Token", "drd_000000000000_00000000000000000000000000000000")
    await person.click("Sign in")
    await person.page.get_by_role("alert").wait_for()


@scene
async def invitation(site: Site, person: Person) -> None:
    """An invitation, before it is taken up."""
    await person.open(await site.invite("Markdown", label="Waylan"))


@scene
async def invitation_spent(site: Site, person: Person) -> None:
    """An invitation that somebody has used."""
    link = await site.invite("Markdown")
    await site.admin.ask("POST", link.removeprefix(site.origin), token=None)
    await person.open(link)


@scene
async def projects_empty(site: Site, person: Person) -> None:
    """The list of an administrator before there is any redirect."""
    await site.signed_in(person)
    await person.open(site.page("/"))


@scene
async def projects_own(site: Site, person: Person) -> None:
    """The list of a maintainer: one project with a redirect, and one without."""
    await _own(site, person, "markdown", "pymdown-extensions")
    await person.open(site.page("/"))


@scene
async def projects(site: Site, person: Person) -> None:
    """The list of an administrator."""
    await _admin(site, person, "/")


@scene
async def projects_not_found(site: Site, person: Person) -> None:
    """A search that finds nothing."""
    await _admin(site, person, "/?q=Nothing.Here")


@scene
async def projects_misnamed(site: Site, person: Person) -> None:
    """Opening what is no project's name."""
    await _admin(site, person, "/?open=no+name")


@scene
async def project_new(site: Site, person: Person) -> None:
    """A project without a redirect."""
    await site.maintainer(person, "markdown")
    await person.open(site.page("/projects/markdown"))


@scene
async def project(site: Site, person: Person) -> None:
    """A project with a redirect, rules and a history."""
    await _own(site, person)
    await person.open(site.page("/projects/markdown"))


@scene
async def project_live(site: Site, person: Person) -> None:
    """A preview that the script has brought while somebody types."""
    await site.maintainer(person, "markdown")
    await person.open(site.page("/projects/markdown"))
    await person.type(TARGET, "http://markdown.readthedocs.io/")
    await person.page.get_by_role("button", name="Use https").wait_for()
    await person.page.get_by_role("cell", name="objects.inv").first.wait_for()


@scene
async def project_preview(site: Site, person: Person) -> None:
    """A preview, with old links of one's own."""
    await _own(site, person)
    await person.open(site.page("/projects/markdown"))
    await person.type(TARGET, "https://python-markdown.readthedocs.io/en/stable/")
    await person.type("Old links, one a line", "siteindex.html\nold-api/core.html\nprivate/notes.html")
    await person.click("Preview")
    await person.page.get_by_role("table").first.wait_for()


@scene
async def project_faults(site: Site, person: Person) -> None:
    """A form with faults in most of its fields."""
    await _own(site, person)
    await person.open(site.page("/projects/markdown"))
    await person.type(TARGET, "https://localhost/")
    await person.type("Old page, rule 1", "../up.html")
    await person.type("New place, rule 2", "")
    await person.page.get_by_text("Paste many at once").click()
    await person.type("More rules", "one\ntwo three four")
    await person.click("Save")
    await person.page.get_by_role("alert").first.wait_for()


@scene
async def project_conflict(site: Site, person: Person) -> None:
    """Two versions side by side."""
    await _own(site, person)
    await person.open(site.page("/projects/markdown"))
    await person.type(TARGET, "https://mine.example.org/")
    await site.put({**MARKDOWN, "target": "https://theirs.example.org/"}, reason="moved")
    await person.click("Save")
    await person.page.get_by_role("button", name="Use mine", exact=True).wait_for()


@scene
async def project_saved(site: Site, person: Person) -> None:
    """What stands after saving."""
    await _own(site, person)
    await person.open(site.page("/projects/markdown"))
    await person.type(TARGET, "https://python-markdown.readthedocs.io/en/stable/")
    await person.type("Why?", "moved to Read the Docs")
    await person.click("Save")
    await person.page.get_by_role("heading", name="Saved").wait_for()


@scene
async def project_withdrawn(site: Site, person: Person) -> None:
    """A project whose documentation was withdrawn."""
    await _own(site, person, "zope-interface")
    await person.open(site.page("/projects/zope-interface"))


@scene
async def project_removed(site: Site, person: Person) -> None:
    """A project whose redirect was removed."""
    await _own(site, person, "oldname")
    await person.open(site.page("/projects/oldname"))


@scene
async def project_withdraw(site: Site, person: Person) -> None:
    """Withdrawing, with a name that is not the project's."""
    await _own(site, person)
    await person.open(site.page("/projects/markdown/withdraw"))
    await person.type("To confirm", "six")
    await person.click("Withdraw the documentation")
    await person.page.get_by_text("Nothing was changed").wait_for()


@scene
async def project_remove(site: Site, person: Person) -> None:
    """Removing."""
    await _own(site, person)
    await person.open(site.page("/projects/markdown/remove"))


@scene
async def project_history(site: Site, person: Person) -> None:
    """The history of a project."""
    await _own(site, person)
    await person.open(site.page("/projects/markdown/history"))


@scene
async def project_closed(site: Site, person: Person) -> None:
    """Another's project."""
    await _own(site, person)
    await person.open(site.page("/projects/six"))


@scene
async def project_unknown(site: Site, person: Person) -> None:
    """What cannot be a project's name."""
    await _own(site, person)
    await person.open(site.page("/projects/-x-"))


@scene
async def try_a_link(site: Site, person: Person) -> None:
    """Trying a link, before one is given."""
    await _own(site, person)
    await person.open(site.page("/try"))


@scene
async def try_answered(site: Site, person: Person) -> None:
    """A link that a rule answers."""
    await _own(site, person)
    await person.open(site.page("/try?url=%3Chttp://pythonhosted.org//markdown/old-api/core.html%3E"))


@scene
async def try_unanswered(site: Site, person: Person) -> None:
    """A link of a project without a redirect."""
    await _own(site, person)
    await person.open(site.page("/try?url=https://pythonhosted.org/nobody/"))


@scene
async def tokens(site: Site, person: Person) -> None:
    """Tokens and invitations."""
    await _admin(site, person, "/tokens")


@scene
async def tokens_faults(site: Site, person: Person) -> None:
    """A token's form with faults."""
    await _admin(site, person, "/tokens")
    await person.type("Projects", "no name!")
    await person.click("Make the token")
    await person.page.get_by_role("alert").wait_for()


@scene
async def token_made(site: Site, person: Person) -> None:
    """A token, shown once."""
    await _admin(site, person, "/tokens")
    await person.type("Projects", "Markdown")
    await person.click("Make the token")
    await person.field("Token").wait_for()


@scene
async def invitation_made(site: Site, person: Person) -> None:
    """An invitation, shown once."""
    await _admin(site, person, "/tokens")
    await person.type("Project", "Markdown")
    await person.click("Make the invitation")
    await person.field("Link").wait_for()


@scene
async def token_revoke(site: Site, person: Person) -> None:
    """Revoking a token."""
    await _admin(site, person, "/tokens")
    await person.page.get_by_role("link", name="Revoke the token").first.click()
    await person.page.get_by_role("button", name="Revoke", exact=True).wait_for()


@scene
async def overview(site: Site, person: Person) -> None:
    """The overview, where no edge runs beside it."""
    await _admin(site, person, "/overview")


@scene
async def overview_working(site: Site, person: Person) -> None:
    """The overview, with two processes of an edge on this machine, and names that are asked for in vain."""
    await fill(site)
    await site.admin.services.refresh()
    table = site.admin.services.replica.applied
    assert table is not None
    state = ProcessState(
        role="worker", seat=1, pid=os.getpid(), started="2026-01-01T00:00:00Z", reported=time.time(), ready=True,
        epoch=table.epoch, sequence=table.sequence, rows=5, table_age_seconds=0.4, asked={"sphinx": 41, "pip": 7},
    )  # fmt: skip
    late = msgspec.structs.replace(state, seat=2, sequence=table.sequence - 1, asked={"sphinx": 12, "webob": 3})
    await site.signed_in(person)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as environ:
        environ.setenv(files.VARIABLE, folder)
        for each in (state, late):
            Board(Path(folder), each.seat).write(each)
        await person.open(site.page("/overview"))


@scene
async def form_refused(site: Site, person: Person) -> None:
    """An error as a page: a form that was made for another session."""
    await person.open(site.page("/sign-in"))
    await person.context.clear_cookies()
    await person.type("Token", "x")
    await person.click("Sign in")
    await person.page.get_by_role("link", name="Back to the projects").wait_for()


@scene
async def administrators_only(site: Site, person: Person) -> None:
    """An error as a page: not for maintainers."""
    await _own(site, person)
    await person.open(site.page("/tokens"))


@scene
async def problems(site: Site, person: Person) -> None:
    """The list of problems."""
    await person.open(site.page("/-/problems/"))


@scene
async def problem(site: Site, person: Person) -> None:
    """One problem."""
    await person.open(site.page("/-/problems/precondition-failed"))


@scene
async def edge_front_page(site: Site, person: Person) -> None:
    """The edge's front page."""
    await person.open(f"{site.edge_origin}/")


@scene
async def edge_absent(site: Site, person: Person) -> None:
    """The edge's 404, for a project that nobody has set."""
    await person.open(f"{site.edge_origin}/nobody/api.html")


@scene
async def edge_nowhere(site: Site, person: Person) -> None:
    """The edge's 404, for what is no project's address."""
    await person.open(f"{site.edge_origin}/packages/source/s/six/")


@scene
async def edge_gone(site: Site, person: Person) -> None:
    """The edge's 410, for a project that was withdrawn."""
    await fill(site)
    await site.caught_up()
    await person.open(f"{site.edge_origin}/zope.interface/api.html")


@scene
async def edge_page_gone(site: Site, person: Person) -> None:
    """The edge's 410, for a page that a rule says is gone."""
    await fill(site)
    await site.caught_up()
    await person.open(f"{site.edge_origin}/markdown/private/notes.html")
