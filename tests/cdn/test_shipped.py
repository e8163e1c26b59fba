"""The configurations that are shipped say the same: for Varnish, for Fastly, and as the edge itself has it."""

import re
from pathlib import Path

import pytest

from docsredirect.domain import reserved
from docsredirect.domain.reserved import Page
from docsredirect.edge.requests import ALLOWED_METHODS
from tests.cdn import vcl_text
from tests.cdn.vcl_text import Sub
from tests.support import varnish

DEPLOY = Path(__file__).parent.parent.parent / "deploy"
VARNISH = vcl_text.subs((DEPLOY / "varnish" / "default.vcl").read_text(encoding="utf-8"))
FASTLY_TEXT = (DEPLOY / "fastly" / "docsredirect.vcl").read_text(encoding="utf-8")
FASTLY = vcl_text.subs(FASTLY_TEXT)
BOTH = [pytest.param(VARNISH, id="varnish"), pytest.param(FASTLY, id="fastly")]
STATES = {
    "vcl_recv": {"lookup"}, "vcl_hash": {"hash"}, "vcl_hit": {"deliver"}, "vcl_miss": {"fetch"}, "vcl_pass": {"pass"},
    "vcl_fetch": {"deliver", "deliver_stale", "pass"}, "vcl_deliver": {"deliver"},
    "vcl_error": {"deliver", "deliver_stale"}, "vcl_log": set[str](),
}  # fmt: skip
RESTARTING = {"vcl_fetch", "vcl_deliver", "vcl_error"}


@pytest.mark.parametrize("name", ["make_key", "make_site", "take_apart", "make_short_key"])
def test_both_make_the_same_cache_key(name: str) -> None:
    """With the same patterns in the same places: the tests of the key on a real Varnish speak for both."""
    patterns = [[each for each in subs[name].strings() if not _is_punctuation(each)] for subs in (VARNISH, FASTLY)]
    assert patterns[0] == patterns[1]
    assert patterns[0]


def _is_punctuation(text: str) -> bool:
    """What keys are put together with, and not what is looked for."""
    return text in ("", " ", "/", " /")


@pytest.mark.parametrize("name", ["unset_old_headers", "unset_request_headers", "unset_response_headers"])
def test_both_remove_the_same_headers(name: str) -> None:
    """But for those that only one of them adds."""
    own = {"X-Since", "X-Old-Failed", "X-Path", "X-CDN-Secret", "X-Varnish", "X-Cache-Hits", "X-Served-By", "X-Timer"}
    own |= {"X-Tags", "xkey"}
    removed = [{text.partition(".http.")[2] for text in subs[name].after("unset")} for subs in (VARNISH, FASTLY)]
    assert removed[0] - own == removed[1] - own
    assert len(removed[0] - own) > 4


@pytest.mark.parametrize("subs", BOTH)
def test_readers_never_see_what_is_meant_for_caches(subs: dict[str, Sub]) -> None:
    """The headers that the contract with readers names."""
    removed = {text.partition(".http.")[2] for text in subs["unset_response_headers"].after("unset")}
    assert removed >= {
        "Age", "Surrogate-Control", "Surrogate-Key", "Cache-Tag", "CDN-Cache-Control", "Via", "X-Varnish",
        "X-CDN-Secret",
    }  # fmt: skip
    assert {"call", "unset_response_headers"} <= {token.text for token in subs["vcl_deliver"].body}


@pytest.mark.parametrize("subs", BOTH)
def test_the_statuses_that_are_kept_are_those_that_the_edge_lets_keep(subs: dict[str, Sub]) -> None:
    """Redirects, 404 and 410, and 200 of the service's own pages."""
    kept = set(subs["keep_answer"].after("beresp.status", "=="))
    assert kept == {"301", "302", "307", "308", "404", "410", "200"}


