"""Judging: each way in which a new answer can be the same as the old one, better, or worse."""

import re

import pytest

from docsredirect.domain.comparison import Judgement, Verdict, judge
from docsredirect.domain.legacy_urls import parse_url
from docsredirect.domain.outcomes import Outcome, Problem
from docsredirect.domain.reasons import Better, Worse
from docsredirect.domain.resolve import Answer
from docsredirect.domain.told import Told

NO_TABLE = "-"


def outcome(text: str) -> Outcome:
    """Read an answer: a status, a place, ``+1`` for each hop on the way, and a problem or a digest in brackets."""
    words = text.split(" ")
    notes = [word.strip("[]") for word in words if word.startswith("[")]
    problems = [each for each in Problem if each.code in notes]
    digests = [note for note in notes if note.startswith("body")]
    status = int(words[0]) if words[0].isdigit() else None
    places = [word for word in words[1:] if not word.startswith(("+", "["))]
    via = tuple(f"https://pythonhosted.org/hop/{number}" for number in range(words.count("+1")))
    return Outcome(
        status, places[0] if places else None, via, problems[0] if problems else None, digests[0] if digests else None
    )


def told(text: str) -> Told | None:
    """Read what a table says: the answer, its rule in brackets, and after ``now`` and ``was`` where the old service
    leads with the record; ``none`` is nowhere."""
    if text == NO_TABLE:
        return None
    head, *rest = re.split(" (?=now |was )", text)
    words = head.split(" ")
    rules = [word.strip("[]") for word in words if word.startswith("[")]
    location = next((word for word in words[1:] if not word.startswith("[")), None)
    expected = Answer(int(words[0]), location, rules[0] if rules else "path", "six")
    places = [(kind, None if place == "none" else place) for kind, _, place in (each.partition(" ") for each in rest)]
    now = next((place for kind, place in places if kind == "now"), None)
    return Told(expected, now, frozenset(place for kind, place in places if kind == "was"))


def judged(url: str, old: str, new: str, table: str = NO_TABLE) -> Judgement:
    """Judge answers in the notation of the tables."""
    parsed = parse_url(url)
    assert parsed is not None
    return judge(parsed, outcome(old), outcome(new), told(table))


def reasons(judgement: Judgement) -> str:
    """Return the reasons for the verdict as the tables have them."""
    return " ".join(reason.code for reason in judgement.reasons)


SAME = [
    ("/six/x", "301 https://s.org/x", "301 https://s.org/x"),
    ("/six/x", "301 https://s.org/x", "308 https://s.org/x"),
    ("/six/x", "302 https://s.org/x", "307 https://s.org/x"),
    ("/six/x", "301 https://s.org/x +1", "301 https://s.org/x +1"),
    ("/six/x", "301 https://S.org:443/%7ex", "301 https://s.org/~x"),
    ("/six/", "301 https://s.org", "301 https://s.org/"),
    ("/six/x", "301 https://s.org/é", "301 https://s.org/%C3%A9"),
    ("/six/x?", "301 https://s.org/x?", "301 https://s.org/x"),
    ("/six/x?q=%2f", "301 https://s.org/x?q=%2f", "301 https://s.org/x?q=%2F"),
    ("/none", "404", "404"),
    ("/none", "400", "404"),
    ("/none", "400", "405"),
    ("/none", "404", "414"),
    ('/no"ne', "404", "400"),
    ("/no%ne", "404", "400"),
    ("/six/", "410", "410"),
    ("/old/page", "200 [body-a]", "200 [body-a]"),
    ("/old/page", "200 [body-a] +1", "200 [body-a] +1"),
]


@pytest.mark.parametrize(("url", "old", "new"), SAME)
def test_the_same(url: str, old: str, new: str) -> None:
    """Equal in status class, place and hops is the same; how the place is spelled does not matter."""
    assert judged(url, old, new) == Judgement((), ())
    assert judged(url, old, new).verdict is Verdict.SAME


