"""A project's page: what would change, what others changed meanwhile, going back, and taking links down."""

import re

import pytest
import pytest_asyncio
from playwright.async_api import Locator, expect

from tests.e2e.browser import Person
from tests.e2e.conftest import People
from tests.e2e.site import Site, record

pytestmark = [pytest.mark.real_part("chromium"), pytest.mark.asyncio(loop_scope="session")]

TARGET = "Where the documentation is now"
OLD, NEW = "https://six.example.org/", "https://six.readthedocs.io/en/latest/"


@pytest_asyncio.fixture(loop_scope="session")
async def maintainer(site: Site, person: Person) -> Person:
    """The maintainer of a project that has a redirect, on its page."""
    await site.put(record("six", OLD), reason="first")
    await site.maintainer(person, "six")
    await person.open(site.page("/projects/six"))
    return person


def row(person: Person, text: str) -> Locator:
    """The row of a table with this text."""
    return person.page.get_by_role("row").filter(has_text=text).first


async def test_a_preview_shows_every_sample_now_and_after(site: Site, maintainer: Person) -> None:
    """Each old link with where it leads now and would then; pasted ones too; and nothing is changed by it."""
    await maintainer.type(TARGET, NEW)
    await maintainer.type(
        "Old links, one a line", "<urlset><url><loc>http://pythonhosted.org/six/api.html</loc></url></urlset>"
    )
    await maintainer.click("Preview")
    pasted = row(maintainer, "pythonhosted.org/six/api.html")
    await expect(pasted).to_contain_text(f"{OLD}api.html")
    await expect(pasted).to_contain_text(f"{NEW}api.html")
    await expect(row(maintainer, "objects.inv")).to_contain_text(f"{NEW}objects.inv")
    assert await site.leads_to("/six/api.html") == f"301 {OLD}api.html"


async def test_a_preview_follows_what_is_typed(maintainer: Person) -> None:
    """With a script nothing need be pressed: the examples of the three policies, the preview and the faults follow."""
    await maintainer.type(TARGET, NEW)
    await expect(maintainer.page.locator("#example-clean")).to_contain_text(f"{NEW}guide/install/")
    await expect(row(maintainer, "objects.inv")).to_contain_text(f"{NEW}objects.inv")
    await maintainer.type(TARGET, "https://localhost/")
    await expect(maintainer.page.locator("#preview")).to_contain_text("There is something to correct")
    assert maintainer.page.url.endswith("/projects/six")


async def test_what_is_typed_is_kept_while_the_preview_follows(maintainer: Person) -> None:
    """The field that one is in is never replaced under one's hands."""
    field = maintainer.field(TARGET)
    await field.fill("")
    await field.press_sequentially(NEW, delay=20)
    await expect(row(maintainer, "objects.inv")).to_contain_text(f"{NEW}objects.inv")
    await expect(field).to_have_value(NEW)
    await expect(field).to_be_focused()


async def test_faults_are_named_beside_their_fields_and_lead_there(maintainer: Person) -> None:
    """Nothing is saved; the summary has the focus, and its links lead into the fields."""
    await maintainer.type(TARGET, "https://127.0.0.1/")
    await maintainer.click("Save")
    summary = maintainer.page.get_by_role("alert")
    await expect(summary).to_be_focused()
    await expect(maintainer.field(TARGET)).to_have_attribute("aria-invalid", "true")
    await expect(maintainer.field(TARGET)).to_have_value("https://127.0.0.1/")
    await summary.get_by_role("link").first.click()
    await expect(maintainer.field(TARGET)).to_be_focused()


async def test_advice_has_its_remedy_at_one_click(site: Site, maintainer: Person) -> None:
    """Leading everything to one page breaks intersphinx, and the rule that mends it is one click away."""
    await maintainer.page.get_by_label("One place for all").check()
    await maintainer.click("Preview")
    await maintainer.click("Add a rule for objects.inv")
    await maintainer.click("Save")
    await expect(maintainer.heading).to_have_text("Saved")
    assert await site.leads_to("/six/objects.inv") == f"301 {OLD}objects.inv"
    assert await site.leads_to("/six/api.html") == f"301 {OLD}"


