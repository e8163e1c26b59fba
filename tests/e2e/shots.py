"""Takes the pictures of the README, of pages with made-up projects: `make shots`. With ``--all FOLDER``, every page of
both sides in every state, wide, narrow and dark, to look at."""

import argparse
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import structlog
import uvloop
from playwright.async_api import Browser

from tests.e2e.browser import DESKTOP, PHONE, running_browser, someone
from tests.e2e.scenes import SCENES
from tests.e2e.site import running_site

FOLDER = Path(__file__).parent.parent.parent / "docs" / "screenshots"
MAX_BYTES = 150 * 1024
"""The largest picture that goes into the repository."""


class Shot(NamedTuple):
    """A picture: of which scene, how wide, and whether in the dark."""

    scene: str
    look: str
    size: tuple[int, int]
    dark: bool = False
    whole: bool = False
    """Whether all of the page is taken, or what a window shows of it."""
    at: str = ""
    """A selector of what the window begins with."""

    @property
    def file(self) -> str:
        """The name of the file."""
        return f"{self.scene}-{self.look}.png"


SHOTS = (
    Shot("project-preview", "desktop", (1024, 860), at="#preview-title"),
    Shot("project-live", "phone", PHONE),
    Shot("overview-working", "dark", (1024, 860), dark=True),
)


def everything() -> Iterable[Shot]:
    """Give every scene wide, narrow and dark."""
    for scene in SCENES:
        yield Shot(scene.name, "desktop", DESKTOP, whole=True)
        yield Shot(scene.name, "phone", PHONE, whole=True)
        yield Shot(scene.name, "dark", DESKTOP, dark=True, whole=True)


async def take(browser: Browser, shot: Shot, folder: Path) -> int:
    """Take a picture, and return how many bytes it is."""
    play = next(scene.play for scene in SCENES if scene.name == shot.scene)
    width, height = shot.size
    options = {"viewport": {"width": width, "height": height}, "color_scheme": "dark" if shot.dark else "light"}
    environ = {"DOCSREDIRECT_INDEX_URL": "https://index.example.org"}
    async with running_site(environ) as site, someone(browser, site.origins, **options) as person:
        await play(site, person)
        if shot.at:
            await person.page.locator(shot.at).evaluate("(element) => { element.scrollIntoView(); scrollBy(0, -24); }")
        return len(await person.page.screenshot(path=folder / shot.file, full_page=shot.whole, animations="disabled"))


async def take_all(shots: Iterable[Shot], folder: Path, limit: int | None) -> bool:
    """Take pictures into a folder; False where one is larger than `limit` bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    fit = True
    async with running_browser() as browser:
        for shot in shots:
            size = await take(browser, shot, folder)
            print(f"{shot.file}: {size / 1024:.0f} KiB")
            if limit is not None and size > limit:
                print(f"That is more than {limit / 1024:.0f} KiB: take less of the page.")
                fit = False
    return fit


def main() -> int:
    """Take the pictures; 1 where one of the README's is too large."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.shots", description=__doc__)
    parser.add_argument("--all", metavar="FOLDER", type=Path, help="every page in every state, into this folder")
    folder = parser.parse_args().all
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    if folder is not None:
        return 0 if uvloop.run(take_all(everything(), folder, None)) else 1
    return 0 if uvloop.run(take_all(SHOTS, FOLDER, MAX_BYTES)) else 1


if __name__ == "__main__":
    raise SystemExit(main())