BETTER = [
    ("/six", "301 https://s.org/ +1", "301 https://s.org/", "fewer-hops"),
    ("/none", "404 +1 +1", "404", "fewer-hops"),
    ("/Six/", "404", "301 https://s.org/", "spelling"),
    ("//six/", "404", "301 https://s.org/", "spelling"),
    ("/six).", "404", "301 https://s.org/", "spelling"),
    ("/six/", "404", "301 https://s.org/", "found"),
    ("/six/", "405", "301 https://s.org/", "found"),
    ("/six/", "410", "301 https://s.org/", "found"),
    ("/six/x?q=1", "301 https://s.org/x", "301 https://s.org/x?q=1", "query-kept"),
    ("/six/a%2Fb", "301 https://s.org/a/b", "301 https://s.org/a%2Fb", "escapes-kept"),
    ("/six/a%3Fb", "301 https://s.org/a?b", "301 https://s.org/a%3Fb", "escapes-kept"),
    ("/six/a%3Fb?q", "301 https://s.org/a?b", "301 https://s.org/a%3Fb?q", "query-kept escapes-kept"),
    ("/six/a%23b", "301 https://s.org/a#b", "301 https://s.org/a%23b", "escapes-kept"),
    ("/six/a%2541", "301 https://s.org/aA", "301 https://s.org/a%2541", "escapes-kept"),
    ("/six//x", "301 https://s.org//x", "301 https://s.org/x", "slashes"),
    ("/six/x", "302 https://s.org/x", "301 https://s.org/x", "permanent"),
    ("/six/x", "307 https://s.org/x", "308 https://s.org/x", "permanent"),
    ("/six/x", "301 https://s.org/en/", "301 https://s.org/en/x", "page"),
    ("/six/x", "301 https://s.org/en", "301 https://www.s.org/en/x", "page"),
    ("/six/x", "301 http://s.org/x", "301 https://s.org/x", "https"),
    ("/six/x", "200 [body-a]", "301 https://s.org/x", "redirect-for-page"),
    ("/none", "404", "410", "withdrawn"),
    ("/", "404", "200 [body-a]", "own-page"),
    ("/robots.txt", "200 [body-a]", "200 [body-b]", "own-page"),
    ("/", "301 https://elsewhere.org/", "200 [body-b]", "own-page"),
    ("/six/../x", "302 https://s.org/../x", "404", "never-served"),
    ("/six/%2e%2E/x", "200 [body-a]", "404", "never-served"),
    ("/six/a%0Ab", "302 https://s.org/a%0Ab", "404", "never-served"),
    ("/six/" + "x" * 9_000, "302 https://s.org/" + "x" * 9_000, "414", "never-served"),
    ("/six/", "500", "301 https://s.org/", "old-failed"),
    ("/six/", "500", "404", "old-failed"),
    ("/six/", "302 https://pythonhosted.org/six/ [loop]", "301 https://s.org/", "old-looped"),
    ("/six/", "302 https://pythonhosted.org/six/ [too-many-hops]", "301 https://s.org/", "old-looped"),
    ("/%2Fevil.org", "302 //evil.org/ [nowhere]", "404", "old-strayed"),
    ("/SIX?q", "302 https://s.org/ +1", "301 https://s.org/?q", "fewer-hops query-kept permanent"),
]


@pytest.mark.parametrize(("url", "old", "new", "why"), BETTER)
def test_better(url: str, old: str, new: str, why: str) -> None:
    """Each thing that makes an answer better is named, all of them at once."""
    judgement = judged(url, old, new)
    assert (judgement.verdict, reasons(judgement)) == (Verdict.BETTER, why)


WORSE = [
    ("/six/", "301 https://s.org/", "404", "absent"),
    ("/six/x", "301 https://s.org/x", "414", "error"),
    ("/six/", "301 https://s.org/", "410", "gone"),
    ("/six/", "301 https://s.org/", "400", "error"),
    ("/six/", "301 https://s.org/", "500", "error"),
    ("/six/", "301 https://s.org/", "304", "error"),
    ("/six/", "301 https://s.org/", "- [timeout]", "no-answer"),
    ("/six/", "301 https://s.org/", "- [unreachable]", "no-answer"),
    ("/six/", "301 https://s.org/", "- [broken]", "no-answer"),
    ("/six/", "301 https://s.org/", "301 /six/ [loop]", "loop"),
    ("/six/", "301 https://s.org/", "301 /six/ [too-many-hops]", "loop"),
    ("/six/", "301 https://s.org/", "301 //s.org/ [nowhere]", "strayed"),
    ("/six/", "500", "500", "error"),
    ("/six/", "- [timeout]", "- [timeout]", "no-answer"),
    ("/six/", "301 https://s.org/", "301 https://t.org/", "another-place"),
    ("/six/", "301 https://s.org/", "301 https://s.org/#top", "another-place"),
    ("/six/", "301 https://s.org/", "301 https://s.org:8443/", "another-place"),
    ("/six/x", "301 https://s.org/x", "301 https://s.org/x/", "another-place"),
    ("/six/x", "301 https://s.org/x", "301 https://s.org/X", "another-place"),
    ("/six/x", "301 https://s.org/x", "301 https://s.org//x", "another-place"),
    ("/six/x", "301 https://s.org/en", "301 https://s.org/english/x", "another-place"),
    ("/six/x?q", "301 https://s.org/x?q", "301 https://s.org/x?r", "query-lost"),
    ("/six/x?q", "301 https://s.org/x", "301 https://s.org/x?r", "another-place"),
    ("/six/x?q", "301 https://s.org/x?q", "301 https://s.org/x", "query-lost"),
    ("/six/x", "301 https://s.org/en/x", "301 https://s.org/en/", "page-lost"),
    ("/six/a%2Fb", "301 https://s.org/a%2Fb", "301 https://s.org/a/b", "escapes-lost"),
    ("/six/x", "301 https://s.org/x", "301 http://s.org/x", "http"),
    ("/six/x", "301 https://s.org/x", "302 https://s.org/x", "temporary"),
    ("/six/x", "301 https://s.org/x", "301 https://s.org/x +1", "more-hops"),
    ("/six/x", "404", "301 https://s.org/x +1", "more-hops"),
    ("/six/x", "302 https://s.org/x", "301 https://t.org/x +1", "another-place more-hops"),
    ("/six/x", "301 https://s.org/x", "200 [body-a]", "page-for-redirect"),
    ("/none", "404", "200 [body-a]", "page-for-nothing"),
    ("/none", "404", "403", "error"),
    ("/none", "404", "421", "error"),
    ("/none", "404", "429", "error"),
    ("/none", "404", "405", "error"),
    ("/none", "404", "400", "error"),
    ("/six/", "410", "404", "absent"),
    ("/old/", "200 [body-a]", "404", "absent"),
    ("/old/", "200 [body-a]", "410", "gone"),
    ("/old/", "200 [body-a]", "200 [body-b]", "another-body"),
]


