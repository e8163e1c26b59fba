"""What the edge answers at paths that are not projects: the front page, robots.txt, the sitemap, health."""

from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

from docsredirect.domain.hosts import OWN_HOSTS, HostRules
from docsredirect.domain.reserved import Page
from docsredirect.domain.settings import Settings
from docsredirect.edge import responses
from docsredirect.edge.pages import Pages
from docsredirect.edge.requests import Target
from docsredirect.edge.sitemap import Sitemap
from docsredirect.service.replica import Replica

_ROBOTS = "User-agent: *\nAllow: /\n\nSitemap: {origin}/sitemap.xml\n"
_Handler = Callable[[Target], Awaitable[web.Response | None]]


class OwnPages:
    """Answers for the service's own pages. None stands for 404: there is no page at that path after all."""

    def __init__(self, settings: Settings, replica: Replica, pages: Pages) -> None:
        self._settings = settings
        self._hosts: HostRules = settings.host_rules
        self._max_age = settings.lifetimes.pages
        self._replica = replica
        self._pages = pages
        self._sitemap = Sitemap(replica)
        self._handlers: dict[Page, _Handler] = {
            Page.HOME: self._home,
            Page.ROBOTS: self._robots,
            Page.SITEMAP: self._sitemap_part,
            Page.SECURITY: self._security,
            Page.SERVICE: self._service,
        }

    async def answer(self, page: Page, target: Target) -> web.Response | None:
        """Return the answer at `page`, or None for 404."""
        handler = self._handlers.get(page)
        return None if handler is None else await handler(target)

    async def _home(self, target: Target) -> web.Response:
        return responses.page(self._pages.home(), responses.HTML, self._max_age)

    async def _robots(self, target: Target) -> web.Response:
        return responses.page(_ROBOTS.format(origin=self._origin(target)).encode(), responses.PLAIN, self._max_age)

    async def _sitemap_part(self, target: Target) -> web.Response | None:
        if not self._replica.serves_all:
            return responses.refused(503, retry_after=self._settings.retry_after)
        body = await self._sitemap.render(target.query, self._origin(target))
        return None if body is None else responses.page(body, responses.XML, self._max_age)

    async def _security(self, target: Target) -> web.Response | None:
        text = self._settings.security_txt
        return None if text is None else responses.page(text.encode(), responses.PLAIN, self._max_age)

    async def _service(self, target: Target) -> web.Response | None:
        if target.path == "/-/health/live":
            return responses.json(200, b'{"live":true}\n')
        return self._ready() if target.path == "/-/health/ready" else None

    def _ready(self) -> web.Response:
        replica = self._replica
        age = replica.age()
        details = {
            "ready": replica.ready,
            "epoch": replica.table.epoch if replica.table else None,
            "sequence": replica.table.sequence if replica.table else None,
            "complete": replica.complete,
            "rows": replica.rows,
            "stale": replica.is_stale(self._settings.stale_after),
            "seconds_since_successful_poll": None if age is None else round(age, 1),
            "refusals": replica.refusals,
            "problem": replica.problem,
        }
        return responses.json(200 if replica.ready else 503, msgspec.json.encode(details) + b"\n")

    def _origin(self, target: Target) -> str:
        """Return where the public reaches the host that was asked: a sitemap may only name URLs of its own host."""
        return f"https://{target.host if target.host in self._hosts.own else OWN_HOSTS[0]}"
