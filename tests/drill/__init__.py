"""Drills: failures on purpose, at random moments, and then a check of every promise. They assert, where benchmarks
measure. ``make drill``, or ``make drill ARGS='killing --kills 200 --store rgw'``."""
