"""What holds for every page in every state: WCAG 2.2 AA, no scrolling sideways, a small size, a strict policy, and
nothing from elsewhere."""

import pytest
from playwright.async_api import Browser, expect

from tests.e2e.browser import DESKTOP, NARROW, someone
from tests.e2e.conftest import People
from tests.e2e.scenes import SCENES, Scene
from tests.e2e.site import Site

pytestmark = [
    pytest.mark.real_part("chromium"),
    pytest.mark.real_part("axe-core"),
    pytest.mark.asyncio(loop_scope="session"),
]

MAX_BYTES = 60 * 1024
"""A page with its styles and scripts, uncompressed."""


@pytest.mark.parametrize("scene", SCENES, ids=[scene.name for scene in SCENES])
async def test_every_page_is_for_everybody(site: Site, people: People, scene: Scene) -> None:
    """axe-core finds nothing, in a narrow and a wide window, by day and by night; the page fits the window, is small,
    and has a title and one main heading. Its Content-Security-Policy is on, and the console stays empty."""
    person = await people.somebody()
    await scene.play(site, person)
    assert await person.bytes() <= MAX_BYTES
    await expect(person.heading).to_have_count(1)
    assert await person.page.title()
    assert person.policy is not None and person.policy.startswith("default-src 'none'")
    assert "unsafe" not in person.policy or scene.name.startswith("edge-")
    found = {}
    for width in (NARROW, DESKTOP[0]):
        for dark in (False, True):
            await person.look(width=width, dark=dark)
            faults = await person.sticking_out() + await person.violations()
            if faults:
                found[width, "dark" if dark else "light"] = faults
    assert found == {}


async def test_the_checks_find_what_is_wrong(site: Site, browser: Browser) -> None:
    """A field without a label, faint text, a page that is too wide, a script of a stranger, a request to elsewhere, an
    error and a dialog are each seen: so none of them was overlooked above."""
    async with someone(browser, site.origins) as person:
        await person.open(site.page("/sign-in"))
        assert await person.violations() + await person.sticking_out() + person.troubles == []

        await person.page.evaluate(_SPOIL)
        violations = "\n".join(await person.violations())
        assert all(rule in violations for rule in ("label at", "color-contrast at", "image-alt at"))
        assert await person.sticking_out() != []
        assert await person.page.evaluate("() => window.ran") is None, "a script inside the page has run"
        await expect(person.page.locator("#late")).to_be_attached()
        troubles = "\n".join(person.troubles)
        for said in ("inline script", "https://elsewhere.example.org/", "error: thrown", "dialog: asked"):
            assert said in troubles, troubles


_SPOIL = """() => {
  const main = document.querySelector("main");
  const spoilt = "<input><img src='data:,'><p class='faint'>faint</p><div class='wide'>wide</div>";
  main.insertAdjacentHTML("beforeend", spoilt);
  main.querySelector(".faint").style.color = "#ccc";
  main.querySelector(".wide").style.width = "9999px";
  const script = document.createElement("script");
  script.textContent = "window.ran = true";
  main.append(script);
  const image = document.createElement("img");
  image.src = "https://elsewhere.example.org/x.png";
  main.append(image);
  setTimeout(() => { throw new Error("thrown"); }, 0);
  setTimeout(() => { alert("asked"); main.insertAdjacentHTML("beforeend", "<p id='late'>late</p>"); }, 50);
}"""
