"""The cache key: other spellings of a URL share an answer, and nothing shares one that edges answer differently."""

import random

from docsredirect.domain.hosts import OWN_HOSTS
from tests.cdn.spellings import Asked, as_written, respelled, strange
from tests.cdn.stage import HOST, Reader, Stage, ask, corpus, on_stage, where
from tests.support import varnish
from tests.support.edges import record, rows_of
from tests.support.old_docs import Pages
from tests.support.varnish import running_varnish

pytestmark = varnish.NEEDED

PATH_LIMIT = 8 * 1024
RULES = {"gone": None, "a/*": "x/*", "%41": "escaped/", "~x": "tilde/"}
AWKWARD = [
    record(name, f"https://{name}.example.org/", "clean", rules=RULES)
    for name in ("six", "zope-interface", "robots-txt", "sitemap-xml", "favicon-ico", "well-known", "x")
]


async def _differences(stage: Stage, questions: list[Asked]) -> list[str]:
    """Return for which questions the answer through Varnish is not that of the edge, status and Location."""
    through, direct = Reader(stage.varnish.port), Reader(stage.edge)
    found = []
    for asked in questions:
        seen, meant = await through.get(asked), await direct.get(asked)
        same_page = seen.status != 200 or seen.body == meant.body
        if where(seen) != where(meant) or not same_page:
            found.append(f"{asked}: {where(seen)}, but the edge says {where(meant)}")
    await through.close()
    await direct.close()
    return found


async def test_every_real_url_in_any_spelling_gets_the_answer_of_the_edge() -> None:
    """Each real URL as written and in another spelling, in random order."""
    dice = random.Random(1)
    urls = [row["url"] for row in rows_of("urls.jsonl")]
    questions = [as_written(url) for url in urls] + [respelled(url, dice) for url in urls]
    dice.shuffle(questions)
    async with on_stage(corpus()) as stage:
        assert await _differences(stage, questions) == []


async def test_no_two_urls_share_what_edges_answer_differently() -> None:
    """2,000 URLs put together from reserved paths, dot segments, escapes, prose, queries and foreign hosts."""
    dice = random.Random(2)
    environ = {"DOCSREDIRECT_HOSTS": "legacy.example.org", "DOCSREDIRECT_SECURITY_TXT": "Contact: mailto:a@example.org"}
    async with on_stage(AWKWARD, environ) as stage:
        # Health is for Varnish alone: what is below /-/ is answered by it.
        questions = [asked for asked in (strange(dice) for _ in range(2_000)) if not _is_ours(asked)]
        assert len(questions) > 1_700
        assert await _differences(stage, questions) == []


def _is_ours(asked: Asked) -> bool:
    segment = asked.target.partition("?")[0].partition("#")[0].lstrip("/").partition("/")[0]
    return segment.lower() in ("-", "%2d")


SAME = [
    ("/six/", "/SIX", "//six", "/s%69x/", "/six.", "/six%29", "/six).", "/%73IX//", "/six?", "/six/#x", "/six?#x"),
    ("/zope.interface/a", "/zope-interface/a", "/Zope_Interface//a", "/zope%2Einterface/a", "/zope%5f.-interface/a"),
    ("/six/a?q=1", "/Six//a?q=1", "/six/a?q=1#part"),
    ("/unknown", "/UNKNOWN/", "//unknown/", "/unknown,"),
    ("/robots-txt", "/Robots.txt", "/robots.txt/", "/robots_txt", "/robots.txt."),
    ("/robots.txt", "//robots.txt", "/robots%2etxt", "/robots.txt?"),
]


async def test_spellings_of_one_url_are_one_in_the_cache() -> None:
    """After the first spelling of each line, every other one is a hit, on each of the three hosts."""
    async with on_stage(AWKWARD) as stage:
        reader = Reader(stage.varnish.port)
        for spellings in SAME:
            told = [(await reader.get(Asked("http", HOST, each))).header("x-cache") for each in spellings]
            assert told == ["MISS", *["HIT"] * (len(spellings) - 1)], spellings
        for host in (*OWN_HOSTS, "PACKAGES.python.org:80", "www.pythonhosted.org."):
            assert (await reader.get(Asked("http", host, "/six/"))).header("x-cache") == "HIT", host
        await reader.close()


async def test_the_sitemap_and_robots_txt_are_kept_for_each_host() -> None:
    """They name the host that was asked, as the edge does."""
    async with on_stage(AWKWARD) as stage:
        for target in ("/robots.txt", "/sitemap.xml"):
            for host in (*OWN_HOSTS, *OWN_HOSTS):
                response = await ask(stage.varnish.port, target, host=host)
                assert f"https://{host}/".encode() in response.body
                others = [f"https://{other}/".encode() for other in OWN_HOSTS if other != host]
                assert not any(other in response.body for other in others)


async def test_what_is_sent_to_an_edge_is_the_url_as_it_was_sent() -> None:
    """Only the key is in normal form: path, query and host travel raw."""
    targets = ["//Zope%2einterface///a%2Fb/%7Ex?q=%41&b", "/SIX?", "/%2e%2e/x", "/six).", "/a|b"]
    async with Pages().running() as origin, running_varnish([origin.port]) as cache:
        for target in targets:
            await ask(cache.port, target, host="WWW.pythonhosted.org:80")
        assert origin.targets() == targets
        assert {asked.headers["host"] for asked in origin.asked} == {"WWW.pythonhosted.org:80"}


LONG = [
    "/six/" + "a" * (PATH_LIMIT - 5),
    "/six/" + "a" * (PATH_LIMIT - 4),
    "/six" + "/" * (PATH_LIMIT - 4),
    "/six" + "/" * (PATH_LIMIT - 3),
    "/six/?" + "q" * (PATH_LIMIT - 5),
    "/six/?" + "q" * (PATH_LIMIT - 4),
    "/six/a?" + "%41" * 2_600,
    "/six" + "." * 8_100,
    "/" + "%2D" * 2_600,
    "/" + "a-" * 3_900 + "b",
    "/a" + ")." * 3_900 + "x",
    "/?" + "?" * 7_900,
    "/six" + "//a" * 2_600,
    "/six/" + "a%2F" * 2_000,
]


async def test_long_urls_are_answered_as_by_the_edge() -> None:
    """Up to its limit and beyond it, whatever they are made of: no work space runs out, no search gives up."""
    async with on_stage(AWKWARD) as stage:
        # Two of a kind, in this order: what is too long must not be answered by what is not.
        assert await _differences(stage, [Asked("http", HOST, target) for target in ("/six/", *LONG, *LONG)]) == []
