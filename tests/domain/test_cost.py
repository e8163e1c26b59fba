"""The cost of hostile input, in steps that are counted and never in seconds: it grows no faster than its length."""

import sys
from collections.abc import Callable
from itertools import pairwise
from types import FrameType
from typing import Any

import pytest

from docsredirect.domain import escapes, json_text, paths
from docsredirect.domain.errors import MalformedText
from docsredirect.domain.records import Record
from docsredirect.domain.resolve import Find, resolve, strip_prose
from docsredirect.domain.routes import Route
from tests.domain.cases import parse, title

SIZES = (2_048, 4_096, 8_150)
"""Bytes of hostile path, up to the longest that is looked at."""

DEPTH = 500
DEEP = Record(
    project="p",
    target="https://t.example.org/",
    path="clean",
    rules={"a/" * depth + "*": "x/*" for depth in range(1, DEPTH + 1)}
    | {"a/" * depth + "b.html": None for depth in range(DEPTH)},
)
"""1,000 rules, the deepest of them 500 segments deep: more than a whole record may hold."""

WIDE = Record(
    project="p",
    target="https://t.example.org/",
    path="clean",
    rules={f"a/{number}/*": "x/*" for number in range(999)} | {"index.html/*": None},
)
PLAIN = Record(project="p", target="https://t.example.org/", path="clean")
RECORDS = {"deep": DEEP, "wide": WIDE}

STEPS_PER_BYTE = 40
"""The most that one byte may cost: what is escaped costs a call of its own, about 31 steps as they are counted."""

UNITS = [
    *("a/", "index.html/", "/index.html", "%2e", ".", "./", "%29", ")", "/", "%2f", "%5c..", "%", "%zz", "%25", "a"),
    *(
        "\u4e2d",
        "\udcff",
        "x.html",
        "b.html/",
        "*",
        "*/",
        "A/",
        "a//",
        "a/index.html/",
        "\x00",
        "%00",
        "?",
        "[",
        "-",
        "@",
    ),
]


class Steps:
    """Counts the lines, the calls and the dictionary look-ups of everything that runs within it."""

    def __init__(self) -> None:
        self.total = 0
        self.lookups = 0

    def __enter__(self) -> "Steps":
        self._tracer, self._profiler = sys.gettrace(), sys.getprofile()
        sys.setprofile(self._count_call)
        sys.settrace(self._count_line)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._tracer)
        sys.setprofile(self._profiler)

    def _count_line(self, _frame: FrameType, _event: str, _arg: Any) -> Any:
        self.total += 1
        return self._count_line

    def _count_call(self, _frame: FrameType, event: str, arg: Any) -> None:
        self.total += 1
        if event == "c_call" and getattr(arg, "__name__", "") == "get" and isinstance(arg.__self__, dict):
            self.lookups += 1


class Copied(str):
    """A text that counts the characters that are copied out of it."""

    characters = 0

    def __getitem__(self, key: Any) -> str:
        part = super().__getitem__(key)
        Copied.characters += len(part)
        return part


