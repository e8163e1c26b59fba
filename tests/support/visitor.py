"""A person with a browser that runs no script: keeps cookies, reads pages, sends their forms as they are filled in."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from html.parser import HTMLParser
from typing import NamedTuple

import aiohttp
from yarl import URL

MAX_PAGE = 60 * 1024
"""In bytes: no page may have more."""

_APART = ("br", "dd", "div", "dt", "h1", "h2", "label", "li", "option", "p", "td", "th", "tr")
_INVISIBLE = ("title", "style", "script")


class Form(NamedTuple):
    """A form of a page: where it is sent, and its fields as they stand there."""

    action: str
    method: str
    fields: dict[str, str]


class Seen(NamedTuple):
    """A page as it was answered. `text` is what can be read on it, with single blanks."""

    status: int
    headers: Mapping[str, str]
    html: str
    text: str
    forms: list[Form]
    links: list[str]
    path: str

    def form(self, **having: str) -> Form:
        """Return the first form with these fields."""
        return next(form for form in self.forms if having.items() <= form.fields.items())


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.forms: list[Form] = []
        self.links: list[str] = []
        self._inside: list[str] = []
        self._typed: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _APART:
            self.words.append(" ")
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given.get("action", ""), given.get("method", "get"), {}))
        elif tag == "a":
            self.links.append(given["href"])
        elif tag == "input" and "name" in given and (given.get("type") != "radio" or "checked" in given):
            self.forms[-1].fields[given["name"]] = given.get("value", "")
        elif tag == "textarea":
            self._typed = given.get("name")
        elif tag in _INVISIBLE:
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if self._typed is not None:
            self.forms[-1].fields[self._typed] = data.removeprefix("\n")
            self._typed = None
        elif not self._inside:
            self.words.append(data)


class Visitor:
    """Somebody who visits the pages at `port`."""

    def __init__(self, port: int, session: aiohttp.ClientSession) -> None:
        self.port = port
        self._session = session

    async def get(self, path: str) -> Seen:
        """Open a page, wherever that leads."""
        return await self._see("GET", path, None)

    async def send(self, seen: Seen, form: Form, **filled: str) -> Seen:
        """Fill in a form of a page and send it."""
        return await self._see("POST", form.action or seen.path, {**form.fields, **filled})

    async def post(self, path: str, fields: Mapping[str, str]) -> Seen:
        """Send fields, of whatever form."""
        return await self._see("POST", path, fields)

    async def sign_in(self, token: str) -> Seen:
        """Sign in with a token."""
        seen = await self.get("/sign-in")
        return await self.send(seen, seen.form(next="/"), token=token)

    async def _see(self, method: str, path: str, data: Mapping[str, str] | None) -> Seen:
        url = URL(f"http://127.0.0.1:{self.port}{path}", encoded=True)
        async with self._session.request(method, url, data=data, headers={"Accept": "text/html"}) as response:
            body = await response.read()
            assert len(body) < MAX_PAGE, f"{path} has {len(body)} bytes"
            assert response.headers["Cache-Control"] == "no-store"
            assert "default-src 'none'" in response.headers.get("Content-Security-Policy", ""), (path, response.status)
            reader = _Reader()
            reader.feed(html := body.decode())
            text = " ".join("".join(reader.words).split())
            return Seen(
                response.status, response.headers, html, text, reader.forms, reader.links, response.url.raw_path_qs
            )


@asynccontextmanager
async def visiting(port: int, token: str | None = None) -> AsyncIterator[Visitor]:
    """Give a visitor of the pages at `port`, signed in with `token` where there is one."""
    jar = aiohttp.CookieJar(unsafe=True)  # which takes cookies of an IP address
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        visitor = Visitor(port, session)
        if token is not None:
            await visitor.sign_in(token)
        yield visitor