@pytest.mark.parametrize(("url", "old", "new", "why"), WORSE)
def test_worse(url: str, old: str, new: str, why: str) -> None:
    """Each thing that makes an answer worse is named; what is better beside it saves nothing."""
    judgement = judged(url, old, new)
    assert (judgement.verdict, reasons(judgement)) == (Verdict.WORSE, why)


BY_TABLE = [
    # A place that the table wants is better where the old service makes the old place of the same record …
    ("/six/x", "302 https://s.org/", "301 https://s.org/x", "301 https://s.org/x now https://s.org/", "permanent page"),
    ("/six/x", "302 https://s.org/x", "302 https://t.org/y", "302 https://t.org/y [x] now https://s.org/x", "rule"),
    ("/six/x", "302 https://s.org/x", "410", "410 [x] now https://s.org/x", "withdrawn"),
    ("/six/x", "302 https://s.org/", "410", "410 was https://s.org/", "withdrawn"),
    ("/six/x", "404", "410", "410", "withdrawn"),
    ("/old/", "200 [body-a]", "410", "410", "withdrawn"),
    # … or of what it was before …
    ("/six/", "301 https://s.org/", "301 https://t.org/", "301 https://t.org/ was https://s.org/", "changed"),
    ("/six/", "301 https://s.org/", "404", "404 was https://s.org/", "changed"),
    # … or where it lies below the old one.
    ("/six/x", "301 https://s.org/", "301 https://s.org/x", "301 https://s.org/x now https://s.org/x", "page"),
    # What the old web server quotes anew is the same place.
    ("/six/é", "302 https://s.org/%C3%A9", "410", "410 [é] now https://s.org/é", "withdrawn"),
    # The table decides about http, about queries, and about the status.
    ("/six/", "301 https://s.org/", "301 http://s.org/", "301 http://s.org/", ""),
    ("/six/?q", "301 https://s.org/?q", "301 https://s.org/?r", "301 https://s.org/?r", ""),
    ("/six/", "301 https://s.org/", "302 https://s.org/", "302 https://s.org/", ""),
    # How a name is spelled is told by whether the old service knows it so.
    ("/Six/", "404", "301 https://s.org/", "301 https://s.org/ now https://s.org/", "found"),
    ("/six/", "404", "301 https://s.org/", "301 https://s.org/", "spelling"),
    # What has no redirect may have an old page, or lead where it always did.
    ("/old/", "200 [body-a]", "200 [body-a]", "404", ""),
    ("/old/", "302 https://s.org/", "302 https://s.org/", "404", ""),
]  # fmt: skip


@pytest.mark.parametrize(("url", "old", "new", "table", "why"), BY_TABLE)
def test_what_the_table_wants_is_better_or_the_same(url: str, old: str, new: str, table: str, why: str) -> None:
    """A new answer that is the table's own is excused, with the reason that the record gives."""
    judgement = judged(url, old, new, table)
    assert (judgement.worse, reasons(judgement)) == ((), why)


