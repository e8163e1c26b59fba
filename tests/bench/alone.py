"""A measurement in a process of its own, so that nothing measured before it weighs on its memory."""

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import ParamSpec, TypeVar

from docsredirect.cli.terminal import set_up_logging

P = ParamSpec("P")
T = TypeVar("T")
A = TypeVar("A")


def alone(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what `work`, a function of a module, returns in a new process."""
    with _pool(1) as pool:
        return pool.submit(work, *args, **kwargs).result()


def side_by_side(work: Callable[[A], T], arguments: Sequence[A]) -> list[T]:
    """Return what `work` returns for each argument, in a new process each, all at once."""
    with _pool(len(arguments)) as pool:
        return list(pool.map(work, arguments))


def _pool(processes: int) -> ProcessPoolExecutor:
    spawn = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(processes, spawn, initializer=set_up_logging, initargs=("error",))
