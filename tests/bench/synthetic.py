"""A table of any size that looks like the real one: its spellings, path policies and rules, rather more of them."""

import random
from collections.abc import Iterator
from typing import Any

_WORDS = ("py", "django", "flask", "zope", "sphinx", "data", "net", "core", "utils", "form", "api", "test", "web", "io")
_SEPARATORS = ("-", "_", ".", "")
_POLICIES = ("keep",) * 6 + ("clean",) * 2 + ("root",) * 2


def records(count: int, seed: int = 1) -> Iterator[dict[str, Any]]:
    """Return `count` records of different names; the same for the same seed."""
    chosen = random.Random(seed)
    for number in range(count):
        name = f"{chosen.choice(_WORDS)}{chosen.choice(_SEPARATORS)}{chosen.choice(_WORDS)}{number}"
        if chosen.random() < 0.35:
            name = name.title()
        host = f"{name.lower().replace('_', '-').replace('.', '-')}.readthedocs.io"
        record: dict[str, Any] = {
            "project": name, "target": f"https://{host}/en/latest/", "path": chosen.choice(_POLICIES), "status": 301,
        }  # fmt: skip
        if chosen.random() < 0.1:
            record["rules"] = {"siteindex.html": "sitemap/", "old-api/*": "reference/*"}
        yield record