@pytest.mark.parametrize("subs", BOTH)
def test_the_methods_are_those_of_the_edge(subs: dict[str, Sub]) -> None:
    """In the condition, and in what a refused reader is told."""
    assert set(subs["vcl_recv"].after("req.method", "!=")) == {f'"{method}"' for method in ALLOWED_METHODS}
    told = [text for sub in subs.values() for text in sub.strings() if text.startswith("GET,")]
    assert told == [", ".join(ALLOWED_METHODS)]


def test_reserved_paths_are_those_of_the_edge() -> None:
    """Each that could be taken for a name is set apart in its very spelling, and nothing else is."""
    [pattern] = [text for text in VARNISH["make_short_key"].strings() if "robots" in text]
    for path, page in reserved._EXACT.items():
        # The one is answered by the CDN itself, the other's first segment is no name.
        if page not in (Page.SERVICE, Page.SECURITY):
            assert re.search(pattern, path), path
    for prefix, page in reserved._BELOW:
        assert page is Page.SERVICE or re.search(pattern, prefix + "x"), prefix
    for path in ("/Robots.txt", "/robots.txt/", "/robots-txt", "/packages2", "/x/robots.txt", "/sitemap.xml/x"):
        assert not re.search(pattern, path), path


def test_fastly_s_file_has_its_macros_and_states() -> None:
    """Each of Fastly's subroutines has its macro, ends in states that exist there, and calls what there is."""
    assert {name for name in FASTLY if name.startswith("vcl_")} == set(STATES)
    for name, sub in FASTLY.items():
        macros = [token.text for token in sub.body if token.kind == "macro"]
        assert macros == ([f"#FASTLY {name.removeprefix('vcl_')}"] if name in STATES else []), name
        assert set(sub.after("return", "(")) <= STATES.get(name, set()), name
        assert name in RESTARTING or "restart" not in {token.text for token in sub.body}, name
        assert set(sub.after("call")) <= set(FASTLY), name


def test_fastly_decodes_nothing_in_our_strings() -> None:
    """A percent sign stands in long strings only: in short ones it begins an escape there."""
    assert [token for token in vcl_text.tokens(FASTLY_TEXT) if token.kind == "short" and "%" in token.text] == []


def test_no_step_is_taken_twice() -> None:
    """Steps only lead on, so a request is restarted three times at the most at Fastly, and four in Varnish."""
    for subs, order in (
        (FASTLY, ["edge", "again", "old", "absent"]),
        (VARNISH, ["edge", "refresh", "stale", "old", "absent"]),
    ):
        named = {text.strip('"') for sub in subs.values() for text in sub.after("set", "req.http.X-Step", "=")}
        assert named == set(order)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("sub a {\n  set x = 1\n  unset y;\n}", "line 2: set does not end"),
        ("sub a {\n  if (b) {\n    call c;\n", "line 1: { is not closed"),
        ("sub a {\n  else { call c; }\n}", "line 2: else follows no if"),
        ("sub a { if (b { call c; } }", "line 1: ( is not closed"),
        ("sub a {\n  sett x = 1;\n}", "line 2: sett is no statement"),
        ('sub a { set x = "y; }', "line 1: '\"y"),
    ],
)
def test_what_is_not_put_together_properly_is_found(text: str, fault: str) -> None:
    """The reader of these files is no compiler, but sees a slip."""
    with pytest.raises(ValueError, match=re.escape(fault)):
        vcl_text.subs(text)


@varnish.on_varnish
@pytest.mark.parametrize("old_docs", [False, True])
async def test_the_addresses_that_are_shipped_compile(old_docs: bool) -> None:
    """As they are, and with the old pages that stand there as a comment; names are those of this machine."""
    text = (DEPLOY / "varnish" / "backends.vcl").read_text(encoding="utf-8")
    if old_docs:
        shown = re.findall(r"(?m)^# (backend old_docs \{\n(?:#.*\n)+)", text)
        assert len(shown) == 1
        text = text.replace("backend old_docs none;", re.sub(r"(?m)^# ?", "", shown[0]))
    assert text.count("backend old_docs none;") == 1 - old_docs
    await varnish.compile_with(re.sub(r'\.host = "[^"]+"', '.host = "127.0.0.1"', text))
