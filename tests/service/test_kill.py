"""The drill `killing` in short: what holds when the admin side is killed during writes; and its checks can fail."""

from collections.abc import Callable

import msgspec
import pytest

from docsredirect.domain.projects import Past
from docsredirect.domain.records import Record
from tests.drill import checking
from tests.drill.checking import Histories
from tests.drill.killing import Ended, Options, drill
from tests.drill.ledger import Answer, Attempt

KILLS = 5
OTHER = Record(project="other", target="https://other.example.org/", path="keep")


@pytest.fixture(scope="module")
def ended() -> Ended:
    """What a short drill came to."""
    return drill(Options(kills=KILLS, projects=12))


def test_kills_during_writes_break_no_promise(ended: Ended) -> None:
    """Every acknowledged change is there, none is half there or there twice, and what was committed is published."""
    assert ended.violations == []
    assert len({life for each in ended.attempts for life in each.lost_in}) == KILLS, "every kill hit a write in flight"
    assert len(ended.published) >= 1
    assert len([each for each in ended.attempts if each.acknowledged]) > 20
    assert [each for each in ended.attempts if each.lost_in and each.acknowledged], "some were repeated, and succeeded"


def _broken(attempts: list[Attempt], histories: Histories) -> set[str]:
    found = [*checking.unbroken(histories), *checking.kept(attempts, histories)]
    return {each.partition(":")[0] for each in found}


def _of(attempts: list[Attempt], histories: Histories) -> tuple[Attempt, Past]:
    """Return an acknowledged write of a record that another revision has followed, and its entry."""
    for attempt in attempts:
        for revision, past in histories[attempt.name].items():
            follows = isinstance(attempt.wanted, Record) and revision + 1 in histories[attempt.name]
            if attempt.acknowledged and follows and past.entry.author.reason == attempt.reason:
                return attempt, past
    raise AssertionError("no write was followed by another")


def _lose(attempt: Attempt, past: Past, history: dict[int, Past]) -> None:
    del history[past.entry.revision]


def _alter(attempt: Attempt, past: Past, history: dict[int, Past]) -> None:
    history[past.entry.revision] = past._replace(after=OTHER)


def _double(attempt: Attempt, past: Past, history: dict[int, Past]) -> None:
    last = max(history)
    again = msgspec.structs.replace(past.entry, revision=last + 1, before=history[last].after)
    history[last + 1] = Past(again, past.after)


def _invent(attempt: Attempt, past: Past, history: dict[int, Past]) -> None:
    author = msgspec.structs.replace(past.entry.author, reason="somebody else's")
    last = max(history)
    strange = msgspec.structs.replace(past.entry, revision=last + 1, before=history[last].after, author=author)
    history[last + 1] = Past(strange, OTHER)


def _misreport(attempt: Attempt, past: Past, history: dict[int, Past]) -> None:
    attempt.answers = [answer._replace(record=OTHER) for answer in attempt.answers]


def _refuse(attempt: Attempt, past: Past, history: dict[int, Past]) -> None:
    attempt.answers = [Answer(412)]


@pytest.mark.parametrize(
    ("tamper", "named"),
    [
        (_lose, {"gap", "lost"}),
        (_alter, {"broken", "lost", "half there"}),
        (_double, {"twice"}),
        (_invent, {"nobody's"}),
        (_misreport, {"lost"}),
        (_refuse, {"refused and done"}),
    ],
)
def test_a_broken_promise_is_named(
    ended: Ended, tamper: Callable[[Attempt, Past, dict[int, Past]], None], named: set[str]
) -> None:
    """Of the same run, with one thing other than it was, the checks say which promise that breaks."""
    attempts = msgspec.json.decode(msgspec.json.encode(ended.attempts), type=list[Attempt])
    histories = {name: dict(history) for name, history in ended.histories.items()}
    assert _broken(attempts, histories) == set()
    attempt, past = _of(attempts, histories)
    tamper(attempt, past, histories[attempt.name])
    assert named <= _broken(attempts, histories)
