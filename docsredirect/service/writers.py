"""The writers of a store with the real clock and real randomness: the one place where the rules get them."""

import random
import secrets
import string
import time
import uuid
from collections.abc import Iterator

from docsredirect.service.publisher import Publisher
from docsredirect.service.registry import Registry
from docsredirect.store import Store

JITTER = 0.2
"""Pauses are spread by this share, so that processes started together do not stay together."""

_BASE62 = string.digits + string.ascii_letters
_FIRST_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 2.0


def make_publisher(store: Store) -> Publisher:
    """Return a publisher of `store`."""
    return Publisher(store, new_epoch=lambda: uuid.uuid4().hex[:16], pause=pause_before)


def make_registry(store: Store) -> Registry:
    """Return the writer of `store`, for writes that publish themselves at their end."""
    return Registry(store, make_publisher(store), clock=time.time, new_operation=new_operation)


def new_operation() -> str:
    """Return an id that no other operation has."""
    return uuid.uuid4().hex


def new_text(length: int) -> str:
    """Return random base62 text: 5.95 bits a character."""
    return "".join(secrets.choice(_BASE62) for _ in range(length))


def pauses(seconds: float) -> Iterator[float]:
    """Give pauses around `seconds`, for ever."""
    while True:
        yield seconds * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311


def pause_before(attempt: int) -> float:
    """Return the seconds to wait before an attempt: none before the first, then random ones up to a growing bound."""
    if attempt == 0:
        return 0.0
    return random.uniform(0, min(_FIRST_PAUSE_SECONDS * 2 ** min(attempt, 10), _LONGEST_PAUSE_SECONDS))  # noqa: S311
