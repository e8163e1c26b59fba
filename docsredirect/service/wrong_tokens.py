"""Counting wrong tokens by the address that they come from. Knows no token, and lets a right one through always.

Nobody guesses 190 bits: this keeps a forgotten script with an old token, and whoever tries, from filling the logs.
"""

import math
from collections import deque
from ipaddress import IPv6Address, ip_address

from cachetools import LRUCache

from docsredirect.domain.clock import Clock
from docsredirect.domain.errors import TooManyWrongTokens

ADDRESSES = 10_000
"""Addresses that are remembered: about 5 MB. The longest silent ones go first."""

_IPV6_HOST_BITS = 64
"""An IPv6 customer has a /64 at least (RFC 6177), and may take a new address of it for each request."""


class WrongTokens:
    """Allows `limit` wrong tokens of an address in `seconds`. `monotonic` counts seconds from any fixed start."""

    def __init__(self, monotonic: Clock, limit: int = 10, seconds: float = 60) -> None:
        self._monotonic = monotonic
        self._limit = limit
        self._seconds = seconds
        self._times: LRUCache[str | int, deque[float]] = LRUCache(ADDRESSES)

    def refuse(self, address: str) -> None:
        """Count a wrong token of `address`, an IP address as text. To be called once a token was found wrong.

        Raises `TooManyWrongTokens` where there were `limit` before it in the last `seconds`. It then counts for
        nothing, so that the wait it names is true however often somebody asks meanwhile.
        """
        now, key = self._monotonic(), _key_of(address)
        times = self._times.get(key) or deque[float]()
        while times and times[0] <= now - self._seconds:
            times.popleft()
        self._times[key] = times
        if len(times) >= self._limit:
            wait = max(1, math.ceil(times[0] + self._seconds - now))
            raise TooManyWrongTokens(
                f"More than {self._limit} wrong tokens came from this address within {self._seconds:g} seconds. "
                f"Check the token, and try again in {wait} seconds.",
                wait,
            )
        times.append(now)


def _key_of(address: str) -> str | int:
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        # A dual-stack socket shows IPv4 so; all of IPv4 must not share one count.
        mapped = parsed.ipv4_mapped
        return str(mapped) if mapped is not None else int(parsed) >> _IPV6_HOST_BITS
    return str(parsed)
