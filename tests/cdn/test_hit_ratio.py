"""The figure of the cache key: how often an edge need not be asked."""

from tests.cdn import hit_ratio
from tests.cdn.stage import corpus, on_stage
from tests.support import varnish

pytestmark = varnish.NEEDED


async def test_most_spellings_of_what_was_asked_before_are_hits() -> None:
    """Every real URL, twenty times in random spellings and order: all answers right, and at least 0.95 of them hits."""
    async with on_stage(corpus()) as stage:
        ratio = await hit_ratio.measure(stage.varnish.port)
    print(f"\nhit ratio over {ratio.asked} requests: {ratio.hit_ratio:.4f}")
    assert ratio.wrong == []
    assert ratio.hit_ratio >= 0.95
