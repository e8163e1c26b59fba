"""Time as the rules see it: a parameter. Whoever starts a process hands in the real one."""

from collections.abc import Callable

Clock = Callable[[], float]
"""Seconds. For what is written down, since the Unix epoch; for waiting, from any fixed start."""
