"""Project names: which are legal, and which are the same. Knows nothing of URLs."""

import re

MAX_NAME = 128
"""The longest name in characters. The longest real one that had documentation is 60."""

_LEGAL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_SEPARATORS = re.compile(r"[-_.]+")


def normalise(name: str) -> str | None:
    """Return the PEP 503 form of `name`, or None where `name` is not legal.

    Legal is what PEP 508 calls an identifier: ASCII letters, digits, ``.``, ``-`` and ``_``, with a letter
    or digit at both ends; here of at most `MAX_NAME` characters.
    """
    if len(name) > MAX_NAME or _LEGAL.fullmatch(name) is None:
        return None
    return _SEPARATORS.sub("-", name).lower()
