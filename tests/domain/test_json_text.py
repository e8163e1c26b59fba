"""JSON text as the outside sends it: what is read, and what is refused."""

import pytest

from docsredirect.domain.errors import MalformedText
from docsredirect.domain.json_text import loads
from tests.domain.cases import title

READ: list[tuple[bytes, object]] = [
    (b"{}", {}),
    (b" \t\r\n[] ", []),
    (b"\xef\xbb\xbf{}", {}),
    (b'{"a": {"a": [1, 2.5, true, false, null, "x"]}}', {"a": {"a": [1, 2.5, True, False, None, "x"]}}),
    (b'[{"a": 1}, {"a": 2}]', [{"a": 1}, {"a": 2}]),
    (b'"caf\xc3\xa9"', "caf\u00e9"),
    (b'"caf\\u00e9"', "caf\u00e9"),
    (b'"\\ud83d\\ude00"', "\U0001f600"),
    (b'"\\\\ud800"', "\\ud800"),
    (b'"\\u0000"', "\x00"),
    (b'{"a": 1, "A": 2}', {"a": 1, "A": 2}),
    (b"-0", 0),
    (b"1" * 4_000, int("1" * 4_000)),
    (b"[" * 100 + b"]" * 100, None),
]


@pytest.mark.parametrize(("text", "value"), READ, ids=[title(row[0]) for row in READ])
def test_read(text: bytes, value: object) -> None:
    """JSON is read as RFC 8259 says, with or without a byte order mark."""
    assert loads(text) == value or value is None


REFUSED = [
    (b"", "Not JSON"),
    (b"   ", "Not JSON"),
    (b"{", "Not JSON"),
    (b"{'a': 1}", "Not JSON"),
    (b'{"a": 1,}', "Not JSON"),
    (b'{"a": 1} x', "Not JSON"),
    (b'"a\nb"', "Not JSON"),
    (b"01", "Not JSON"),
    (b"+1", "Not JSON"),
    (b"\x00", "Not JSON"),
    (b"\xef\xbb\xbf\xef\xbb\xbf{}", "Not JSON"),
    ("{}".encode("utf-16"), "Not UTF-8"),
    (b'"\xff"', "Not UTF-8"),
    (b'"\xed\xa0\x80"', "Not UTF-8"),
    (b'"\xc0\xaf"', "Not UTF-8"),
    (b"NaN", "NaN"),
    (b'{"a": Infinity}', "Infinity"),
    (b"[-Infinity]", "-Infinity"),
    (b'"\\ud800"', "surrogate"),
    (b'{"\\udc00": 1}', "surrogate"),
    (b'["\\uDE00\\uD83D"]', "surrogate"),
    (b'{"a": 1, "a": 1}', "'a'"),
    (b'{"a": 1, "\\u0061": 2}', "'a'"),
    (b'{"": 1, "": 2}', "''"),
    (b'[{"b": {"c": 1, "c": 2}}]', "'c'"),
    (b"{" + b", ".join(b'"%d": 1' % (number % 199) for number in range(200)) + b"}", "twice"),
    (b"[" * 100_000, "Nested"),
    (b"[" * 100_000 + b"]" * 100_000, "Nested"),
    (b'{"a":' * 100_000, "Nested"),
    (b"1" * 5_000, "Not JSON"),
]


@pytest.mark.parametrize(("text", "said"), REFUSED, ids=[title(row[0]) for row in REFUSED])
def test_refused(text: bytes, said: str) -> None:
    """What is not JSON, and JSON that readers understand differently, is refused with a sentence that says why."""
    with pytest.raises(MalformedText) as caught:
        loads(text)
    assert said in str(caught.value)
    assert str(caught.value).endswith(".") and "!" not in str(caught.value)
    assert (caught.value.code, caught.value.status) == ("malformed", 400)


def test_repeated_key_is_shortened() -> None:
    """A refusal stays short, however long the key that is there twice."""
    key = b'"' + b"a" * 100_000 + b'": 1'
    with pytest.raises(MalformedText) as caught:
        loads(b"{" + key + b"," + key + b"}")
    assert len(str(caught.value)) < 500


def test_number_beyond_reason() -> None:
    """A number that only Python's infinity can hold is refused like Infinity itself."""
    with pytest.raises(MalformedText):
        loads(b'{"a": 1e999}')