@pytest.mark.parametrize("script", [True, False], ids=["with a script", "without"])
async def test_rules_are_rows_and_lines(site: Site, people: People, *, script: bool) -> None:
    """Rows can be added and removed, many lines pasted at once, and a page be gone."""
    person = await people.somebody(java_script_enabled=script)
    await site.put(record("six", OLD, rules={"drop.html": "dropped/"}))
    await site.maintainer(person, "six")
    await person.open(site.page("/projects/six"))
    await person.click("Remove rule 1")
    await person.type("Old page, rule 1", "api.html")
    await person.type("New place, rule 1", "reference/")
    await person.click("Add a row")
    await person.type("Old page, rule 2", "old.html")
    await person.page.get_by_label("What it does, rule 2").select_option("is gone (410)")
    await person.page.get_by_text("Paste many at once").click()
    await person.type("More rules", "guide/* = manual/*\nfaq.html https://faq.example.org/")
    await person.click("Save")
    await expect(person.heading).to_have_text("Saved")
    answers = {page: await site.leads_to(f"/six/{page}") for page in ("api.html", "old.html", "guide/a", "drop.html")}
    assert answers == {
        "api.html": f"301 {OLD}reference/",
        "old.html": "410",
        "guide/a": f"301 {OLD}manual/a",
        "drop.html": f"301 {OLD}drop.html",
    }


@pytest.mark.parametrize(
    ("choice", "role", "leads_to"),
    [("Use theirs", "link", "https://theirs.example.org/"), ("Use mine", "button", "https://mine.example.org/")],
)
async def test_two_versions_stand_side_by_side(
    site: Site, maintainer: Person, people: People, choice: str, role: str, leads_to: str
) -> None:
    """Who saves over another's change sees both, and decides; before that nothing of either is lost."""
    other = await people.somebody()
    await site.maintainer(other, "six")
    await other.open(site.page("/projects/six"))
    await other.type(TARGET, "https://theirs.example.org/")
    await other.click("Save")
    await expect(other.heading).to_have_text("Saved")

    await maintainer.type(TARGET, "https://mine.example.org/")
    await maintainer.click("Save")
    await expect(maintainer.heading).to_contain_text("changed six meanwhile")
    both = row(maintainer, "Target")
    await expect(both).to_contain_text("https://theirs.example.org/")
    await expect(both).to_contain_text("https://mine.example.org/")
    assert await site.leads_to("/six/") == "301 https://theirs.example.org/"

    await maintainer.click(choice, role)
    await expect(maintainer.heading).to_have_text("Saved" if role == "button" else "The old links of six")
    assert await site.leads_to("/six/") == f"301 {leads_to}"


async def test_history_tells_what_was_and_restores_it(site: Site, maintainer: Person) -> None:
    """Every revision with its reason and its differences; restoring one makes old links lead there again."""
    await site.put(record("six", NEW), reason="moved in 2019")
    await maintainer.open(site.page("/projects/six"))
    await maintainer.click("The whole history", "link")
    newest = maintainer.page.get_by_role("listitem").filter(has_text="moved in 2019").first
    await expect(newest).to_contain_text(OLD)
    await expect(newest).to_contain_text(NEW)
    assert await site.leads_to("/six/") == f"301 {NEW}"
    await maintainer.click("Restore revision 1")
    await expect(maintainer.main).to_contain_text(re.compile("Restored revision 1"))
    assert await site.leads_to("/six/") == f"301 {OLD}"


@pytest.mark.parametrize(
    ("way", "button", "answers"),
    [
        ("Withdraw the documentation", "Withdraw the documentation", "410"),
        ("Remove the redirect", "Remove the redirect", "404"),
    ],
)
async def test_taking_links_down_needs_the_name(
    site: Site, maintainer: Person, way: str, button: str, answers: str
) -> None:
    """The page says what it means for readers; only the project's name, typed, does it; and it can be undone."""
    await maintainer.click(way, "link")
    await expect(maintainer.main).to_contain_text(answers)
    await maintainer.type("To confirm, type the name", "seven")
    await maintainer.click(button)
    await expect(maintainer.main).to_contain_text("Nothing was changed")
    assert await site.leads_to("/six/") == f"301 {OLD}"

    await maintainer.type("To confirm, type the name", "Six")
    await maintainer.click(button)
    await expect(maintainer.heading).to_contain_text("withdrawn" if answers == "410" else "removed")
    assert await site.leads_to("/six/") == answers

    await maintainer.open(site.page("/projects/six"))
    await maintainer.click("Restore revision 1")
    await expect(maintainer.main).to_contain_text("It is published")
    assert await site.leads_to("/six/") == f"301 {OLD}"


async def test_what_is_saved_says_when_readers_see_it(maintainer: Person) -> None:
    """The lifetimes of the CDN and of browsers, in words."""
    await maintainer.type(TARGET, NEW)
    await maintainer.type("Why?", "moved to Read the Docs")
    await maintainer.click("Save")
    await expect(maintainer.main).to_contain_text("within 5 minutes")
    await expect(maintainer.main).to_contain_text("up to 1 hour later")
    await expect(maintainer.main).to_contain_text("moved to Read the Docs")
