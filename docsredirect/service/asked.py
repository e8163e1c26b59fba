"""Which names are asked for that have no redirect: the most frequent ones, in bounded memory. Nothing about who asks.

Space-Saving (Metwally, Agrawal, El Abbadi, 2005): a new name takes the place of one that was counted least, and takes
its count over as its error. So a name that is asked for more often than one request in `MAX_NAMES` is always held, and
a count less its error is a promise: so often it was asked for at least. A scan of random names pushes out only itself.
"""

import heapq
from collections import defaultdict
from operator import itemgetter

MAX_NAMES = 1_000
"""How many names are counted at a time. Each is a normalised name, of at most 128 characters."""

HALF_LIFE_SECONDS = 86_400.0
"""After so long all counts are halved: what was asked for last month does not hide what is asked for today."""

MIN_TIMES = 2
"""Asked for at least so often, a name is told of. Less is chance, or a scan."""


class Asked:
    """Counts names that were asked for. Counting takes about half a microsecond, whatever is asked for."""

    def __init__(self, max_names: int = MAX_NAMES) -> None:
        self._max_names = max_names
        self._counts: dict[str, int] = {}
        self._errors: dict[str, int] = {}
        """By how much a count may be too high, where it may."""
        self._by_count: defaultdict[int, dict[str, None]] = defaultdict(dict)
        """The names of each count, so that one that was counted least is at hand."""
        self._least = 1
        """The least count, where `max_names` are held; else there may be none so low."""
        self._halved: float | None = None

    def count(self, name: str) -> None:
        """Count that a normalised name was asked for."""
        counts = self._counts
        count = counts.get(name)
        if count is not None:
            self._move(name, count)
        elif len(counts) < self._max_names:
            counts[name] = self._least = 1
            self._by_count[1][name] = None
        else:
            self._replace(name)

    def age(self, now: float) -> None:
        """Halve all counts once for every half-life; `now` is in seconds from any fixed start."""
        if self._halved is None:
            self._halved = now
        while now - self._halved >= HALF_LIFE_SECONDS:
            self._halved += HALF_LIFE_SECONDS
            self._halve()

    def top(self, limit: int) -> dict[str, int]:
        """Return the names asked for most, with how often at least, the most frequent first."""
        errors = self._errors
        sure = ((name, count - errors.get(name, 0)) for name, count in self._counts.items())
        most = heapq.nlargest(limit, (each for each in sure if each[1] >= MIN_TIMES), key=itemgetter(1))
        return dict(most)

    def __len__(self) -> int:
        return len(self._counts)

    def _move(self, name: str, count: int) -> None:
        same = self._by_count[count]
        del same[name]
        if not same:
            del self._by_count[count]
            if count == self._least:
                self._least = count + 1
        self._counts[name] = count + 1
        self._by_count[count + 1][name] = None

    def _replace(self, name: str) -> None:
        least = self._least
        same = self._by_count[least]
        gone, _ = same.popitem()
        del self._counts[gone]
        self._errors.pop(gone, None)
        if not same:
            del self._by_count[least]
            self._least = least + 1
        self._counts[name] = least + 1
        self._errors[name] = least
        self._by_count[least + 1][name] = None

    def _halve(self) -> None:
        halved = {name: count // 2 for name, count in self._counts.items() if count > 1}
        self._errors = {name: (error + 1) // 2 for name, error in self._errors.items() if name in halved}
        self._counts = halved
        self._by_count.clear()
        for name, count in halved.items():
            self._by_count[count][name] = None
        self._least = min(self._by_count, default=1)