def filled(unit: str, size: int) -> str:
    """Return `unit` repeated to `size` bytes."""
    return unit * (size // len(escapes.utf8(unit)))


def table(record: Record) -> Find:
    """Return a table that answers for every name."""
    route = Route(record)
    return lambda name: route


def steps_to_resolve(find: Find, path: str) -> Steps:
    """Return how much a look at `path` costs."""
    with Steps() as steps:
        resolve(find, path)
    return steps


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
@pytest.mark.parametrize("place", ["/p/{}", "/p{}", "/{}", "/p/a/{}x.html"])
@pytest.mark.parametrize("unit", UNITS, ids=title)
def test_steps_grow_at_most_with_length(unit: str, place: str, record: Record) -> None:
    """Twice the path costs at most twice the steps, whatever it repeats."""
    find = table(record)
    totals = [steps_to_resolve(find, place.format(filled(unit, size))).total for size in SIZES]
    for less, more in pairwise(totals):
        assert more <= 2 * less + 40, totals
    assert totals[-1] <= 60 + STEPS_PER_BYTE * SIZES[-1], totals


def test_counter_sees_quadratic_work() -> None:
    """The counter is no ornament: it tells quadratic work from linear."""

    def quadratic(text: str) -> None:
        for end in range(len(text)):
            for _ in text[:end]:
                pass

    with Steps() as less:
        quadratic("a" * 50)
    with Steps() as more:
        quadratic("a" * 100)
    assert more.total > 3 * less.total


@pytest.mark.parametrize("size", SIZES)
def test_looks_up_no_deeper_than_the_rules(size: int) -> None:
    """A path of 4,000 folders tries no more of them than the deepest rule has."""
    assert steps_to_resolve(table(DEEP), "/p/" + filled("a/", size)).lookups <= DEPTH + 2
    assert steps_to_resolve(table(WIDE), "/p/" + filled("a/", size)).lookups <= 4
    assert steps_to_resolve(table(PLAIN), "/p/" + filled("a/", size)).lookups <= 2


def test_deepest_rule_is_found() -> None:
    """The deep record does answer by its deepest rule, so the figures above measure the real thing."""
    answer = resolve(table(DEEP), "/p/" + "a/" * DEPTH + "x.html")
    assert (answer.location, answer.rule) == ("https://t.example.org/x/x/", "a/" * DEPTH + "*")


def test_deepest_accepted_rule() -> None:
    """The longest `from` that is accepted bounds the depth of a walk."""
    source = "a/" * 511 + "*"
    record = parse({"project": "p", "target": "https://t.example.org/", "path": "keep", "rules": {source: "x/*"}})
    assert resolve(table(record), "/p/" + "a/" * 600).rule == source
    assert steps_to_resolve(table(record), "/p/" + "a/" * 4_000).lookups <= 513


COPYING: dict[str, Callable[[str], object]] = {
    "page_key": paths.page_key,
    "clean": paths.clean,
    "strip_prose": strip_prose,
    "deep": Route(DEEP).match,
    "wide": Route(WIDE).match,
    "plain": Route(PLAIN).match,
}


@pytest.mark.parametrize("function", COPYING.values(), ids=COPYING)
@pytest.mark.parametrize("unit", UNITS, ids=title)
def test_copies_grow_at_most_with_length(unit: str, function: Callable[[str], object]) -> None:
    """No step copies what is left of the path: in all, a few times its length is copied."""
    text = Copied(filled(unit, SIZES[-1]))
    Copied.characters = 0
    function(text)
    assert Copied.characters <= 4 * len(text) + 40


def test_too_long_is_not_looked_at() -> None:
    """Over 8 KiB, a few steps tell, however long the path is."""
    steps = [steps_to_resolve(table(DEEP), "/p/" + "a/" * count).total for count in (5_000, 500_000)]
    assert steps[0] == steps[1] < 40


def test_checking_rules_grows_with_their_number() -> None:
    """A record with twice the rules costs at most about twice the steps to check and to compile."""
    totals = []
    for count in (250, 500, 1_000):
        raw = {"project": "p", "target": "https://t.example.org/", "path": "keep"}
        rules = {f"{number}/" + "a/" * 20 + "*": "x/*" for number in range(count)}
        with Steps() as steps:
            Route(parse(raw | {"rules": rules}))
        totals.append(steps.total)
    assert all(more <= 2.2 * less for less, more in pairwise(totals)), totals


def test_many_keys_twice_are_refused_in_linear_steps() -> None:
    """An object of 10,000 keys that are all there twice is refused without comparing each with each."""
    totals = []
    for count in (1_000, 10_000):
        text = "{" + ",".join(f'"{number % (count // 2)}":1' for number in range(count)) + "}"
        with Steps() as steps, pytest.raises(MalformedText):
            json_text.loads(text.encode())
        totals.append(steps.total)
    assert totals[1] <= 12 * totals[0] + 200, totals
