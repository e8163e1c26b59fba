"""The sitemap of legacy URLs: search engines that come back to them find the 301s and follow.

Format: sitemaps.org, version 0.9: at most 50,000 URLs a file, more than one file under an index. A part is made
shard by shard, giving way to other requests in between, and the last few are kept until the table changes.
"""

import asyncio
import re

from cachetools import LRUCache

from docsredirect.domain import tables
from docsredirect.domain.tables import Shard
from docsredirect.service.replica import Replica

PART_URLS = 50_000
_NAMESPACE = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
_NUMBER = re.compile(r"[1-9][0-9]{0,5}")
_KEPT_PARTS = 4
"""A part is about 4 MB. Crawlers ask for one after the other."""


class Sitemap:
    """Renders the sitemap of what `replica` holds, for the host that was asked."""

    def __init__(self, replica: Replica, part_urls: int = PART_URLS) -> None:
        self._replica = replica
        self._part_urls = part_urls
        self._kept: LRUCache[tuple[object, ...], bytes] = LRUCache(_KEPT_PARTS)
        self._rendering = asyncio.Lock()

    async def render(self, query: str, origin: str) -> bytes | None:
        """Return what ``/sitemap.xml?query`` says for `origin` (``https://host``), or None where there is no such
        part. Without a query: the whole, or the index of the parts where it does not fit in one."""
        shards = self._replica.shards()
        parts = max(1, -(-sum(shard.active for shard in shards) // self._part_urls))
        if not query and parts > 1:
            return _index(parts, origin)
        part = _part_number(query)
        if part is None or part > parts:
            return None
        key = (origin, part, *(shard.ref.key for shard in shards))
        async with self._rendering:
            body: bytes | None = self._kept.get(key)
            if body is None:
                body = await self._part(shards, part, origin)
                self._kept[key] = body
        return body

    async def _part(self, shards: list[Shard], part: int, origin: str) -> bytes:
        first = (part - 1) * self._part_urls
        left, skipped = self._part_urls, 0
        lines = [f'<?xml version="1.0" encoding="UTF-8"?>\n<urlset {_NAMESPACE}>']
        for shard in shards:
            if skipped + shard.active <= first:
                skipped += shard.active
                continue
            names = _active_names(shard)[max(first - skipped, 0) :][:left]
            skipped += shard.active
            left -= len(names)
            lines += [f"<url><loc>{origin}/{name}/</loc></url>" for name in names]
            if not left:
                break
            await asyncio.sleep(0)
        lines.append("</urlset>\n")
        return "\n".join(lines).encode()


def _active_names(shard: Shard) -> list[str]:
    records = (tables.decode_row(line).record for line in shard.lines())
    return [record.project for record in records if record is not None and record.state == "active"]


def _index(parts: int, origin: str) -> bytes:
    locations = "\n".join(
        f"<sitemap><loc>{origin}/sitemap.xml?part={part}</loc></sitemap>" for part in range(1, parts + 1)
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<sitemapindex {_NAMESPACE}>\n{locations}\n</sitemapindex>\n'
    ).encode()


def _part_number(query: str) -> int | None:
    if not query:
        return 1
    key, _, number = query.partition("=")
    return int(number) if key == "part" and _NUMBER.fullmatch(number) else None
