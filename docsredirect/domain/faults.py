"""Gathering what is wrong with one value, within bounds: whoever sends a thousand bad rules is told of a hundred."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from docsredirect.domain.errors import Fault

MAX_FAULTS = 100
"""How many faults of one record are listed: nobody reads on, and an import's answer has to fit into memory."""

T = TypeVar("T")


class Faults:
    """The first `MAX_FAULTS` faults of a value, and how many more there are."""

    def __init__(self) -> None:
        self._first: list[Fault] = []
        self._more = 0

    def __bool__(self) -> bool:
        return bool(self._first)

    def append(self, fault: Fault) -> None:
        """Note one fault."""
        if len(self._first) < MAX_FAULTS:
            self._first.append(fault)
        else:
            self._more += 1

    def extend(self, faults: Iterable[Fault]) -> None:
        """Note faults."""
        for fault in faults:
            self.append(fault)

    def extend_for(self, items: Iterable[T], fault_of: Callable[[T], Fault]) -> None:
        """Note a fault of every item, which is made only where it is listed."""
        for item in items:
            if len(self._first) < MAX_FAULTS:
                self._first.append(fault_of(item))
            else:
                self._more += 1

    def listed(self) -> list[Fault]:
        """Return the faults; where there are too many, a last one says how many it leaves out."""
        if not self._more:
            return list(self._first)
        rest = "is 1 more fault" if self._more == 1 else f"are {self._more} more faults"
        detail = f"Beside these {MAX_FAULTS} there {rest}. Mend the ones that are listed first."
        return [*self._first, Fault("", "more-faults", detail)]
