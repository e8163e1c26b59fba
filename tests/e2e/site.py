"""The admin side and an edge over one store, for people with a browser."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from tests.e2e.browser import Person
from tests.support.admin import ANY, BOOTSTRAP, Admin, record, running_admin
from tests.support.edges import running_edge
from tests.support.http import Connection, Response
from tests.support.stores import FakeStore

__all__ = ["BOOTSTRAP", "Site", "record", "running_site"]

CAUGHT_UP_SECONDS = 5.0
"""How long an edge that polls every 0.05 s may take for what is published."""


class Site:
    """Both sides of the service."""

    def __init__(self, admin: Admin, edge_port: int, store: FakeStore) -> None:
        self.admin = admin
        self.edge_port = edge_port
        self.store = store
        self.origin = f"http://127.0.0.1:{admin.port}"
        self.edge_origin = f"http://127.0.0.1:{edge_port}"

    @property
    def origins(self) -> tuple[str, ...]:
        """Where pages may be, with the slash that ends each."""
        return (f"{self.origin}/", f"{self.edge_origin}/")

    def page(self, path: str) -> str:
        """Return the address of a page of the admin side."""
        return self.origin + path

    async def put(self, fields: Mapping[str, Any], reason: str | None = None, **options: Any) -> None:
        """Set a redirect, whatever is there."""
        there = await self.admin.get(f"projects/{fields['project']}")
        precondition = ANY if there.status == 200 else {"If-None-Match": "*"}
        headers = {} if reason is None else {"X-Reason": reason}
        answer = await self.admin.put(fields, precondition, headers=headers, **options)
        assert answer.status in (200, 201), answer

    async def invite(self, project: str, **fields: object) -> str:
        """Make an invitation, and return its link."""
        answer = await self.admin.post("invitations", {"project": project, **fields})
        assert answer.status == 201, answer
        link: str = answer.json["link"]
        return link

    async def signed_in(self, person: Person, *, token: str = BOOTSTRAP) -> None:
        """Give a person the session that a token begins, without the form."""
        tokens, sessions = self.admin.services.tokens, self.admin.services.sessions
        identity = await tokens.identify(token)
        response = web.Response()
        sessions.write(response, sessions.begin(identity.id or tokens.bootstrap_id))
        value = response.cookies[sessions.cookie].value
        await person.context.add_cookies([{"name": sessions.cookie, "value": value, "url": self.origin}])

    async def maintainer(self, person: Person, *projects: str) -> None:
        """Sign a person in for these projects."""
        await self.signed_in(person, token=await self.admin.new_token(list(projects)))

    async def follow(self, path: str) -> Response:
        """Follow an old link, as a reader does."""
        connection = await Connection.open(self.edge_port)
        try:
            return await connection.get(path)
        finally:
            await connection.close()

    async def leads_to(self, path: str) -> str:
        """Return what an old link answers once the edge holds what is published: its status, and where it leads."""
        await self.caught_up()
        answer = await self.follow(path)
        return f"{answer.status} {answer.header('location') or ''}".strip()

    async def caught_up(self) -> None:
        """Wait until the edge holds what is published."""
        published = self.store.objects.get("table.json")
        wanted = None if published is None else json.loads(published.body)["sequence"]
        async with asyncio.timeout(CAUGHT_UP_SECONDS):
            while True:
                ready = json.loads((await self.follow("/-/health/ready")).body)
                if ready["sequence"] == wanted and (ready["complete"] or wanted is None):
                    return
                await asyncio.sleep(0.01)


@asynccontextmanager
async def running_site(environ: Mapping[str, str] | None = None) -> AsyncIterator[Site]:
    """Run both sides over an empty store."""
    store = FakeStore()
    async with running_admin(store, environ) as admin, running_edge(store, environ) as edge_port:
        yield Site(admin, edge_port, store)
