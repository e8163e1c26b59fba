"""Text of records, of histories and of addresses that means harm: it is shown, it is never markup, it does not turn the
writing around it, and it does not break the layout."""

import json
from urllib.parse import quote

import pytest
from playwright.async_api import expect

from docsredirect.domain.preconditions import ANYTHING
from docsredirect.domain.projects import Author
from docsredirect.domain.records import parse_record
from tests.e2e.browser import NARROW, Person
from tests.e2e.conftest import People
from tests.e2e.site import Site
from tests.e2e.test_every_page import MAX_BYTES

pytestmark = [pytest.mark.real_part("chromium"), pytest.mark.asyncio(loop_scope="session")]

SCRIPT = "<script>alert(1)</script>"
IMAGE = "\"'><img src=x onerror=alert(1)>"
TURNED = "\u202egnp.exe\u2066"
LONG = f"https://{'a' * 60}.example.org/".ljust(2_047, "x") + "/"
WORDY = "W" * 90

RULES: dict[str, str | None] = {
    f"{SCRIPT}.html": "a/",
    f"{IMAGE}.html": None,
    f"{TURNED}.html": "b/",
    "`</code></textarea></title>`": LONG,
    "&lt;b&gt;": "https://x.example.org/%3Cscript%3E",
    "n" * 1_024: "c/",
}

_TURNING = """() => {
  const turning = /[\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069]/;
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    const held = node.parentElement.closest("bdi, textarea, script") !== null;
    if (turning.test(node.textContent) && !held) found.push(node.textContent.trim());
  }
  return found;
}"""


async def fill(site: Site) -> None:
    """Put a project into the store whose every text means harm, through the door that checks least."""
    registry = site.admin.services.registry
    for target, reason in ((LONG, f"{SCRIPT} {IMAGE}"), ("https://x.example.org/", f"{TURNED} {WORDY}")):
        fields = {"project": "evil" * 32, "target": target, "path": "root", "rules": RULES}
        record = parse_record(fields, site.admin.services.hosts).record
        await registry.put(record, Author(by=f"token {IMAGE}", on_behalf_of=TURNED, reason=reason), ANYTHING)
    fields = {"project": "evil" * 32, "target": LONG, "path": "root", "rules": RULES}
    await registry.put(
        parse_record(fields, site.admin.services.hosts).record, Author(by=TURNED, reason=SCRIPT), ANYTHING
    )


NAME = "evil" * 32
PAGES = (
    f"/projects/{NAME}",
    f"/projects/{NAME}/history",
    f"/projects/{NAME}/saved",
    f"/projects/{NAME}/withdraw",
    f"/projects/{NAME}/remove",
    "/",
    f"/?q={quote(TURNED + SCRIPT)}",
    f"/?open={quote(TURNED + IMAGE)}",
    f"/try?url={quote(f'https://pythonhosted.org/{NAME}/{SCRIPT}.html')}",
    f"/try?url={quote(f'https://pythonhosted.org/{NAME}/{TURNED}.html')}",
    f"/try?url={quote(TURNED + IMAGE)}",
    f"/try?url={quote(SCRIPT + WORDY)}",
    f"/try?url={'n' * 5_000}",
    f"/projects/{quote(TURNED + SCRIPT, safe='')}",
    "/tokens",
    "/overview",
)


async def harm(person: Person) -> list[str]:
    """Return what hostile text has done: markup that is not ours, writing that it turns, a page that scrolls."""
    markup = person.page.locator("img, script:not([src]), [onerror], [onmouseover]")
    ours = [await each.evaluate("(element) => element.outerHTML") for each in await markup.all()]
    return [*ours, *await person.page.evaluate(_TURNING), *await person.sticking_out()]


async def test_hostile_text_is_harmless_on_every_page(site: Site, people: People) -> None:
    """Wherever a record's or a history's text, a label or an address is shown, in a window of 320 px."""
    await fill(site)
    for label in (SCRIPT, WORDY):
        await site.admin.new_token([NAME], label=label)
        await site.invite(NAME, label=label)
    person = await people.somebody(viewport={"width": NARROW, "height": 800})
    await site.signed_in(person)
    found = {}
    for path in PAGES:
        await person.open(site.page(path))
        if done := await harm(person):
            found[path[:70]] = done
    assert found == {}


async def test_hostile_text_is_harmless_in_previews_and_conflicts(site: Site, people: People) -> None:
    """The same where a form is shown again: by the script, by the server, and beside another version."""
    await fill(site)
    person = await people.somebody(viewport={"width": NARROW, "height": 800})
    await site.signed_in(person)
    await person.open(site.page(f"/projects/{NAME}"))
    await person.type(
        "Old links, one a line", f"{SCRIPT}.html\n{TURNED}.html\n{'n' * 1_024}\n{IMAGE}\njavascript:alert(1)"
    )
    await expect(person.page.locator("#preview")).to_contain_text(SCRIPT.replace("<", "%3C").replace(">", "%3E"))
    assert await harm(person) == []
    await person.click("Preview")
    await expect(person.page.get_by_role("table").first).to_be_visible()
    assert await harm(person) == []
    fields = {"project": NAME, "target": "https://y.example.org/", "path": "keep", "rules": {f"{SCRIPT}.html": LONG}}
    record = parse_record(fields, site.admin.services.hosts).record
    await site.admin.services.registry.put(record, Author(by=IMAGE, reason=TURNED), ANYTHING)
    await person.click("Save")
    await expect(person.page.get_by_role("button", name="Use mine", exact=True)).to_be_visible()
    assert await harm(person) == []


async def test_hostile_faults_are_harmless(site: Site, people: People) -> None:
    """What is refused is repeated as text."""
    person = await people.somebody(viewport={"width": NARROW, "height": 800})
    await site.maintainer(person, "six")
    await person.open(site.page("/projects/six"))
    await person.type("Where the documentation is now", f"https://x.example.org/{IMAGE}{TURNED}{WORDY}")
    await person.type("Old page, rule 1", f"../{SCRIPT}{TURNED}`")
    await person.click("Save")
    await expect(person.page.get_by_role("alert").first).to_be_visible()
    assert await harm(person) == []


async def test_a_thousand_rules_are_lines(site: Site, people: People) -> None:
    """They can be read, changed and saved, on a page that stays small."""
    rules = {f"p{number:04}.html": f"a/{number:04}" for number in range(1_000)}
    fields = {"project": "six", "target": "https://six.example.org/", "path": "keep", "rules": rules}
    await site.put(json.loads(json.dumps(fields)))
    person = await people.somebody(viewport={"width": NARROW, "height": 800})
    await site.maintainer(person, "six")
    await person.open(site.page("/projects/six"))
    assert await person.bytes() <= MAX_BYTES
    assert await harm(person) == []
    lines = person.field("Rules, one a line")
    text = await lines.input_value()
    assert len(text.splitlines()) == 1_000
    await lines.fill(text.replace("p0999.html a/0999", "p0999.html b/0999"))
    await person.click("Save")
    await expect(person.heading).to_have_text("Saved")
    assert await site.leads_to("/six/p0999.html") == "301 https://six.example.org/b/0999"
    assert await site.leads_to("/six/p0000.html") == "301 https://six.example.org/a/0000"