AGAINST_TABLE = [
    # The same as the old answer is not enough where the table says otherwise.
    ("/six/x", "302 https://s.org/x", "302 https://s.org/x", "301 https://s.org/x", "temporary"),
    ("/six/x", "301 https://s.org/x", "301 https://s.org/x", "302 https://s.org/x", "permanent-for-temporary"),
    ("/six/x?q", "302 https://s.org/x", "301 https://s.org/x", "301 https://s.org/x?q", "query-lost"),
    ("/six/x", "302 https://s.org/", "301 https://s.org/", "301 https://s.org/x", "page-lost"),
    ("/six/x", "302 https://s.org/x", "301 https://s.org/x", "301 https://t.org/x", "another-place"),
    ("/six/x", "404", "301 https://s.org/x/y", "301 https://s.org/x", "another-place"),
    ("/six/x", "404", "301 https://s.org/x?q", "301 https://s.org/x", "another-place"),
    ("/six/x", "404", "404", "301 https://s.org/x", "absent"),
    ("/six/x", "404", "410", "301 https://s.org/x", "gone"),
    ("/six/x", "404", "200 [body-a]", "301 https://s.org/x", "page-for-redirect page-for-nothing"),
    ("/six/x", "404", "421", "301 https://s.org/x", "error"),
    ("/six/x", "302 https://s.org/x", "301 https://s.org/x", "410", "not-withdrawn"),
    ("/six/x", "404", "404", "410", "not-withdrawn"),
    ("/none", "404", "301 https://s.org/", "404", "another-place"),
    ("/none", "404", "410", "404", "gone"),
    # The table wants it so, but the old service leads to a place that nobody knows of.
    ("/six/x", "302 https://u.org/", "301 https://s.org/", "301 https://s.org/ now https://s.org/", "another-place"),
    ("/six/x", "302 https://u.org/x", "404", "404 was https://s.org/x", "absent"),
    ("/six/x", "302 https://u.org/x", "410", "410 was https://s.org/x", "gone"),
    # What has no redirect leads where it led, or is worse; a page below is no better.
    ("/old/", "302 https://s.org/", "302 https://t.org/", "404", "another-place"),
    ("/old/x", "302 https://s.org/", "302 https://s.org/x", "404", "another-place"),
    ("/old/", "302 https://s.org/", "302 http://s.org/", "404", "http"),
    ("/old/", "302 https://s.org/", "302 https://t.org/", "404 was https://s.org/", "another-place"),
    # Who refuses has not said that there is nothing.
    ("/none", "405", "403", "404", "error"),
    ("/none", "- [timeout]", "403", "404", "error"),
    # What is wrong by the table is so whatever the old side did not say.
    ("/six/x", "- [timeout]", "404", "301 https://s.org/x", "absent"),
    ("/six/x", "503", "301 https://t.org/x", "301 https://s.org/x", "another-place"),
    # An old page that is lost is lost, redirect or not.
    ("/old/", "200 [body-a]", "404", "404", "absent"),
    ("/six/x", "302 https://s.org/x", "301 https://s.org/x +1", "301 https://s.org/x now https://s.org/x", "more-hops"),
]  # fmt: skip


@pytest.mark.parametrize(("url", "old", "new", "table", "why"), AGAINST_TABLE)
def test_what_the_table_does_not_want_is_worse(url: str, old: str, new: str, table: str, why: str) -> None:
    """A new answer that is not the table's own is worse, whatever the old one was."""
    judgement = judged(url, old, new, table)
    assert (judgement.verdict, reasons(judgement)) == (Verdict.WORSE, why)


SILENT = ["- [timeout]", "- [unreachable]", "- [broken]", "403", "421", "429", "502", "503", "504", "503 +1"]
ANSWERS = [
    ("301 https://s.org/", NO_TABLE),
    ("301 https://s.org/", "301 https://s.org/"),
    ("404", "404"),
    ("302 https://s.org/", "404"),
    ("410", "410"),
    ("404", NO_TABLE),
    ("301 https://s.org/ +1", NO_TABLE),
]


@pytest.mark.parametrize("old", SILENT)
@pytest.mark.parametrize(("new", "table"), ANSWERS)
def test_what_the_old_side_has_not_said_is_not_compared(old: str, new: str, table: str) -> None:
    """Nothing is the same as no answer, or better than it; nor than one that tells of who asks, or of the moment."""
    judgement = judged("/six/", old, new, table)
    assert (judgement.verdict, judgement.reasons) == (Verdict.NOT_COMPARED, ())


def test_every_reason_is_shown() -> None:
    """The tables above have each reason there is; each has a code of its own, and words."""
    tables = [case[-1] for case in (*BETTER, *WORSE, *BY_TABLE, *AGAINST_TABLE)]
    shown = {code for codes in tables for code in codes.split()}
    everything = [*Better, *Worse]
    assert shown == {reason.code for reason in everything}
    assert (
        len({reason.code for reason in everything}) == len({reason.words for reason in everything}) == len(everything)
    )
