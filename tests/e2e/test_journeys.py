"""What a maintainer comes for, from the link in a mail to the redirect that readers follow: with a script, without one,
and by keyboard alone."""

import re

import pytest
from playwright.async_api import expect

from tests.e2e.browser import Person
from tests.e2e.conftest import People
from tests.e2e.site import Site, record

pytestmark = [pytest.mark.real_part("chromium"), pytest.mark.asyncio(loop_scope="session")]

TARGET = "Where the documentation is now"
MAX_ACTIONS = 8


async def test_an_invitation_becomes_a_live_redirect_in_a_few_actions(site: Site, person: Person) -> None:
    """From opening the link to a reader who arrives: at most eight actions, a preview among them."""
    link = await site.invite("Markdown")
    assert await site.leads_to("/Markdown/siteindex.html") == "404"

    await person.open(link)
    await expect(person.heading).to_contain_text("markdown")
    await person.click("Sign in for markdown")
    await person.type(TARGET, "https://python-markdown.github.io/")
    await person.click("Preview")
    await expect(person.main).to_contain_text("https://python-markdown.github.io/guide/install.html")
    await person.click("Save")
    await expect(person.heading).to_have_text("Saved")
    await expect(person.main).to_contain_text("It is published")

    assert person.actions <= MAX_ACTIONS
    there = await site.leads_to("/Markdown/siteindex.html")
    assert there == "301 https://python-markdown.github.io/siteindex.html"


async def test_the_same_without_a_script(site: Site, people: People) -> None:
    """With JavaScript off the page is whole: preview, advice and its remedy, rows of rules, saving."""
    person = await people.somebody(java_script_enabled=False)
    await person.open(await site.invite("Markdown"))
    await person.click("Sign in for markdown")
    await person.type(TARGET, "http://python-markdown.github.io/")
    await person.click("Preview")
    await expect(person.main).to_contain_text("plain http")
    await person.click("Use https")
    await expect(person.field(TARGET)).to_have_value("https://python-markdown.github.io/")
    await person.type("Old page, rule 1", "siteindex.html")
    await person.type("New place, rule 1", "sitemap/")
    await person.click("Save")
    await expect(person.heading).to_have_text("Saved")

    assert await site.leads_to("/Markdown/siteindex.html") == "301 https://python-markdown.github.io/sitemap/"
    assert await site.leads_to("/Markdown/api.html") == "301 https://python-markdown.github.io/api.html"


@pytest.mark.parametrize("script", [True, False], ids=["with a script", "without"])
async def test_the_same_by_keyboard_alone(site: Site, people: People, *, script: bool) -> None:
    """Tab, Enter, Space and typing are enough, and what holds the focus shows it."""
    person = await people.somebody(java_script_enabled=script)
    await person.open(await site.invite("Markdown"))
    await person.tab_to("Sign in for markdown")
    await person.press("Enter")
    await expect(person.heading).to_contain_text("markdown")
    await person.tab_to(TARGET)
    await person.page.keyboard.type("https://python-markdown.github.io/")
    await person.tab_to("Same pages, same names")
    await person.press("ArrowDown")
    await person.tab_to("Preview")
    await person.press("Enter")
    await expect(person.main).to_contain_text("https://python-markdown.github.io/guide/install/")
    await person.tab_to("Save")
    await person.press("Space")
    await expect(person.heading).to_have_text("Saved")

    assert await site.leads_to("/Markdown/api.html") == "301 https://python-markdown.github.io/api/"


async def test_the_first_tab_leads_past_the_top_of_the_page(site: Site, person: Person) -> None:
    """Who goes by keyboard need not pass the navigation on every page."""
    await site.maintainer(person, "six")
    await person.open(site.page("/projects/six"))
    await person.tab_to("Skip to content")
    await person.press("Enter")
    await person.tab_to(TARGET)
    assert person.actions == 4


async def test_an_invitation_signs_one_person_in_once(site: Site, people: People) -> None:
    """Looking at a link changes nothing; once it is taken up, it is spent for everybody else."""
    link = await site.invite("six", label="Benjamin")
    first, second = await people.somebody(), await people.somebody()
    for person in (first, second):
        await person.open(link)
        await expect(person.main).to_contain_text("Benjamin")
    await first.click("Sign in for six")
    await expect(first.field(TARGET)).to_be_visible()
    await second.click("Sign in for six")
    await expect(second.heading).to_have_text("This invitation cannot be used")


async def test_a_maintainer_sees_his_projects_and_no_other(site: Site, person: Person) -> None:
    """The list has what the session may change; another project's page says for which it is signed in."""
    for each in (record("six"), record("Markdown")):
        await site.put(each)
    await site.maintainer(person, "six")
    await person.open(site.page("/"))
    await expect(person.main).to_contain_text("https://six.example.org/")
    await expect(person.main).not_to_contain_text(re.compile("markdown", re.IGNORECASE))
    assert await person.open(site.page("/projects/markdown")) == 403
    await expect(person.heading).to_have_text("You are not signed in for markdown")


async def test_who_signs_out_is_out(site: Site, person: Person) -> None:
    """After signing out pages ask for a token again, and signing in leads on to where one wanted to go."""
    await site.signed_in(person)
    await person.open(site.page("/try"))
    await person.click("Sign out")
    await expect(person.heading).to_have_text("Sign in")
    await person.open(site.page("/tokens"))
    await expect(person.heading).to_have_text("Sign in")
    await person.type("Token", "the-bootstrap-token-of-these-tests-0")
    await person.click("Sign in")
    await expect(person.heading).to_have_text("Tokens and invitations")
