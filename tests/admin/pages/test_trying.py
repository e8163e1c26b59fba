"""Trying a link: each kind of answer in words, the steps that led there, and links as people write them."""

from urllib.parse import quote

import pytest

from docsredirect.admin.pages.trying import unwrapped
from tests.support.admin import BOOTSTRAP, CREATE, Admin, record, running_admin
from tests.support.stores import FakeStore
from tests.support.visitor import visiting


async def _fill(admin: Admin) -> None:
    rules = {"siteindex.html": "sitemap/", "private/*": None, "x\u202egnp.html": "y/", "": "welcome/"}
    await admin.put(record("Markdown", "https://md.example.org/", rules=rules), CREATE)
    await admin.put(record("withdrawn", state="gone"), CREATE)
    await admin.put(record("temporary", "https://t.example.org/", status=302), CREATE)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://pythonhosted.org/Markdown/siteindex.html", "https://md.example.org/sitemap/ By the rule siteindex"),
        ("pythonhosted.org/Markdown/x.html?a=b", "https://md.example.org/x.html?a=b By the project’s path policy"),
        ("/markdown", "https://md.example.org/welcome/ By the rule for the project’s root page."),
        ("/temporary/", "Readers are sent on · 302, for now"),
        ("http://packages.python.org/markdown/siteindex.html", "Readers are sent on · 301, for good"),
        ("/never-set/x", "Nobody has said where never-set lives now · 404"),
        ("/Never.Set).", "Nobody has said where never-set lives now · 404"),
        ("/-illegal-/", "This is not the address of a project’s documentation · 404"),
        ("/markdown/../x", "This is not the address of a project’s documentation · 404"),
        ("/withdrawn/x", "The maintainers of withdrawn have withdrawn its documentation."),
        ("/markdown/private/x", "A rule of markdown says that this page is gone: private/*."),
        ("https://example.org/markdown/", "This host is not one of ours · 421"),
        ("ftp://pythonhosted.org/markdown/", "This is no web address · 400"),
        ("/markdown/" + "x" * 9_000, "This is too long · 414"),
        ("/robots.txt", "A page of this service itself · 200"),
    ],
)  # fmt: skip
async def test_each_answer_is_told_in_words(admin: Admin, url: str, said: str) -> None:
    """What readers get, and the rule that says so; the last step is the answer."""
    await _fill(admin)
    async with visiting(admin.port, BOOTSTRAP) as visitor:
        seen = await visitor.get(f"/try?url={quote(url, safe='')}")
    assert seen.status == 200
    assert said in seen.text
    assert "Why, step by step Host" in seen.text
    assert seen.text.rindex("Answer The answer is") > seen.text.index("Host")


@pytest.mark.parametrize(
    "written",
    [
        "<http://pythonhosted.org/six/>", '"http://pythonhosted.org/six/"', "  (http://pythonhosted.org/six/)\t",
        "“http://pythonhosted.org/six/”", "[<http://pythonhosted.org/six/>]", "`http://pythonhosted.org/six/`",
    ],
)  # fmt: skip
def test_what_stands_around_a_link_is_left_out(written: str) -> None:
    """Brackets, quotes and blanks, as mails and markup have them; in pairs."""
    assert unwrapped(written) == "http://pythonhosted.org/six/"


@pytest.mark.parametrize("written", ["http://pythonhosted.org/six/)", "<http://pythonhosted.org/six/", "<", "", "/a'"])
def test_half_a_pair_is_part_of_the_link(written: str) -> None:
    """What to make of it, the decision itself knows."""
    assert unwrapped(written) == written


async def test_what_a_name_alone_means_is_offered(admin: Admin) -> None:
    """A project's name, or a path without its slash, is taken for a host: the page says what to try."""
    await _fill(admin)
    async with visiting(admin.port, BOOTSTRAP) as visitor:
        for given, meant in (("Markdown", "/Markdown/"), ("markdown/siteindex.html", "/markdown/siteindex.html")):
            seen = await visitor.get(f"/try?url={quote(given, safe='')}")
            link = f"/try?url={quote(meant.lower(), safe='')}"
            assert link in seen.links
            assert "Readers are sent on" in (await visitor.get(link)).text
        assert not [link for link in (await visitor.get("/try?url=x.example.org:80@")).links if "url=" in link]


async def test_who_may_write_a_project_is_led_to_it(admin: Admin) -> None:
    """Others are told who can."""
    await _fill(admin)
    async with visiting(admin.port, await admin.new_token(["new-one"])) as visitor:
        assert "/projects/new-one" in (await visitor.get("/try?url=/New.One/x")).links
        other = await visitor.get("/try?url=/another/x")
        assert "/projects/another" not in other.links
        assert "Its maintainers can set one" in other.text
        assert "/projects/markdown" not in (await visitor.get("/try?url=/markdown/")).links


async def test_hostile_text_is_shown_as_text(admin: Admin) -> None:
    """In the link, in the rule that answers, and in the longest location: the page stays small and nothing runs."""
    await _fill(admin)
    await admin.put(record("long", "https://long.example.org/"), CREATE)
    async with visiting(admin.port, BOOTSTRAP) as visitor:
        for url in (
            '"><script>alert(1)</script>', "/markdown/<script>", "javascript:alert(1)", "/markdown/x\u202egnp.html",
            "/long/" + "&" * 7_900, "/long/" + "é" * 1_200, "\u202e/markdown/", "&" * 30_000, "/\ud800"
        ):  # fmt: skip
            encoded = quote(url, safe="", errors="surrogatepass") if len(url) < 9_000 else url.replace("&", "x")
            seen = await visitor.get(f"/try?url={encoded}")
            assert seen.status == 200, url
            assert "<script>" not in seen.html
            assert not [link for link in seen.links if not link.startswith(("/", "#", "https://"))]


async def test_a_name_that_cannot_be_known_now_is_told(store: FakeStore) -> None:
    """While no table is held and the store fails: 503 in words, never 404."""
    store.failing = ""
    async with running_admin(store, wait=False) as admin, visiting(admin.port, BOOTSTRAP) as visitor:
        seen = await visitor.get("/try?url=/unread/")
    assert "This cannot be known right now · 503" in seen.text
