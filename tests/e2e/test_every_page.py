"""What holds for every page in every state: WCAG 2.2 AA, no scrolling sideways, a small size, its own policy, and nothing
from elsewhere."""

import pytest
from playwright.async_api import expect

from tests.e2e.browser import DESKTOP, NARROW
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
    """axe-core finds nothing, in a narrow and a wide window, by day and by night; the page fits the window, is small, and
    has a title, one main heading and a language. Its Content-Security-Policy is on, and the console stays empty."""
    person = await people.somebody()
    await scene.play(site, person)
    assert await person.bytes() <= MAX_BYTES
    await expect(person.heading).to_have_count(1)
    assert await person.page.title()
    found = {}
    for width in (NARROW, DESKTOP[0]):
        for dark in (False, True):
            await person.look(width=width, dark=dark)
            assert await person.width() <= width, f"scrolls sideways at {width} px"
            violations = await person.violations()
            if violations:
                found[width, "dark" if dark else "light"] = violations
    assert found == {}
