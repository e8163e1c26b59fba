"""The edge's one handler: checks in their order, then the decision, then the answer."""

import msgspec
from aiohttp import web

from docsredirect.domain.errors import Unknown
from docsredirect.domain.reserved import Page
from docsredirect.domain.resolve import MAX_REQUEST, Answer, resolve
from docsredirect.domain.settings import Settings
from docsredirect.edge import responses
from docsredirect.edge.lifetimes import TableState
from docsredirect.edge.pages import Pages
from docsredirect.edge.requests import ALLOWED_METHODS, Target, is_for_us, read_target
from docsredirect.edge.sitemap import Sitemap
from docsredirect.service.lookups import Lookups
from docsredirect.service.replica import Replica

_ROBOTS = "User-agent: *\nAllow: /\n\nSitemap: {origin}/sitemap.xml\n"


class Edge:
    """Answers requests for legacy URLs from `lookups`."""

    def __init__(self, settings: Settings, replica: Replica, lookups: Lookups) -> None:
        self._lifetimes = settings.lifetimes
        self._stale_after = settings.stale_after
        self._security_txt = settings.security_txt
        self._hosts = settings.host_rules
        self._replica = replica
        self._lookups = lookups
        self._pages = Pages(settings)
        self._sitemap = Sitemap(replica)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request: 400, 414, 421 and 405 in this order, then the service's own pages, then the table."""
        target = read_target(request)
        if target is None:
            return _closing(responses.refused(400))
        if len(target.path) + len(target.query) > MAX_REQUEST:
            return responses.refused(414)
        if not is_for_us(target, self._hosts):
            return responses.refused(421)
        if request.method not in ALLOWED_METHODS:
            response = responses.refused(405)
            return _closing(response) if request.body_exists else response
        answer = await self._decide(target)
        if answer.page is not None:
            return await self._own_page(answer.page, target, answer)
        if answer.status == 414:
            return responses.refused(414)
        if answer.status == 503:
            return self._unavailable()
        return responses.answered(answer, target.path, self._state(), self._lifetimes, self._pages)

    async def _decide(self, target: Target) -> Answer:
        answer = resolve(self._lookups.find, target.path, target.query)
        if answer.status != 503 or answer.name is None:
            return answer
        try:
            route = await self._lookups.read_through(answer.name)
        except Unknown:
            return answer
        return resolve(lambda name: route, target.path, target.query)

    async def _own_page(self, page: Page, target: Target, answer: Answer) -> web.Response:
        origin = self._origin(target.host)
        max_age = self._lifetimes.pages
        match page:
            case Page.HOME:
                return responses.page(self._pages.home(), responses.HTML, max_age)
            case Page.ROBOTS:
                return responses.page(_ROBOTS.format(origin=origin).encode(), responses.PLAIN, max_age)
            case Page.SITEMAP:
                if self._replica.last_success is None:
                    return self._unavailable()
                body = await self._sitemap.render(target.query, origin)
                if body is not None:
                    return responses.page(body, "application/xml", max_age)
            case Page.SECURITY:
                if self._security_txt is not None:
                    return responses.page(self._security_txt.encode(), responses.PLAIN, max_age)
            case Page.SERVICE:
                if target.path == "/-/health/live":
                    return responses.json(200, b'{"live":true}\n')
                if target.path == "/-/health/ready":
                    return self._ready()
        return responses.answered(answer._replace(status=404), target.path, self._state(), self._lifetimes, self._pages)

    def _ready(self) -> web.Response:
        replica = self._replica
        ready = replica.last_success is not None or replica.rows > 0
        age = replica.age()
        details = {
            "ready": ready,
            "epoch": replica.table.epoch if replica.table else None,
            "sequence": replica.table.sequence if replica.table else None,
            "complete": replica.complete,
            "rows": replica.rows,
            "stale": self._state().stale,
            "seconds_since_successful_poll": None if age is None else round(age, 1),
            "problem": replica.problem,
        }
        return responses.json(200 if ready else 503, msgspec.json.encode(details) + b"\n")

    def _state(self) -> TableState:
        age = self._replica.age()
        return TableState(stale=age is None or age > self._stale_after, purging=False)

    def _unavailable(self) -> web.Response:
        return responses.refused(503, retry_after=self._lifetimes.retry_after)

    def _origin(self, host: str) -> str:
        """Return where the asked host is reached by the public: a sitemap may only name URLs of its own host."""
        return f"https://{host if host in self._hosts.own else 'pythonhosted.org'}"


def _closing(response: web.Response) -> web.Response:
    response.force_close()
    return response
