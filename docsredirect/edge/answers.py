"""What the edge answered: counted, and told of where it is not a plain answer. Decides nothing.

A plain answer costs one addition. What is told repeats no byte of a request: a method that is known, a host that is
ours, and never a path or a query.
"""

import time
from collections import Counter

import structlog
from aiohttp import web

from docsredirect.domain.clock import Clock
from docsredirect.domain.hosts import HostRules, host_of

_PLAIN = frozenset({200, 301, 302, 307, 308, 404, 410})
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"})
LINES_A_SECOND = 10
"""How many answers that are not plain are told of in a second: a port scanner may not fill the disk."""

log = structlog.get_logger(__name__)


class Answers:
    """Answers by status. With `every`, each is told of at debug level; else those that are not plain, at info level."""

    def __init__(self, hosts: HostRules, *, every: bool = False, clock: Clock = time.monotonic) -> None:
        self.by_status: Counter[int] = Counter()
        self._hosts = hosts
        self._every = every
        self._clock = clock
        self._second = clock()
        self._told = self._untold = 0

    def count(self, request: web.BaseRequest, status: int, seconds: float) -> None:
        """Count an answer that took `seconds`."""
        self.by_status[status] += 1
        if self._every or status not in _PLAIN:
            self._tell(request, status, seconds)

    def turn(self) -> None:
        """Tell how many answers were not told of, once their second is over."""
        if self._clock() - self._second < 1.0:
            return
        untold, self._untold, self._told = self._untold, 0, 0
        self._second = self._clock()
        if untold:
            log.info("answers not told of", count=untold)

    def _tell(self, request: web.BaseRequest, status: int, seconds: float) -> None:
        fields = {"status": status, **self._known(request), "seconds": round(seconds, 4)}
        if status in _PLAIN:
            log.debug("answer", **fields)
            return
        self.turn()
        if self._told < LINES_A_SECOND or self._every:
            self._told += 1
            log.info("answer", **fields)
        else:
            self._untold += 1

    def _known(self, request: web.BaseRequest) -> dict[str, str]:
        """Return the method where it is known, and the host where it is ours by name."""
        found = {}
        if request.method in _METHODS:
            found["method"] = request.method
        host = host_of(request.headers.get("Host", ""))
        if host in self._hosts.own:
            found["host"] = host
        return found
