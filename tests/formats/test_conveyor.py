"""The old service's redirects.txt: what it can say, what is lost, and that nothing else is."""

import io
from typing import Any

import msgspec
import pytest
from hypothesis import given

from docsredirect.domain.records import Record
from docsredirect.formats import conveyor, jsonl
from docsredirect.formats.lines import read_batch
from tests.domain.cases import HOSTS, rows
from tests.domain.test_properties import modest, records

BASE = "https://t.example.org/docs/"


def record(project: str = "six", target: str = BASE, path: str = "keep", **changes: Any) -> Record:
    """Return a record, checked."""
    return parse({"project": project, "target": target, "path": path, **changes})


def parse(fields: dict[str, Any]) -> Record:
    """Return the record that `fields` say."""
    (found,) = read_batch(io.BytesIO(msgspec.json.encode(fields)), HOSTS).records.values()
    return found


SPELLINGS = {
    "six": ["six"],
    "Markdown": ["Markdown", "markdown"],
    "foo-bar": ["foo-bar"],
    "foo_bar": ["foo_bar", "foo-bar"],
    "Foo.Bar": ["Foo.Bar", "foo.bar", "foo-bar"],
    "Foo-Bar": ["Foo-Bar", "foo-bar"],
    "Foo__.-Bar": ["Foo__.-Bar", "foo__.-bar", "foo-bar"],
    "X": ["X", "x"],
    "0": ["0"],
}


@pytest.mark.parametrize(("project", "names"), SPELLINGS.items())
def test_every_known_spelling_has_a_row(project: str, names: list[str]) -> None:
    """The old service compares names exactly, so each spelling has a row: as spelled, in lower case, normalised."""
    assert [row["project_name"] for row in conveyor.rows(record(project))] == names


ROWS: dict[str, tuple[Record, bool, str]] = {
    "keep has no slash at its end": (record(), True, "https://t.example.org/docs"),
    "keep at the root of a host": (record(target="https://t.example.org/"), True, "https://t.example.org"),
    "root keeps its slash": (record(path="root"), False, BASE),
    "root without a slash": (record(target="https://t.example.org/x", path="root"), False, "https://t.example.org/x"),
    "root with query and fragment": (
        record(target="https://t.example.org/?a=b#c", path="root"),
        False,
        "https://t.example.org/?a=b#c",
    ),
    "clean becomes root": (record(path="clean"), False, BASE),
    "rules are dropped": (record(rules={"a.html": "b/", "*": None}), True, "https://t.example.org/docs"),
}


@pytest.mark.parametrize(("given_record", "include_path", "base_uri"), ROWS.values(), ids=ROWS)
def test_row(given_record: Record, include_path: bool, base_uri: str) -> None:
    """A row has the three fields of the format; the old service puts the slash before a path itself."""
    (row,) = conveyor.rows(given_record)
    assert row == {"project_name": "six", "include_path": include_path, "base_uri": base_uri}


def test_withdrawn_project_has_no_row() -> None:
    """The format cannot say 410: a project that is gone is left out."""
    assert list(conveyor.rows(record("Foo.Bar", state="gone"))) == []


APPROXIMATIONS: dict[str, tuple[Record, list[str]]] = {
    "keep": (record(), []),
    "root": (record(path="root"), []),
    "spellings": (record("Foo.Bar"), []),
    "clean": (record(path="clean"), ["clean"]),
    "rules": (record(rules={"a": "b", "c": None}), ["2 rules"]),
    "status": (record(status=308), ["308"]),
    "gone": (record(state="gone"), ["410"]),
    "all": (record(path="clean", status=302, rules={"a": "b"}), ["clean", "rule", "302"]),
    "gone says all": (record(path="clean", state="gone", rules={"a": "b"}), ["410"]),
}


@pytest.mark.parametrize(("given_record", "words"), APPROXIMATIONS.values(), ids=APPROXIMATIONS)
def test_every_approximation_is_listed(given_record: Record, words: list[str]) -> None:
    """What the format cannot say of a project is listed, by its name and with what is lost; otherwise nothing is."""
    losses = list(conveyor.approximations(given_record))
    assert len(losses) == len(words)
    for loss, word in zip(losses, words, strict=True):
        assert loss.project == given_record.project
        assert word in loss.lost


def exported(*given_records: Record) -> bytes:
    """Return what an export in this format writes."""
    return b"".join(msgspec.json.encode(row) + b"\n" for one in given_records for row in conveyor.rows(one))


def test_real_table_comes_back() -> None:
    """The real redirects, exported and imported, have the targets that they had, and clean ones lead to the root."""
    real = [parse(row) for row in rows("redirects.jsonl")]
    batch = read_batch(io.BytesIO(exported(*real)), HOSTS)
    assert batch.refusals == []
    expected = {
        one.name: Record(project=one.project, target=one.target, path="keep" if one.path == "keep" else "root")
        for one in real
        if one.state == "active"
    }
    assert batch.records == expected
    assert len(expected) > 50


@pytest.mark.parametrize("target", ["https://t.example.org/x.html/", "https://t.example.org/a/b.htm/"])
def test_folder_named_like_a_page_is_listed_as_what_cannot_come_back(target: str) -> None:
    """Without its slash it cannot be told from a page, to which no path can be appended."""
    batch = read_batch(io.BytesIO(exported(record(target=target))), HOSTS)
    assert {fault.code for refusal in batch.refusals for fault in refusal.errors} == {"base-page"}
    assert "a folder named like a page" in next(conveyor.approximations(record(target=target))).lost


@modest
@given(records())
def test_export_then_import_keeps_the_target(given_record: Record) -> None:
    """Whatever the record, what comes back is the same target under the same name, or an approximation was listed."""
    batch = read_batch(io.BytesIO(exported(given_record)), HOSTS)
    if given_record.path == "keep" and given_record.target.endswith((".html/", ".htm/")):
        assert batch.records == {}
        return
    assert batch.refusals == []
    if given_record.state == "gone":
        assert batch.records == {}
        return
    (back,) = batch.records.values()
    assert (back.project, back.target) == (given_record.project, given_record.target)
    assert back == given_record or list(conveyor.approximations(given_record))
    assert batch.repeated == len(set(_names(given_record))) - 1


def _names(given_record: Record) -> list[str]:
    return [str(row["project_name"]) for row in conveyor.rows(given_record)]


@modest
@given(records())
def test_jsonl_export_then_import_is_the_identity(given_record: Record) -> None:
    """A record as a line of JSON Lines reads back as itself, and as the same bytes again."""
    (line,) = jsonl.lines(given_record)
    assert line.count(b"\n") == 1
    batch = read_batch(io.BytesIO(line), HOSTS)
    assert batch.refusals == []
    assert batch.records == {given_record.name: given_record}
    assert list(jsonl.lines(batch.records[given_record.name])) == [line]
