"""A real browser, and people who use it: what they do is counted, and what a page should never do is noted."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Dialog,
    Locator,
    Page,
    Request,
    Response,
    async_playwright,
    expect,
)

from tests.support import real_parts

DESKTOP = (1280, 900)
PHONE = (390, 844)
NARROW = 320
"""The narrowest viewport that WCAG 2.2 asks for, in CSS pixels (1.4.10)."""

WAIT_MS = 10_000.0
"""How long something may take to show on a page, on a machine that does much else."""

TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")

_STATUS_OF_PAGE = "Failed to load resource: the server responded with a status of"
_RUN = """async (tags) => (await axe.run(
    document, {runOnly: {type: "tag", values: tags}, resultTypes: ["violations"]}
)).violations"""
_BYTES = """() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
    .reduce((bytes, entry) => bytes + entry.decodedBodySize, 0)"""


expect.set_options(timeout=WAIT_MS)


ARGUMENTS = ["--no-sandbox", "--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
"""The last one: no page, and no redirect that it follows, ever leaves this machine."""


@asynccontextmanager
async def running_browser() -> AsyncIterator[Browser]:
    """Run the browser of the system. No page in it is freed from its Content-Security-Policy."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=real_parts.path_of("chromium"), args=ARGUMENTS)
        try:
            yield browser
        finally:
            await browser.close()


class Person:
    """Somebody with a browser window of his own. `actions` counts what he does: opening, clicking, typing, pressing.

    `troubles` are what no page may cause: errors on the console, dialogs, requests to elsewhere than `origins`.
    """

    def __init__(self, context: BrowserContext, page: Page, origins: tuple[str, ...]) -> None:
        self.context = context
        self.page = page
        self.actions = 0
        self.troubles: list[str] = []
        self.policy: str | None = None
        """The Content-Security-Policy of the page that was loaded last."""
        self._origins = origins
        context.on("response", self._answered)
        context.on("request", self._requested)
        context.on("console", self._said)
        context.on("weberror", lambda error: self.troubles.append(f"error: {error.error}"))
        context.on("dialog", self._dialog)

    async def open(self, url: str) -> int:
        """Open an address, and return the status of what came of it."""
        self.actions += 1
        response = await self.page.goto(url)
        assert response is not None
        return response.status

    async def click(self, name: str, role: Any = "button") -> None:
        """Click what has this whole name."""
        self.actions += 1
        await self.page.get_by_role(role, name=name, exact=True).click()

    async def type(self, label: str, text: str) -> None:
        """Type into the field with this label, in the place of what it holds."""
        self.actions += 1
        await self.field(label).fill(text)

    def field(self, label: str) -> Locator:
        """Return the field whose label begins so."""
        return self.page.get_by_label(re.compile(f"^{re.escape(label)}")).first

    async def press(self, key: str) -> None:
        """Press a key."""
        self.actions += 1
        await self.page.keyboard.press(key)

    async def tab_to(self, name: str) -> None:
        """Press Tab until what has this name holds the focus, and see that it shows that it does. One action: a person
        holds the key down."""
        self.actions += 1
        for _ in range(100):
            await self.page.keyboard.press("Tab")
            held = self.page.locator("*:focus")
            if not await held.count():
                continue
            if await held.evaluate(_NAME) == name:
                assert await held.evaluate(_SHOWS_FOCUS), f"{name!r} does not show that it has the focus"
                return
        raise AssertionError(f"Tab never comes to {name!r}")

    @property
    def heading(self) -> Locator:
        """The page's one main heading."""
        return self.page.get_by_role("heading", level=1)

    @property
    def main(self) -> Locator:
        """What is the page's own, between its top and its bottom."""
        return self.page.get_by_role("main")

    async def violations(self) -> list[str]:
        """Return what axe-core finds against WCAG 2.2 AA on the page as it is now."""
        if not await self.page.evaluate("() => 'axe' in window"):
            await self.page.evaluate(_axe())
        found = await self.page.evaluate(_RUN, list(TAGS))
        return [
            f"{rule['id']} at {' '.join(map(str, node['target']))}: {node['failureSummary']}"
            for rule in found
            for node in rule["nodes"]
        ]

    async def look(self, *, width: int, dark: bool) -> None:
        """See the page in another width, and in the dark."""
        await self.page.set_viewport_size({"width": width, "height": DESKTOP[1]})
        await self.page.emulate_media(color_scheme="dark" if dark else "light")

    async def sticking_out(self) -> list[str]:
        """Return what makes the page scroll sideways: the elements that end beyond the window."""
        found: list[str] = await self.page.evaluate(_STICKING_OUT)
        return found

    async def bytes(self) -> int:
        """Return how many bytes the page is, with its styles and scripts, uncompressed."""
        count: int = await self.page.evaluate(_BYTES)
        return count

    def _requested(self, request: Request) -> None:
        if not request.url.startswith((*self._origins, "data:")):
            self.troubles.append(f"request to {request.url}")

    def _answered(self, response: Response) -> None:
        if response.request.is_navigation_request():
            self.policy = response.headers.get("content-security-policy")

    def _said(self, message: ConsoleMessage) -> None:
        # Chromium also says there that a page's own status is an error, which these pages' often is.
        own = message.page is not None and message.location["url"] == message.page.url
        if message.type in ("error", "warning") and not (own and message.text.startswith(_STATUS_OF_PAGE)):
            self.troubles.append(f"console: {message.text}")

    async def _dialog(self, dialog: Dialog) -> None:
        self.troubles.append(f"dialog: {dialog.message}")
        await dialog.dismiss()


_STICKING_OUT = """() => {
  if (document.documentElement.scrollWidth <= innerWidth) return [];
  const beyond = (each) => each.getBoundingClientRect().right > innerWidth;
  const out = [...document.body.querySelectorAll("*")].filter(beyond);
  return out.length === 0 ? ["the page"] : out.slice(-3).map((each) => each.outerHTML.slice(0, 120));
}"""

_NAME = """(element) => {
  const labels = [...(element.labels ?? [])].map((label) => label.textContent);
  return (element.getAttribute("aria-label") ?? labels[0] ?? element.textContent).replace(/\\s+/g, " ").trim();
}"""

_SHOWS_FOCUS = """(element) => {
  const style = getComputedStyle(element);
  const box = element.getBoundingClientRect();
  const inside = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
  return inside && style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
}"""


@asynccontextmanager
async def someone(browser: Browser, origins: tuple[str, ...], **options: Any) -> AsyncIterator[Person]:
    """Open a window for a person; `options` are those of a browser context."""
    width, height = DESKTOP
    # Reduced motion: a page that fades in would be measured half way.
    options = {"viewport": {"width": width, "height": height}, "reduced_motion": "reduce", **options}
    context = await browser.new_context(**options)
    context.set_default_timeout(WAIT_MS)
    try:
        yield Person(context, await context.new_page(), origins)
    finally:
        await context.close()


_LOADED: list[str] = []


def _axe() -> str:
    if not _LOADED:
        _LOADED.append((Path(real_parts.path_of("axe-core")) / "axe.min.js").read_text(encoding="utf-8"))
    return _LOADED[0]
