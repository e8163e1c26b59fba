"""What a maintainer is told about a record that may be stored, and what one click makes of it."""

import pytest
from hypothesis import given

from docsredirect.domain.advice import Advice, advise
from docsredirect.domain.records import Record, parse_record, to_fields
from tests.domain.cases import HOSTS, Fields, parse, title
from tests.domain.test_properties import records

HOSTED = "https://foo-bar.readthedocs.io/en/latest/"

# The fields of a record of Foo.Bar, and the codes of what is said of it.
SAID: list[tuple[Fields, list[str]]] = [
    ({"target": HOSTED}, []),
    ({"target": "https://docs.example.org/2.1/"}, []),
    ({"target": "http://docs.example.org/"}, ["plain-http"]),
    ({"target": HOSTED, "rules": {"a": "http://x.example.org/"}}, ["plain-http-rules"]),
    ({"target": HOSTED, "path": "root"}, ["root-without-inventory"]),
    ({"target": HOSTED, "path": "root", "rules": {"objects.inv": "objects.inv"}}, []),
    ({"target": HOSTED, "path": "root", "rules": {"*": "*"}}, []),
    ({"target": HOSTED, "path": "root", "rules": {"api/*": "*"}}, ["root-without-inventory"]),
    ({"target": "https://foobar.readthedocs.io/en/stable/"}, []),
    ({"target": "https://python-foo-bar.readthedocs.io/en/stable/"}, []),
    ({"target": "https://foo-bar-docs.readthedocs.io/en/stable/"}, []),
    ({"target": "https://six.readthedocs.io/en/latest/"}, ["other-project"]),
    ({"target": "https://six.rtfd.io/en/latest/"}, ["other-project"]),
    ({"target": "https://six.readthedocs-hosted.com/en/latest/"}, ["other-project"]),
    ({"target": "https://six.readthedocs.io/projects/foo-bar/en/latest/"}, []),
    ({"target": "https://foo-bar.readthedocs.io/"}, ["no-version"]),
    ({"target": "https://six.example.org/en/latest/"}, []),
    ({"target": "https://x.example.org/docs/index.html", "path": "root", "rules": {"objects.inv": None}},
     ["target-page"]),
    ({"target": "https://x.example.org/manual.pdf/"}, ["target-page"]),
    ({"target": "https://x.example.org/manual.pdf", "path": "root", "rules": {"*": None}}, []),
    ({"target": "https://x.example.org/index.php/"}, ["target-page"]),
    ({"target": "https://github.com/foo/bar/"}, ["repository"]),
    ({"target": "https://github.com/foo/bar", "path": "root", "rules": {"*": None}}, []),
    ({"target": "http://six.readthedocs.io/", "state": "gone"}, []),
    ({"target": "http://six.readthedocs.io/"}, ["plain-http", "other-project", "no-version"]),
]  # fmt: skip

# The fields of a record, the code, and what its remedy changes; None: only the maintainer can tell.
REMEDIES: list[tuple[Fields, str, Fields | None]] = [
    ({"target": "http://x.example.org/a?b#c", "path": "root"}, "plain-http",
     {"target": "https://x.example.org/a?b#c"}),
    ({"target": "http://x.example.org:80/"}, "plain-http", {"target": "https://x.example.org/"}),
    ({"target": "http://x.example.org:8080/"}, "plain-http", None),
    ({"target": HOSTED, "rules": {"a": "http://x.example.org/", "b": "c", "d": None}}, "plain-http-rules",
     {"rules": {"a": "https://x.example.org/", "b": "c", "d": None}}),
    ({"target": HOSTED, "path": "root", "rules": {"z": "y"}}, "root-without-inventory",
     {"rules": {"objects.inv": "objects.inv", "z": "y"}}),
    ({"target": "https://x.example.org/docs", "path": "root"}, "root-without-inventory",
     {"rules": {"objects.inv": "https://x.example.org/objects.inv"}}),
    ({"target": "https://foo-bar.readthedocs.io/", "path": "root"}, "root-without-inventory",
     {"rules": {"objects.inv": "en/latest/objects.inv"}}),
    ({"target": "https://six.readthedocs.io/en/latest/"}, "other-project", None),
    ({"target": "https://foo-bar.readthedocs.io/"}, "no-version", {"target": HOSTED}),
    ({"target": "https://x.example.org/docs/index.html?a", "path": "root"}, "target-page",
     {"target": "https://x.example.org/docs/"}),
    ({"target": "https://x.example.org/docs/index.php/"}, "target-page", {"target": "https://x.example.org/docs/"}),
    ({"target": "https://x.example.org/manual.pdf/"}, "target-page",
     {"target": "https://x.example.org/manual.pdf", "path": "root"}),
    ({"target": "https://x.example.org/manual.pdf/", "rules": {"a": "b"}}, "target-page", None),
    ({"target": "https://www.github.com/foo/bar/"}, "repository", {"path": "root"}),
]  # fmt: skip


def record_of(fields: Fields) -> Fields:
    """Return the fields of a record of Foo.Bar."""
    return {"project": "Foo.Bar", "path": "keep", **fields}


@pytest.mark.parametrize(("fields", "codes"), SAID, ids=lambda value: title(str(value)))
def test_what_is_said_of_a_record(fields: Fields, codes: list[str]) -> None:
    """Each record is told what may be better otherwise, and nothing else."""
    assert [advice.code for advice in advise(parse(record_of(fields)))] == codes


@pytest.mark.parametrize(("fields", "code", "changed"), REMEDIES, ids=lambda value: title(str(value)))
def test_what_a_remedy_makes_of_it(fields: Fields, code: str, changed: Fields | None) -> None:
    """A remedy changes what it is for and nothing else, and what it is for is not said any more."""
    (advice,) = [each for each in advise(parse(record_of(fields))) if each.code == code]
    if changed is None:
        assert advice.remedy is None
        return
    assert advice.remedy == parse(record_of({**fields, **changed}))
    assert code not in [each.code for each in advise(advice.remedy)]


def test_a_name_that_is_a_project_here_is_told_as_such() -> None:
    """python-six may well be six's own name on Read the Docs, unless another project here has it."""
    six = parse({"project": "six", "target": "https://python-six.readthedocs.io/en/latest/", "path": "keep"})
    assert advise(six) == []
    (advice,) = advise(six, lambda name: name == "python-six")
    assert (advice.code, advice.remedy) == ("other-project", None)
    assert "another project here" in advice.detail


@given(records())
def test_any_record_gets_advice_that_can_be_followed(record: Record) -> None:
    """Of no record is anything said twice, every remedy is a legal record in normal form, and a button has words."""
    found = advise(record)
    assert len({advice.code for advice in found}) == len(found)
    for advice in found:
        assert_fit(advice)


def assert_fit(advice: Advice) -> None:
    """Check that advice is a sentence, and that its remedy may be stored as it is."""
    assert advice.detail.isprintable()
    assert advice.detail.endswith((".", "?"))
    assert (advice.remedy is None) == (advice.remedy_label == "")
    if advice.remedy is not None:
        assert parse_record(to_fields(advice.remedy), HOSTS).record == advice.remedy
