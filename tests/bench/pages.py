"""Server time of the admin side's pages, signed in as administrator, in a store of 25,000 projects (``--projects N``).

300 requests of each page in turns (20 with ``--quick``, ``--changes N``), from one connection on the same machine: what
the browser would wait for before it can draw. A preview changes one rule and tries ten old links.
"""

import random
import re
import time
import urllib.parse
from typing import Any

from docsredirect.cli.terminal import run
from docsredirect.domain.names import normalise
from tests.bench import synthetic
from tests.bench.admin_serving import TOKEN
from tests.bench.options import Options
from tests.bench.report import Figure
from tests.bench.writes import serving
from tests.support.http import Connection, Response

PROJECTS = 25_000
QUICK_PROJECTS = 1_000
REQUESTS = 300
QUICK_REQUESTS = 20
_CSRF = re.compile(rb'name="csrf" value="([0-9a-f]+)"')
_HIDDEN = re.compile(rb'<input type="hidden" name="([a-z-]+)" value="([^"]*)"')


def figures(options: Options) -> list[Figure]:
    """Measure."""
    count = options.size(options.projects, PROJECTS, QUICK_PROJECTS)
    requests = options.size(options.changes, REQUESTS, QUICK_REQUESTS)
    records = list(synthetic.records(count))
    with serving(records, options.store) as (_, port):
        return run(_measure(port, records, requests, options.store))


async def _measure(port: int, records: list[dict[str, Any]], requests: int, store: str) -> list[Figure]:
    chosen = random.Random(7)
    browser = await _Browser.signed_in(port)
    names = [normalise(record["project"]) for record in records]
    seconds: dict[str, list[float]] = {}
    for _ in range(requests):
        name = str(chosen.choice(names))
        pages = {
            "the list, a page from the middle": f"/?cursor={name}",
            "the list, searched": f"/?q={name[:6]}",
            "a project's page": f"/projects/{name}",
            "a project's history": f"/projects/{name}/history",
            "a link, tried": f"/try?url={urllib.parse.quote(f'https://pythonhosted.org/{name}/api.html', safe='')}",
            "tokens": "/tokens",
            "the overview": "/overview",
        }
        for page, path in pages.items():
            seconds.setdefault(page, []).append(await browser.timed_get(path))
        seconds.setdefault("a preview", []).append(await browser.timed_preview(f"/projects/{name}"))
    what = f"with {len(records):,} projects on {store}"
    shown = [Figure(f"{page}, {what}", "ms", [each * 1e3 for each in times]) for page, times in seconds.items()]
    return [*shown, Figure("all pages", "ms", [each * 1e3 for times in seconds.values() for each in times])]


class _Browser:
    """A session on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._cookie = ""

    @classmethod
    async def signed_in(cls, port: int) -> "_Browser":
        browser = cls(await Connection.open(port))
        page = await browser._ask("GET", "/sign-in")
        await browser._ask("POST", "/sign-in", {"csrf": _csrf(page), "token": TOKEN}, status=303)
        return browser

    async def timed_get(self, path: str) -> float:
        start = time.perf_counter()
        await self._ask("GET", path)
        return time.perf_counter() - start

    async def timed_preview(self, path: str) -> float:
        page = await self._ask("GET", path)
        fields = {name.decode(): value.decode() for name, value in _HIDDEN.findall(page.body)}
        links = "\n".join(f"page-{number}.html" for number in range(10))
        fields |= {"project": path.rpartition("/")[2], "status": "301", "state": "active"}
        fields |= {"target": "https://elsewhere.example.org/", "path": "keep", "links": links, "do": "preview"}
        start = time.perf_counter()
        await self._ask("POST", path, fields)
        return time.perf_counter() - start

    async def _ask(self, method: str, path: str, form: dict[str, str] | None = None, *, status: int = 200) -> Response:
        body = urllib.parse.urlencode(form).encode() if form is not None else b""
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\nCookie: {self._cookie}\r\n"
        if form is not None:
            head += f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n"
        self._connection.send(f"{head}\r\n".encode() + body)
        response = await self._connection.receive()
        assert response is not None and response.status == status, f"{path} was answered {response}"
        cookie = response.header("set-cookie")
        if cookie is not None:
            self._cookie = cookie.partition(";")[0]
        return response


def _csrf(page: Response) -> str:
    match = _CSRF.search(page.body)
    assert match is not None, "the page has no form"
    return match.group(1).decode()
