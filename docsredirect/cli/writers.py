"""The writers of a store with the real clock and real randomness. No command of its own."""

import random
import time
import uuid

from docsredirect.service.publisher import Publisher
from docsredirect.service.registry import Registry
from docsredirect.store import Store

_FIRST_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 2.0


def make_publisher(store: Store) -> Publisher:
    """Return a publisher of `store`."""
    return Publisher(store, new_epoch=lambda: uuid.uuid4().hex[:16], pause=pause_before)


def make_registry(store: Store) -> Registry:
    """Return the writer of `store`, for writes that publish themselves at their end."""
    return Registry(store, make_publisher(store), clock=time.time, new_operation=lambda: uuid.uuid4().hex)


def pause_before(attempt: int) -> float:
    """Return the seconds to wait before an attempt: none before the first, then random ones up to a growing bound."""
    if attempt == 0:
        return 0.0
    return random.uniform(0, min(_FIRST_PAUSE_SECONDS * 2 ** min(attempt, 10), _LONGEST_PAUSE_SECONDS))  # noqa: S311
