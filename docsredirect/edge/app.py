"""The edge's one handler: checks in their order, then the decision, then the answer."""

from aiohttp import web

from docsredirect.domain.errors import Unknown
from docsredirect.domain.resolve import DENIED, MAX_REQUEST, Answer, resolve
from docsredirect.domain.settings import Settings
from docsredirect.edge import responses
from docsredirect.edge.answers import Answers
from docsredirect.edge.gate import Gate
from docsredirect.edge.lifetimes import TableState
from docsredirect.edge.own_pages import OwnPages
from docsredirect.edge.pages import Pages
from docsredirect.edge.requests import ALLOWED_METHODS, Target, is_for_us, read_target
from docsredirect.service.asked import Asked
from docsredirect.service.lookups import Lookups
from docsredirect.service.replica import Replica


class Edge:
    """Answers requests for legacy URLs from `lookups`."""

    def __init__(self, settings: Settings, replica: Replica, lookups: Lookups) -> None:
        self._lifetimes = settings.lifetimes
        self._retry_after = settings.retry_after
        self._stale_after = settings.stale_after
        self._hosts = settings.host_rules
        self._gate = Gate(settings.cdn_secret)
        self.replica = replica
        self.lookups = lookups
        self.answers = Answers(settings.host_rules, every=settings.log_level == "debug")
        """What was answered, also to what never came as far as here."""
        self.asked = Asked()
        """Which names were asked for that have no redirect."""
        self._pages = Pages(settings)
        self._own_pages = OwnPages(settings, replica, self._pages)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request: 400, 414, 403, 421 and 405 in this order, then the service's own pages, then the
        table."""
        target = read_target(request)
        if target is None:
            return _closing(responses.refused(400))
        if len(target.path) + len(target.query) > MAX_REQUEST:
            return responses.refused(414)
        if not self._gate.lets_in(request, target):
            return responses.refused(403)
        if not is_for_us(target, self._hosts):
            return responses.refused(421)
        if request.method not in ALLOWED_METHODS:
            response = responses.refused(405)
            return _closing(response) if request.body_exists else response
        return await self._answer(target)

    async def _answer(self, target: Target) -> web.Response:
        answer = await self._decide(target)
        if answer.page is not None:
            own = await self._own_pages.answer(answer.page, target)
            if own is not None:
                return own
            answer = answer._replace(status=404)
        elif answer.status == 414:
            return responses.refused(414)
        elif answer.status == 404:
            if answer.name is not None:
                self.asked.count(answer.name)
        elif answer.status == 503:
            return responses.refused(503, retry_after=self._retry_after)
        table = self.replica.applied
        state = TableState(stale=self.replica.is_stale(self._stale_after), purging=table is not None and table.purging)
        return responses.answered(answer, target, state, self._lifetimes, self._pages)

    async def _decide(self, target: Target) -> Answer:
        """Decide from memory; only a name whose part of the table is not held waits for the store."""
        answer = resolve(self.lookups.find, target.path, target.query)
        if answer.status != 503 or answer.name is None:
            return answer
        try:
            route = await self.lookups.read_through(answer.name)
        except Unknown:
            return answer
        # It may have been denied meanwhile.
        denied = self.lookups.find(answer.name) is DENIED
        return resolve(lambda name: DENIED if denied else route, target.path, target.query)


def _closing(response: web.Response) -> web.Response:
    response.force_close()
    return response
