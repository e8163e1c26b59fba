"""What caches say of an answer, in the header of RFC 9211 and in those of CDNs."""

import pytest

from docsredirect.domain.cache_status import Kept, read_kept

HEADERS = [
    ({}, Kept(None, None)),
    ({"Age": "12"}, Kept(None, 12)),
    ({"Age": "soon"}, Kept(None, None)),
    ({"Cache-Status": 'docsredirect; hit; ttl=299; detail="age=1"'}, Kept(True, 1)),
    ({"Cache-Status": "docsredirect; fwd=uri-miss"}, Kept(False, None)),
    ({"Cache-Status": "origin; hit, edge; fwd=uri-miss"}, Kept(True, None)),
    ({"Cache-Status": "origin; fwd=miss, edge; hit=?1"}, Kept(True, None)),
    ({"Cache-Status": 'edge; fwd=miss; detail="; hit, x; hit"'}, Kept(False, None)),
    ({"Cache-Status": "hit; fwd=miss"}, Kept(False, None)),
    ({"Cache-Status": 'edge; hit; detail="age=7"', "Age": "9"}, Kept(True, 9)),
    ({"Cache-Status": "edge; fwd=miss", "X-Cache": "HIT"}, Kept(False, None)),
    ({"Cache-Status": "edge; fwd=miss; x=" + "y" * 1_000 + ", edge; hit"}, Kept(False, None)),
    ({"Cache-Status": "edge; hit" + '"\\' * 8_000}, Kept(True, None)),
    ({"CF-Cache-Status": "HIT"}, Kept(True, None)),
    ({"CF-Cache-Status": "EXPIRED"}, Kept(False, None)),
    ({"X-Cache": "HIT"}, Kept(True, None)),
    ({"X-Cache": "MISS, HIT"}, Kept(True, None)),
    ({"X-Cache": "Miss from cloudfront"}, Kept(False, None)),
    ({"X-Cache": "TCP_HIT"}, Kept(True, None)),
]


@pytest.mark.parametrize(("headers", "kept"), HEADERS)
def test_what_a_cache_says(headers: dict[str, str], kept: Kept) -> None:
    """A hit of any cache on the way is one; the age is that of `Age`, else the detail's; silence is None."""
    assert read_kept(headers) == kept
