"""Wrong tokens by address: how many, for how long, and who shares a count."""

import pytest

from docsredirect.domain.errors import TooManyWrongTokens
from docsredirect.service import wrong_tokens
from docsredirect.service.wrong_tokens import WrongTokens


class _Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def _refused(counter: WrongTokens, address: str) -> int | None:
    """Return the wait that the address is told, or None where its wrong token was only counted."""
    try:
        counter.refuse(address)
    except TooManyWrongTokens as error:
        return error.retry_after
    return None


def test_ten_a_minute_and_then_a_wait() -> None:
    """The eleventh is told how long, in a sentence and as a number."""
    counter = WrongTokens(_Clock())
    assert [_refused(counter, "192.0.2.1") for _ in range(10)] == [None] * 10
    with pytest.raises(TooManyWrongTokens, match="try again in 60 seconds") as refused:
        counter.refuse("192.0.2.1")
    assert refused.value.retry_after == 60


def test_the_wait_is_true() -> None:
    """Whoever asks on meanwhile does not make it longer, and after it one more is counted."""
    clock = _Clock()
    counter = WrongTokens(clock, limit=2, seconds=60)
    assert _refused(counter, "192.0.2.1") is None
    clock.now += 30
    assert _refused(counter, "192.0.2.1") is None
    waits = []
    for _ in range(4):
        clock.now += 7.25
        waits.append(_refused(counter, "192.0.2.1"))
    assert waits == [23, 16, 9, 1]
    clock.now += 1
    assert _refused(counter, "192.0.2.1") is None
    assert _refused(counter, "192.0.2.1") == 30


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8:0:1::1", "2001:0DB8:0:1::2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("fe80::1%eth0", "fe80::2", True),
        ("0.0.0.0", "::", False),
        ("0.0.0.1", "::1", False),
        ("not an address", "nor this", False),
        ("", "", True),
    ],
)
def test_who_shares_a_count(one: str, other: str, shared: bool) -> None:
    """An IPv4 address counts alone, also as IPv6 writes it; of IPv6 a whole /64 counts together."""
    counter = WrongTokens(_Clock(), limit=1)
    counter.refuse(one)
    assert (_refused(counter, other) is not None) is shared


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The address that was silent longest is forgotten first, and one that goes on is not."""
    monkeypatch.setattr(wrong_tokens, "ADDRESSES", 3)
    counter = WrongTokens(_Clock(), limit=1)
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.3"):
        assert _refused(counter, address) is None
    assert _refused(counter, "192.0.2.1") is not None
    assert _refused(counter, "192.0.2.4") is None
    assert _refused(counter, "192.0.2.1") is not None
    assert _refused(counter, "192.0.2.2") is None
