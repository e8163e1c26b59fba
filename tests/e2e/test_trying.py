"""Trying a link, as people write them: the answer, the rule that gave it, and why."""

import pytest
from playwright.async_api import expect

from tests.e2e.browser import Person
from tests.e2e.conftest import People
from tests.e2e.site import Site, record

pytestmark = [pytest.mark.real_part("chromium"), pytest.mark.asyncio(loop_scope="session")]

MARKDOWN = record(
    "Markdown",
    "https://python-markdown.github.io/",
    path="clean",
    rules={"siteindex.html": "sitemap/", "private/*": None},
)

LINKS = (
    ("https://pythonhosted.org/Markdown/siteindex.html", "https://python-markdown.github.io/sitemap/"),
    ("<http://pythonhosted.org/Markdown/siteindex.html>.", "https://python-markdown.github.io/sitemap/"),
    ("pythonhosted.org//markdown).", "https://python-markdown.github.io/"),
    ("packages.python.org/MarkDown/api.html#x", "https://python-markdown.github.io/api/"),
    ("/Markdown/private/notes", "A rule of markdown says that this page is gone"),
    ("https://pythonhosted.org/nobody/", "Nobody has said where nobody lives now"),
    ("https://example.org/six/", "This host is not one of ours"),
    ("http://", "This is no web address"),
    ("https://pythonhosted.org/Markdown/../six/", "This is not the address of a project’s documentation"),
)


@pytest.mark.parametrize("script", [True, False], ids=["with a script", "without"])
async def test_a_link_as_people_write_it(site: Site, people: People, *, script: bool) -> None:
    """Whole, broken, foreign or nonsense: each gets an answer and its steps, and never an error."""
    person = await people.somebody(java_script_enabled=script)
    await site.put(MARKDOWN)
    await site.maintainer(person, "markdown")
    await person.open(site.page("/try"))
    for link, said in LINKS:
        await person.type("Old link", link)
        await person.click("Try it")
        await expect(person.main, f"for {link}").to_contain_text(said)
        await expect(person.page.get_by_role("heading", name="Why, step by step")).to_be_visible()


async def test_the_answer_names_its_rule_and_its_steps(site: Site, person: Person) -> None:
    """Which rule gave the answer, and why."""
    await site.put(MARKDOWN)
    await site.signed_in(person)
    await person.open(site.page("/try"))
    await person.type("Old link", "pythonhosted.org/Markdown/siteindex.html")
    await person.press("Enter")
    await expect(person.main).to_contain_text("By the rule siteindex.html")
    steps = person.main.get_by_role("listitem")
    assert await steps.count() >= 4
