"""What the old service makes of a record, held to the stand-in that answers as it did."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from docsredirect.formats import conveyor, old_answers
from tests.support.edges import record, rows_of
from tests.support.http import exchange
from tests.support.old_service import OldService, running_old_service

RECORDS = {
    "keep": record("Six", "https://six.example.org/", "keep", rules={"a": "b"}),
    "clean": record("Six", "https://six.example.org/", "clean"),
    "root": record("Six", "https://six.example.org/x", "root"),
    "gone": record("Six", "https://six.example.org/", "keep", state="gone"),
}
PLACES = [
    ("keep", "/Six/", "https://six.example.org/"),
    ("keep", "/six/a/b.html", "https://six.example.org/a/b.html"),
    ("keep", "/Six/a%2Fb", "https://six.example.org/a/b"),
    ("keep", "/Six//a", "https://six.example.org//a"),
    ("keep", "/S%69x/a", "https://six.example.org/a"),
    ("keep", "/SIX/", None),
    ("keep", "//Six/", None),
    ("keep", "/Six)/", None),
    ("clean", "/Six/a.html", "https://six.example.org/"),
    ("root", "/Six/a.html", "https://six.example.org/x"),
    ("gone", "/Six/", None),
]


@pytest.mark.parametrize(("kind", "path", "place"), PLACES)
async def test_the_place_is_that_of_the_old_service(kind: str, path: str, place: str | None, tmp_path: Path) -> None:
    """It knows three spellings of a name, no rules, no withdrawals, and sends the decoded path."""
    assert old_answers.place(RECORDS[kind], path) == place
    table = tmp_path / "redirects.txt"
    table.write_bytes(b"".join(conveyor.lines(RECORDS[kind])))
    async with running_old_service(OldService(table)) as port:
        response = await exchange(port, f"GET {path} HTTP/1.1\r\nHost: pythonhosted.org\r\n\r\n".encode())
    assert response is not None
    assert response.header("location") == place


def test_without_a_record_there_is_no_place() -> None:
    """What the table does not hold, the old service does not know."""
    assert old_answers.place(None, "/six/") is None


async def test_every_real_url_is_as_the_stand_in_answers_it(tmp_path: Path) -> None:
    """Of all real URLs with a slash behind the name, so that there is one hop."""
    records = {each.name: each for each in (record(**row) for row in rows_of("redirects.jsonl"))}
    table = tmp_path / "redirects.txt"
    table.write_bytes(b"".join(line for each in records.values() for line in conveyor.lines(each)))
    paths = [path for path in (urlsplit(row["url"]).path for row in rows_of("urls.jsonl")) if path.count("/") > 1]
    found = 0
    async with running_old_service(OldService(table)) as port:
        for path in paths:
            response = await exchange(port, f"GET {path} HTTP/1.1\r\nHost: pythonhosted.org\r\n\r\n".encode())
            assert response is not None
            places = {old_answers.place(each, path) for each in records.values()} - {None}
            assert places == {response.header("location")} - {None}
            found += len(places)
    assert found > 100


def test_a_line_of_the_old_file_may_spell_a_name_as_no_record_does() -> None:
    """Where any spelling is taken for one that it knows, that of the request is."""
    assert old_answers.place(RECORDS["keep"], "/SIX/a") is None
    assert old_answers.place(RECORDS["keep"], "/SIX/a", any_spelling=True) == "https://six.example.org/a"
