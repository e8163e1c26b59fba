"""A browser without scripts, for pages whose forms have many fields of a name: it loads them, fills them in and presses
their buttons, as the fields, selections and buttons stand in the HTML.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html.parser import HTMLParser
from typing import NamedTuple

import aiohttp

Fields = dict[str, str | list[str]]
"""What is filled in, by the fields' names: a list fills those of a name in their order."""


class Control(NamedTuple):
    """A field of a form: its attributes, and its value where it is sent."""

    attributes: dict[str, str]
    value: str | None


class Page(HTMLParser):
    """An answer as a reader of HTML sees it: its text, its forms, and where its links lead."""

    def __init__(self, status: int, url: str, html: str) -> None:
        super().__init__()
        self.status, self.url, self.html = status, url, html
        self.forms: list[tuple[str, list[Control]]] = []
        self.tags: set[str] = set()
        self.ids: list[str] = []
        self.hrefs: list[str] = []
        self._open: dict[str, str] | None = None
        self._text: list[str] = []
        self._words: list[str] = []
        self._select = ""
        self.feed(html)
        self.close()
        self.text = " ".join(" ".join(self._words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag, and of a form its fields."""
        given = {name: value or "" for name, value in attrs}
        self.tags.add(tag)
        self.ids += [given["id"]] if "id" in given else []
        self.hrefs += [given["href"]] if "href" in given else []
        if tag == "form":
            self.forms.append((given.get("action", ""), []))
        elif tag == "input" and self.forms:
            chosen = given.get("type") != "radio" or "checked" in given
            self.forms[-1][1].append(Control(given, given.get("value", "") if chosen else None))
        elif tag == "textarea":
            self._open, self._text = given, []
        elif tag == "select":
            self._select = given["name"]
            self.forms[-1][1].append(Control(given, None))
        elif tag == "option":
            controls = self.forms[-1][1]
            if "selected" in given or controls[-1].value is None:
                controls[-1] = Control(controls[-1].attributes, given["value"])

    def handle_endtag(self, tag: str) -> None:
        """End a text field."""
        if tag == "textarea" and self._open is not None:
            self.forms[-1][1].append(Control(self._open, "".join(self._text).removeprefix("\n")))
            self._open = None

    def handle_data(self, data: str) -> None:
        """Note text."""
        (self._words if self._open is None else self._text).append(data)

    def form(self, action: str) -> list[tuple[str, str]]:
        """Return what the form of an action sends as it is, without a button."""
        return [
            (each.attributes["name"], each.value)
            for each in self._controls(action)
            if each.value is not None and "name" in each.attributes
        ]

    def control(self, id_: str) -> dict[str, str]:
        """Return the attributes of a field."""
        return next(
            each.attributes for _, controls in self.forms for each in controls if each.attributes.get("id") == id_
        )

    def value(self, name: str, action: str) -> str:
        """Return what a field of a form sends."""
        return dict(self.form(action))[name]

    def rules(self, action: str) -> list[tuple[str, str, str]]:
        """Return the rows of rules that say something."""
        sent = self.form(action)
        columns = [[value for field, value in sent if field == name] for name in ("from", "answer", "to")]
        return [row for row in zip(*columns, strict=True) if row != ("", "to", "")]

    def _controls(self, action: str) -> list[Control]:
        return next(controls for where, controls in self.forms if where == action)


class Browser:
    """Somebody with a browser that runs no script."""

    def __init__(self, port: int, session: aiohttp.ClientSession) -> None:
        self._base = f"http://127.0.0.1:{port}"
        self._session = session

    async def get(self, path: str) -> Page:
        """Load a page, wherever that leads."""
        async with self._session.get(self._base + path) as response:
            return Page(response.status, response.url.path_qs, await response.text())

    async def post(self, path: str, fields: list[tuple[str, str]], headers: dict[str, str] | None = None) -> Page:
        """Send fields."""
        async with self._session.post(
            self._base + path, data=fields, headers={"Origin": self._base, **(headers or {})}
        ) as response:
            return Page(response.status, response.url.path_qs, await response.text())

    async def sign_in(self, token: str) -> Page:
        """Sign in with a token."""
        return await self.send(await self.get("/sign-in"), "/sign-in", {"token": token})

    async def send(self, page: Page, action: str, fields: Fields | None = None, **button: str) -> Page:
        """Send the form of a page with some fields filled in, by a button (its name and value)."""
        return await self.post(action, filled(page.form(action), fields or {}) + list(button.items()))


def filled(form: list[tuple[str, str]], fields: Fields) -> list[tuple[str, str]]:
    """Return a form's fields with the values of `fields`: a list fills those of a name in their order."""
    left = {name: [value] if isinstance(value, str) else list(value) for name, value in fields.items()}
    sent = [(name, left[name].pop(0) if left.get(name) else value) for name, value in form]
    assert not any(left.values()), f"the form has no such fields: {left}"
    return sent


@asynccontextmanager
async def browsing(port: int, token: str | None) -> AsyncIterator[Browser]:
    """Give a browser, signed in with a token."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        browser = Browser(port, session)
        if token is not None:
            await browser.sign_in(token)
        yield browser
