"""Tokens and invitations, from making to revoking, by an administrator with a browser."""

import re
import time

import pytest
from playwright.async_api import expect

from tests.e2e.browser import Person
from tests.e2e.conftest import People
from tests.e2e.site import Site

pytestmark = [pytest.mark.real_part("chromium"), pytest.mark.asyncio(loop_scope="session")]

REVOKED_SECONDS = 5.0
"""How soon a token that was revoked is refused everywhere (DESIGN: tokens)."""


async def test_the_life_of_a_token(site: Site, people: People) -> None:
    """Made, shown once, copied, signed in with, revoked; and who used it is out within seconds."""
    admin = await people.somebody(permissions=["clipboard-read", "clipboard-write"])
    await site.signed_in(admin)
    await admin.open(site.page("/tokens"))
    await admin.type("Projects", "six")
    await admin.type("Label", "release machine")
    await admin.click("Make the token")
    await expect(admin.heading).to_have_text("The token is made")
    shown = await admin.field("Token").input_value()
    assert re.fullmatch(r"drd_\w{12}_\w{32}", shown)
    assert shown in await admin.field("For the command line").input_value()
    await admin.click("Copy Token")
    await expect(admin.page.get_by_role("button", name="Copied")).to_be_visible()
    assert await admin.page.evaluate("() => navigator.clipboard.readText()") == shown

    user = await people.somebody()
    await user.open(site.page("/sign-in"))
    await user.type("Token", shown)
    await user.click("Sign in")
    await expect(user.main).to_contain_text("six")

    await admin.click("Tokens", "link")
    token_id = shown.split("_")[1]
    entry = admin.page.get_by_role("row").filter(has_text=token_id)
    await expect(entry).to_contain_text("release machine")
    assert shown.split("_")[2] not in await admin.page.content()
    await entry.get_by_role("link", name=re.compile("Revoke")).click()
    await admin.click("Revoke")
    await expect(admin.page.get_by_role("row").filter(has_text=token_id)).to_contain_text("revoked")

    begin = time.monotonic()
    await user.open(site.page("/projects/six"))
    while await user.heading.text_content() != "Sign in":
        assert time.monotonic() - begin < REVOKED_SECONDS
        await user.open(site.page("/projects/six"))
    assert (await site.admin.get("projects", token=shown)).code == "401 token-revoked"


async def test_a_secret_is_shown_once(site: Site, person: Person) -> None:
    """Loading the page again, which sends its form again, makes no second token and shows no secret."""
    await site.signed_in(person)
    await person.open(site.page("/tokens"))
    await person.type("Projects", "six")
    await person.click("Make the token")
    shown = await person.field("Token").input_value()
    await person.page.reload()
    await expect(person.main).to_contain_text("a second time")
    assert shown.split("_")[2] not in await person.page.content()
    assert len((await site.admin.get("tokens")).json["tokens"]) == 1


async def test_an_invitation_that_is_made_here_works(site: Site, people: People) -> None:
    """The link of the page lets a maintainer in; the text for the mail holds it."""
    admin, maintainer = await people.somebody(), await people.somebody()
    await site.signed_in(admin)
    await admin.open(site.page("/tokens"))
    await admin.type("Project", "Markdown")
    await admin.type("For whom", "Waylan")
    await admin.click("Make the invitation")
    link = await admin.field("Link").input_value()
    assert link in await admin.field("Text with the link").input_value()
    await maintainer.open(link)
    await maintainer.click("Sign in for markdown")
    await expect(maintainer.heading).to_contain_text("markdown")


async def test_only_administrators_come_to_tokens_and_the_overview(site: Site, person: Person) -> None:
    """A maintainer has no link there, and the address alone does not help."""
    await site.maintainer(person, "six")
    await person.open(site.page("/"))
    for name in ("Tokens", "Overview"):
        await expect(person.page.get_by_role("link", name=name)).to_have_count(0)
        assert await person.open(site.page(f"/{name.lower()}")) == 403
