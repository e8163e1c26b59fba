"""Tests of the command line: through real processes, and in this one where that shows the same."""
