"""robots.txt, the sitemap, security.txt and health."""

import json
import xml.etree.ElementTree as ET

import pytest

from docsredirect.edge.sitemap import Sitemap
from docsredirect.service.replica import Replica
from tests.support.edges import connected, publish, record
from tests.support.stores import FakeStore

_SITEMAP = "{http://www.sitemaps.org/schemas/sitemap/0.9}"


async def _store(count: int = 3) -> FakeStore:
    store = FakeStore()
    records = [record(f"Project.{n}", "https://docs.example.org/") for n in range(count)]
    await publish(store, [*records, record("withdrawn", state="gone")])
    return store


def _locations(body: bytes | None) -> list[str | None]:
    assert body is not None
    return [element.text for element in ET.fromstring(body).iter(f"{_SITEMAP}loc")]


async def test_robots_txt_allows_crawling_and_names_the_sitemap() -> None:
    """A disallow would hide the redirects from search engines."""
    async with connected(await _store()) as connection:
        response = await connection.get("/robots.txt", host="packages.python.org")
        assert (response.status, response.header("cache-control")) == (200, "public, max-age=3600")
        assert response.body == b"User-agent: *\nAllow: /\n\nSitemap: https://packages.python.org/sitemap.xml\n"


async def test_the_sitemap_has_the_roots_of_active_redirects_on_the_host_that_was_asked() -> None:
    """Names as their projects spell them; withdrawn ones are left out."""
    async with connected(await _store()) as connection:
        for host, origin in (("www.pythonhosted.org", "www.pythonhosted.org"), ("localhost:8080", "pythonhosted.org")):
            response = await connection.get("/sitemap.xml", host=host)
            assert (response.status, response.header("content-type")) == (200, "application/xml")
            assert response.header("cache-control") == "public, max-age=3600"
            assert sorted(map(str, _locations(response.body))) == [f"https://{origin}/Project.{n}/" for n in range(3)]


async def test_a_large_sitemap_is_an_index_of_parts() -> None:
    """Each URL is in exactly one part; part 1 to N answer, others do not."""
    store = await _store(25)
    replica = Replica(store, clock=lambda: 0.0)
    assert await replica.poll()
    sitemap = Sitemap(replica, part_urls=10)
    origin = "https://pythonhosted.org"
    index = _locations(await sitemap.render("", origin))
    assert index == [f"{origin}/sitemap.xml?part={n}" for n in (1, 2, 3)]
    parts = [_locations(await sitemap.render(f"part={n}", origin)) for n in (1, 2, 3)]
    assert [len(part) for part in parts] == [10, 10, 5]
    assert len({url for part in parts for url in part}) == 25
    for query in ("part=0", "part=4", "part=x", "part=", "x", "part=1&x=1", "part=99999999999"):
        assert await sitemap.render(query, origin) is None


async def test_a_sitemap_part_is_made_once_until_the_table_changes() -> None:
    """A crawler that asks again costs nothing; a change makes it anew."""
    store = await _store()
    replica = Replica(store, clock=lambda: 0.0)
    await replica.poll()
    sitemap = Sitemap(replica)
    first = await sitemap.render("", "https://pythonhosted.org")
    assert await sitemap.render("", "https://pythonhosted.org") is first
    await publish(store, [record("another")])
    await replica.poll()
    assert len(_locations(await sitemap.render("", "https://pythonhosted.org"))) == 4


@pytest.mark.parametrize(
    ("text", "status"), [(None, 404), ("Contact: mailto:security@example.org\\nExpires: 2027-01-01T00:00:00Z", 200)]
)
async def test_security_txt_is_a_setting(text: str | None, status: int) -> None:
    """RFC 9116; without the setting there is none."""
    async with connected(await _store(), {"DOCSREDIRECT_SECURITY_TXT": text} if text else {}) as connection:
        response = await connection.get("/.well-known/security.txt")
        assert response.status == status
        if text:
            assert response.body == b"Contact: mailto:security@example.org\nExpires: 2027-01-01T00:00:00Z\n"


async def test_health_answers_for_any_host_and_nothing_may_keep_it() -> None:
    """A load balancer asks by address."""
    async with connected(await _store()) as connection:
        for path in ("/-/health/live", "/-/health/ready"):
            response = await connection.get(path, host="10.0.0.7")
            assert (response.status, response.header("cache-control")) == (200, "no-store")
        ready = json.loads(response.body)
        assert ready["ready"] is True
        assert (ready["rows"], ready["sequence"], ready["stale"]) == (4, 1, False)
        assert (await connection.get("/six/", host="10.0.0.7")).status == 421
