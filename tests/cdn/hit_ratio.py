"""How much of what readers ask a cache answers by itself: every real URL, again and again, in random spellings."""

import random
from collections import Counter
from typing import NamedTuple

from tests.cdn.spellings import respelled
from tests.cdn.stage import Reader, where
from tests.support.edges import rows_of

TIMES = 20
SEED = 20131107


class Ratio(NamedTuple):
    """What was asked, how much of it was a hit, and what was answered otherwise than recorded."""

    asked: int
    hits: int
    wrong: list[str]

    @property
    def hit_ratio(self) -> float:
        """The share of hits."""
        return self.hits / self.asked


async def measure(port: int, times: int = TIMES, seed: int = SEED) -> Ratio:
    """Ask the cache at `port` for every real URL `times` times, in random order and in the spellings of `respelled`."""
    dice = random.Random(seed)
    rows = rows_of("urls.jsonl") * times
    dice.shuffle(rows)
    reader, told, wrong = Reader(port), Counter[str | None](), list[str]()
    for row in rows:
        asked = respelled(row["url"], dice)
        response = await reader.get(asked)
        told[response.header("x-cache")] += 1
        if where(response) != (row["status"], row["location"]):
            wrong.append(f"{asked.host}{asked.target}: {where(response)}")
    await reader.close()
    return Ratio(len(rows), told["HIT"], wrong)
