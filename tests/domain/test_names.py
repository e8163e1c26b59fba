"""Project names: which are legal, and which are the same."""

import pytest

from docsredirect.domain.names import MAX_NAME, normalise
from tests.domain.cases import rows, title

NORMAL = [
    ("a", "a"),
    ("7", "7"),
    ("Markdown", "markdown"),
    ("Foo.Bar", "foo-bar"),
    ("foo_bar", "foo-bar"),
    ("foo-bar", "foo-bar"),
    ("foo-._-.bar", "foo-bar"),
    ("A__B..C--D", "a-b-c-d"),
    ("0.1", "0-1"),
    ("zope.interface", "zope-interface"),
    ("a" * 128, "a" * 128),
    ("A" * 128, "a" * 128),
    ("a" + "-" * 126 + "b", "a-b"),
    ("packages", "packages"),
]


@pytest.mark.parametrize(("name", "normal"), NORMAL, ids=[title(row[0]) for row in NORMAL])
def test_normal_form(name: str, normal: str) -> None:
    """A legal name has one normal form, which is its own."""
    assert normalise(name) == normal
    assert normalise(normal) == normal


ILLEGAL = [
    *("", "-", "_", ".", "..", "-a", "a-", "_a", "a_", ".a", "a.", "a b", " a", "a ", "a\n", "\na", "a\x00", "a/b"),
    *("a%2Eb", "a@b", "a+b", "a[b]", "a:b", "a,b", "a~b", "a" * 129, "a" + "-" * 127 + "b"),
    *("caf\u00e9", "\u0430bc", "\uff41", "f\u212aoo", "\u0131", "\u0661", "\u00b2", "a\u200db", "\ud800"),
]


@pytest.mark.parametrize("name", ILLEGAL, ids=title)
def test_illegal(name: str) -> None:
    """A name is ASCII letters, digits and ``.-_`` with a letter or digit at both ends, of at most 128 characters."""
    assert normalise(name) is None


def test_longest_name() -> None:
    """The longest name is the one that the contract says, and every real one is shorter."""
    assert MAX_NAME == 128
    assert all(normalise(row["project"]) for row in rows("redirects.jsonl"))
