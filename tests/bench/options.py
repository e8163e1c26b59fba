"""How large a run is, and on which store. Each benchmark says what its own sizes are."""

from typing import NamedTuple, TypeVar

T = TypeVar("T")


class Options(NamedTuple):
    """What the command line says. None leaves a size to the benchmark: its full size, or, with `quick`, a small one."""

    store: str = "directory"
    """``directory``, ``moto`` or ``rgw`` (each made for the run), or an ``s3://`` or ``file://`` URL that is empty."""
    projects: int | None = None
    changes: int | None = None
    seconds: float | None = None
    workers: int | None = None
    quick: bool = False

    def size(self, given: T | None, full: T, quick: T) -> T:
        """Return what was given, else the full or the small size."""
        if given is not None:
            return given
        return quick if self.quick else full
