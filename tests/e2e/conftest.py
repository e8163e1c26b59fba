"""What the tests with a browser share. They run on one event loop, which the browser is bound to."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest_asyncio
from playwright.async_api import Browser

from tests.e2e.browser import Person, running_browser, someone
from tests.e2e.site import Site, running_site


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """The browser: one for all tests, with a window of its own for each person."""
    async with running_browser() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def site() -> AsyncIterator[Site]:
    """The admin side and an edge over an empty store."""
    async with running_site() as running:
        yield running


class People:
    """Opens windows for people. In the end none may have seen what no page may cause."""

    def __init__(self, browser: Browser, site: Site, stack: AsyncExitStack) -> None:
        self._browser = browser
        self._site = site
        self._stack = stack
        self.all: list[Person] = []

    async def somebody(self, **options: Any) -> Person:
        """Open a window, with options of a browser context."""
        person = await self._stack.enter_async_context(someone(self._browser, self._site.origins, **options))
        self.all.append(person)
        return person


@pytest_asyncio.fixture(loop_scope="session")
async def people(browser: Browser, site: Site) -> AsyncIterator[People]:
    """People with a browser. No error on a console, no dialog and no request to elsewhere is let pass."""
    async with AsyncExitStack() as stack:
        opened = People(browser, site, stack)
        yield opened
    assert [person.troubles for person in opened.all] == [[] for _ in opened.all]


@pytest_asyncio.fixture(loop_scope="session")
async def person(people: People) -> Person:
    """One person with a browser."""
    return await people.somebody()
