"""One project over the API: what may be written under which precondition, what is answered, and what history keeps.

Requests and answers are tables of data; every answer is also held against the OpenAPI document.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from docsredirect.domain import projects
from docsredirect.domain.errors import StoreUnavailable
from docsredirect.domain.preconditions import etag_of
from docsredirect.domain.projects import Project
from docsredirect.service import registry
from tests.support.admin import ANY, BOOTSTRAP, CREATE, Admin, Answer, record, running_admin
from tests.support.stores import FakeStore

SIX = record("six")
MOVED = record("six", "https://moved.example.org/")
JSON = {"Content-Type": "application/json"}
WRITES = ("create", "replace", "put", "delete")
STALE = '"1-0000000000000000"'
LONG_KEY = "a-key-of-my-own-1"


def stored(store: FakeStore, name: str) -> Project:
    """Return a project as it is stored."""
    return projects.decode(store.objects[projects.key_of(name)].body, name)


def writes(store: FakeStore) -> int:
    """Return how many writes the store was asked for."""
    return sum(store.count(operation) for operation in WRITES)


async def present(admin: Admin) -> Answer:
    """Create the project."""
    return await admin.put(SIX, CREATE)


async def removed(admin: Admin) -> Answer:
    """Create the project and remove it: revision 2 is a tombstone."""
    await present(admin)
    return await admin.ask("DELETE", "projects/six", headers=ANY)


async def absent(admin: Admin) -> None:
    """Leave the project as it is: it never was."""


# What there is, the precondition, the answer, the revision that it leaves. {etag} is of what there is.
PUTS: list[tuple[Callable[[Admin], Awaitable[Answer | None]], dict[str, str], str, int]] = [
    (absent, CREATE, "201", 1),
    (absent, {}, "428 precondition-required", 0),
    (absent, ANY, "412 precondition-failed", 0),
    (absent, {"If-Match": STALE}, "412 precondition-failed", 0),
    (present, {}, "428 precondition-required", 1),
    (present, CREATE, "412 precondition-failed", 1),
    (present, ANY, "200", 2),
    (present, {"If-Match": "{etag}"}, "200", 2),
    (present, {"If-Match": f"{STALE}, {{etag}}"}, "200", 2),
    (present, {"If-Match": f'"x",,{{etag}} , {STALE}'}, "200", 2),
    (present, {"If-Match": STALE}, "412 precondition-failed", 1),
    (present, {"If-Match": "W/{etag}"}, "412 precondition-failed", 1),  # weak tags match no write (RFC 9110, 13.1.1)
    (present, {"If-Match": f"W/{{etag}}, {STALE}"}, "412 precondition-failed", 1),
    (present, {"If-Match": ""}, "400 malformed", 1),
    (present, {"If-Match": "1-53d44ccca2f36f59"}, "400 malformed", 1),
    (present, {"If-None-Match": "{etag}"}, "400 malformed", 1),
    (present, {**CREATE, **ANY}, "412 precondition-failed", 1),
    (removed, {}, "428 precondition-required", 2),
    (removed, ANY, "412 precondition-failed", 2),
    (removed, CREATE, "201", 3),  # a tombstone is no redirect, and revisions go on
    (removed, {"If-Match": "{etag}"}, "201", 3),
    (removed, {"If-Match": STALE}, "412 precondition-failed", 2),
]


@pytest.mark.parametrize(("before", "precondition", "answer", "revision"), PUTS)
async def test_what_a_put_answers(
    admin: Admin,
    store: FakeStore,
    before: Callable[[Admin], Awaitable[Answer | None]],
    precondition: dict[str, str],
    answer: str,
    revision: int,
) -> None:
    """By what there is and what the writer has seen. A refused one leaves everything as it was."""
    made = await before(admin)
    headers = {name: value.format(etag=made.etag if made else "") for name, value in precondition.items()}
    was = dict(store.objects)
    put = await admin.put(MOVED, headers)
    assert (str(put.status) if put.status < 400 else put.code) == answer
    if put.status < 400:
        assert stored(store, "six").revision == revision == put.json["meta"]["revision"]
        assert {field: put.json[field] for field in MOVED} == MOVED
        assert put.json["meta"]["published"] is True
        assert put.etag == f'"{etag_of(stored(store, "six"))}"' == (await admin.get("projects/six")).etag
    else:
        assert store.objects == was


@pytest.mark.parametrize(
    ("before", "current"),
    [
        (absent, None),
        (present, {**SIX, "status": 301, "state": "active"}),
        (removed, {"project": "six"}),
    ],
)
async def test_a_refused_write_is_told_what_there_is(
    admin: Admin, before: Callable[[Admin], Awaitable[Answer | None]], current: Any
) -> None:
    """412 holds the project as a read answers it, so that the writer can decide again; null: there never was one."""
    await before(admin)
    refused = await admin.put(MOVED, {"If-Match": STALE})
    told = refused.json["current"]
    if told is not None:
        meta = told.pop("meta")
        assert meta["by"] == "bootstrap token"
        assert meta["published"] is True
        if before is present:
            assert (await admin.get("projects/six")).json["meta"] == meta
    assert told == current


# What there is, the precondition, the answer.
DELETES: list[tuple[Callable[[Admin], Awaitable[Answer | None]], dict[str, str], str]] = [
    (absent, ANY, "404 no-such-project"),
    (absent, {}, "428 precondition-required"),
    (present, {}, "428 precondition-required"),
    (present, ANY, "200"),
    (present, {"If-Match": "{etag}"}, "200"),
    (present, {"If-Match": STALE}, "412 precondition-failed"),
    (present, {"If-Match": "W/{etag}"}, "412 precondition-failed"),
    (removed, ANY, "404 no-such-project"),
    (removed, {"If-Match": "{etag}"}, "404 no-such-project"),
]


@pytest.mark.parametrize(("before", "precondition", "answer"), DELETES)
async def test_what_a_delete_answers(
    admin: Admin, before: Callable[[Admin], Awaitable[Answer | None]], precondition: dict[str, str], answer: str
) -> None:
    """It leaves a tombstone, whose ETag both its own answer and every later read tell."""
    made = await before(admin)
    headers = {name: value.format(etag=made.etag if made else "") for name, value in precondition.items()}
    deleted = await admin.ask("DELETE", "projects/six", headers=headers)
    assert (str(deleted.status) if deleted.status < 400 else deleted.code) == answer
    if deleted.status == 200:
        assert set(deleted.json) == {"project", "meta"}
        read = await admin.get("projects/six")
        assert (read.code, read.etag) == ("404 no-such-project", deleted.etag)
    elif before is removed and deleted.status == 404:
        assert made is not None
        assert deleted.etag == made.etag
    elif before is absent and deleted.status == 404:
        assert "etag" not in deleted.headers


async def test_a_put_that_changes_nothing_is_no_revision(admin: Admin, store: FakeStore) -> None:
    """Not even in the store; its ETag stays. Defaults that are left out are the same as said."""
    first = await present(admin)
    was = dict(store.objects)
    for same in (SIX, {**SIX, "status": 301, "state": "active", "rules": {}}, record("six", "https://SIX.example.org")):
        again = await admin.put(same, ANY)
        assert (again.status, again.etag, again.json["meta"]["revision"]) == (200, first.etag, 1)
    assert store.objects == was


async def test_what_is_read_can_be_put_back(admin: Admin) -> None:
    """The body of a GET with its `meta`, which is ignored, is a body of a PUT."""
    await present(admin)
    read = await admin.get("projects/six")
    again = await admin.put(read.json, {"If-Match": read.etag})
    assert (again.status, again.etag) == (200, read.etag)
    changed = await admin.put({**read.json, "path": "root", "meta": {"revision": 99}}, {"If-Match": read.etag})
    assert (changed.status, changed.json["path"], changed.json["meta"]["revision"]) == (200, "root", 2)


@pytest.mark.parametrize("spelling", ["My_Project", "my-project", "MY.PROJECT", "my--project", "my%2Dproject"])
async def test_a_project_is_found_in_any_spelling(admin: Admin, spelling: str) -> None:
    """Names that PEP 503 makes equal are one; what is shown is how the maintainer spells it."""
    made = await admin.put(record("My_Project"), CREATE)
    read = await admin.get(f"projects/{spelling}")
    assert (read.json["project"], read.etag) == ("My_Project", made.etag)
    assert (await admin.get(f"projects/{spelling}/history")).status == 200
    again = await admin.ask("PUT", f"projects/{spelling}", json=record("MY-project"), headers=ANY)
    assert (again.status, again.json["project"]) == (200, "MY-project")
    assert (await admin.ask("DELETE", f"projects/{spelling}", headers=ANY)).status == 200


@pytest.mark.parametrize("name", ["-six", "six.", "si%20x", "%C3%A9", "a" * 129, "s%69x%0A", "six%00"])
async def test_a_name_that_is_no_project_is_not_found(admin: Admin, name: str) -> None:
    """It can have no redirect, so reading it answers 404, and writing it says what a name is."""
    assert (await admin.get(f"projects/{name}")).code == "404 no-such-project"
    assert (await admin.get(f"projects/{name}/history")).code == "404 no-such-project"
    assert (await admin.ask("DELETE", f"projects/{name}", headers=ANY)).code == "404 no-such-project"
    rolled = await admin.post(f"projects/{name}/rollback", {"revision": 1})
    assert rolled.code == "404 no-such-project"
    put = await admin.ask("PUT", f"projects/{name}", json=SIX, headers=CREATE)
    assert (put.code, put.faults) == ("422 invalid-record", ["/project project-mismatch"])


# A body, and the faults that are told of it, all at once.
FAULTY: list[tuple[Any, list[str]]] = [
    (record("seven"), ["/project project-mismatch"]),
    (record("packages"), ["/project project-mismatch", "/project name-reserved"]),
    ({}, ["/project missing", "/target missing", "/path missing"]),
    ([], [" type"]),
    (None, [" type"]),
    ("six", [" type"]),
    ({**SIX, "traget": 1, "Path": "keep"}, ["/traget unknown-field", "/Path unknown-field"]),
    ({**SIX, "path": "deep", "status": 303, "state": "off"}, ["/path choice", "/status choice", "/state choice"]),
    ({**SIX, "status": True}, ["/status choice"]),
    ({**SIX, "status": "301"}, ["/status choice"]),
    ({**SIX, "project": 6, "target": [], "path": None, "rules": []},
     ["/project type", "/path choice", "/target type", "/rules type"]),
    ({**SIX, "target": "ftp://u:p@127.0.0.1/"}, ["/target url-scheme"]),
    ({**SIX, "target": "https://u:p@127.0.0.1/"}, ["/target url-userinfo", "/target url-ip-address"]),
    ({**SIX, "target": "https://www.pythonhosted.org/six/"}, ["/target url-own-host"]),
    ({**SIX, "rules": {"a/b.html": "/c", "~x*": None}}, ["/rules/a~1b.html to-leading-slash", "/rules/~0x* from-star"]),
]  # fmt: skip


@pytest.mark.parametrize(("body", "faults"), FAULTY)
async def test_every_fault_of_a_record_is_told_at_once(
    admin: Admin, store: FakeStore, body: Any, faults: list[str]
) -> None:
    """By JSON pointer and code, each with a sentence; nothing is written."""
    put = await admin.ask("PUT", "projects/six", body=json.dumps(body).encode(), headers={**CREATE, **JSON})
    assert (put.code, put.faults) == ("422 invalid-record", faults)
    assert all(fault["detail"] for fault in put.json["errors"])
    assert writes(store) == 0


@pytest.mark.parametrize("precondition", [{}, CREATE, ANY, {"If-Match": STALE}, {"If-Match": "?"}])
async def test_faults_come_before_preconditions(admin: Admin, precondition: dict[str, str]) -> None:
    """Whoever has to correct his record is told so first, whatever he has seen."""
    await present(admin)
    assert (await admin.put(record("six", "nowhere"), precondition)).code == "422 invalid-record"


async def test_plain_http_is_accepted_with_a_warning(admin: Admin) -> None:
    """The warning is told to the writer, and not kept."""
    put = await admin.put(record("six", "http://six.example.org/"), CREATE)
    assert put.status == 201
    assert [(each["pointer"], each["code"]) for each in put.json["meta"]["warnings"]] == [("/target", "plain-http")]
    assert "warnings" not in (await admin.get("projects/six")).json["meta"]


async def test_a_dry_run_writes_nothing_and_says_what_would_change(admin: Admin, store: FakeStore) -> None:
    """Changes by pointer, what sample URLs answer before and after, and warnings."""
    await admin.put({**SIX, "rules": {"old.html": "new.html"}}, CREATE)
    store.requests.clear()
    wanted = {**SIX, "target": "http://new.example.org/", "path": "clean", "rules": {"a/*": None}}
    dry = await admin.ask("PUT", "projects/Six?dry_run=true", json=wanted, headers=ANY)
    assert dry.status == 200
    assert writes(store) == 0
    assert dry.json["changes"] == [
        {"pointer": "/target", "before": "https://six.example.org/", "after": "http://new.example.org/"},
        {"pointer": "/path", "before": "keep", "after": "clean"},
        {"pointer": "/rules/a~1*", "after": None},
        {"pointer": "/rules/old.html", "before": "new.html"},
    ]
    samples = {each["url"].removeprefix("https://pythonhosted.org/six/"): each for each in dry.json["samples"]}
    assert list(samples) == ["", "guide/install.html", "objects.inv", "a/example.html", "old.html"]
    assert samples["guide/install.html"]["before"]["location"] == "https://six.example.org/guide/install.html"
    assert samples["guide/install.html"]["after"]["location"] == "http://new.example.org/guide/install/"
    assert samples["a/example.html"]["after"] == {"status": 410, "location": None, "rule": "a/*"}
    assert [each["code"] for each in dry.json["warnings"]] == ["plain-http"]
    assert (await admin.get("projects/six")).json["meta"]["revision"] == 1


async def test_a_dry_run_of_a_creation_shows_404_before(admin: Admin) -> None:
    """Of what never was, and of what was removed. It needs no precondition, and keeps one that is given."""
    for prepare in (absent, removed):
        await prepare(admin)
        dry = await admin.ask("PUT", "projects/six?dry_run=true", json=SIX)
        assert {each["before"]["status"] for each in dry.json["samples"]} == {404}
        assert dry.json["changes"][0] == {"pointer": "/project", "after": "six"}
        refused = await admin.ask("PUT", "projects/six?dry_run=true", json=SIX, headers=ANY)
        assert refused.code == "412 precondition-failed"
    assert (await admin.ask("PUT", "projects/six?dry_run=true", json={})).code == "422 invalid-record"


async def test_history_says_who_why_and_for_whom(admin: Admin) -> None:
    """Newest first, with the record before and after each revision."""
    said = {"X-Reason": "they moved to Füssen — at last", "On-Behalf-Of": "Ada, in ticket 7"}
    await admin.put(SIX, CREATE)
    await admin.put(MOVED, ANY, headers=said)
    await admin.ask("DELETE", "projects/six", headers={**ANY, "X-Reason": "  "})
    entries = (await admin.get("projects/six/history")).json["history"]
    assert [entry["revision"] for entry in entries] == [3, 2, 1]
    assert [entry["reason"] for entry in entries] == [None, said["X-Reason"], None]
    assert [entry["on_behalf_of"] for entry in entries] == [None, said["On-Behalf-Of"], None]
    assert {entry["by"] for entry in entries} == {"bootstrap token"}
    full = {"status": 301, "state": "active"}
    assert [(entry["before"], entry["after"]) for entry in entries] == [
        ({**MOVED, **full}, None),
        ({**SIX, **full}, {**MOVED, **full}),
        (None, {**SIX, **full}),
    ]
    assert [entry["time"] for entry in entries] == sorted((entry["time"] for entry in entries), reverse=True)


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("X-Reason", "r" * 1_001),
        ("X-Reason", "tab\there"),
        ("X-Reason", "caf\xe9"),  # Latin-1: no UTF-8
        ("On-Behalf-Of", "b" * 201),
    ],
)
async def test_words_for_the_history_are_one_printable_line(admin: Admin, header: str, value: str) -> None:
    """The limit and the header are named."""
    body = json.dumps(SIX).encode()
    head = [
        b"PUT /-/api/v1/projects/six HTTP/1.1", b"Host: localhost", b"Content-Type: application/json",
        b"Authorization: Bearer " + BOOTSTRAP.encode(), b"If-None-Match: *", b"Content-Length: %d" % len(body),
        f"{header}: {value}".encode("latin-1"),
    ]  # fmt: skip
    answer = await admin.raw(b"\r\n".join([*head, b"", body]))
    assert answer.status == 422
    assert json.loads(answer.body)["errors"][0]["code"] == "header"
    assert header in json.loads(answer.body)["detail"]


async def test_head_answers_as_get_without_a_body(admin: Admin) -> None:
    """Status, ETag and length."""
    await present(admin)
    for path in ("projects/six", "projects/none", "projects/six/history", "export", "projects"):
        got, head = await admin.get(path), await admin.ask("HEAD", path)
        assert head.status == got.status
        assert head.body == b""
        assert {name: head.headers.get(name) for name in ("etag", "content-type")} == {
            name: got.headers.get(name) for name in ("etag", "content-type")
        }


@pytest.mark.parametrize("held", ["{etag}", "W/{etag}", '"other", {etag}', "*", f"{STALE}, W/{{etag}}"])
async def test_a_reader_who_holds_it_is_told_304(admin: Admin, held: str) -> None:
    """Compared weakly (RFC 9110, section 13.1.2), with the ETag and without a body."""
    etag = (await present(admin)).etag
    answer = await admin.get("projects/six", headers={"If-None-Match": held.format(etag=etag)})
    assert (answer.status, answer.etag, answer.body) == (304, etag, b"")
    await admin.put(MOVED, ANY)
    if held != "*":
        assert (await admin.get("projects/six", headers={"If-None-Match": held.format(etag=etag)})).status == 200


# --- Idempotency-Key


class LosingAnswers(FakeStore):
    """A store whose answer to the next write of a project is lost, after it has been done."""

    lose = False

    async def create(self, key: str, body: bytes) -> str:
        """Put a new object, and say nothing."""
        etag = await super().create(key, body)
        return await self._lost(key, etag)

    async def replace(self, key: str, body: bytes, etag: str) -> str:
        """Replace an object, and say nothing."""
        return await self._lost(key, await super().replace(key, body, etag))

    async def _lost(self, key: str, etag: str) -> str:
        if self.lose and key.startswith("projects/"):
            self.lose = False
            raise StoreUnavailable(f"{key}: the answer was lost")
        return etag


@pytest.fixture
def losing() -> LosingAnswers:
    """An empty store that can lose answers."""
    return LosingAnswers()


async def test_a_retried_put_whose_answer_was_lost_is_a_success(losing: LosingAnswers) -> None:
    """The same key, the same request: what it did is told, and it is not done again."""
    async with running_admin(losing) as admin:
        key = {"Idempotency-Key": LONG_KEY}
        losing.lose = True
        lost = await admin.put(SIX, CREATE, headers=key)
        assert (lost.code, lost.json["step"]) == ("503 store-unavailable", "commit")
        again = await admin.put(SIX, CREATE, headers=key)
        assert (again.status, again.json["meta"]) == (201, {**again.json["meta"], "revision": 1, "published": True})
        assert (await admin.put(SIX, CREATE)).code == "412 precondition-failed", "without the key it is another one"
        losing.lose = True
        assert (await admin.put(MOVED, {"If-Match": again.etag}, headers=key)).status == 503
        moved = await admin.put(MOVED, {"If-Match": again.etag}, headers=key)
        assert (moved.status, moved.json["meta"]["revision"]) == (200, 2)
        losing.lose = True
        assert (await admin.ask("DELETE", "projects/six", headers={"If-Match": moved.etag, **key})).status == 503
        gone = await admin.ask("DELETE", "projects/six", headers={"If-Match": moved.etag, **key})
        assert (gone.status, gone.json["meta"]["revision"]) == (200, 3)
        losing.lose = True
        back = {"If-Match": gone.etag, **key}
        assert (await admin.post("projects/six/rollback", {"revision": 1}, headers=back)).status == 503
        rolled = await admin.post("projects/six/rollback", {"revision": 1}, headers=back)
        assert (rolled.status, rolled.json["meta"]["revision"]) == (200, 4)
        assert len((await admin.get("projects/six/history")).json["history"]) == 4


async def test_a_key_stands_for_one_request_of_one_person(admin: Admin) -> None:
    """The same key with another content, another method or another token is judged anew."""
    key = {"Idempotency-Key": LONG_KEY}
    other = await admin.new_token(["six"], label="other")
    assert (await admin.put(SIX, CREATE, headers=key)).status == 201
    assert (await admin.put(SIX, CREATE, headers=key)).status == 201
    assert (await admin.put(MOVED, CREATE, headers=key)).code == "412 precondition-failed"
    assert (await admin.put(SIX, CREATE, headers=key, token=other)).code == "412 precondition-failed"
    moved = await admin.put(MOVED, ANY, headers=key)
    assert (moved.status, moved.json["meta"]["revision"]) == (200, 2)


async def test_a_repeated_request_is_a_success_after_anothers_change_too(admin: Admin) -> None:
    """What it did was done; what is answered is what the project is now, so that nobody takes his own for it."""
    key = {"Idempotency-Key": LONG_KEY}
    first = await admin.put(SIX, CREATE, headers=key)
    changed = await admin.put(MOVED, ANY)
    again = await admin.put(SIX, CREATE, headers=key)
    assert (again.status, again.etag) == (first.status, changed.etag)
    assert again.json["target"] == MOVED["target"]
    assert (await admin.get("projects/six")).json["meta"]["revision"] == 2


async def test_a_repeated_request_is_answered_after_a_removal_too(admin: Admin) -> None:
    """200, not 201: what is there now is what somebody else has left, which is nothing."""
    key = {"Idempotency-Key": LONG_KEY}
    await admin.put(SIX, CREATE, headers=key)
    removed = await admin.ask("DELETE", "projects/six", headers=ANY)
    again = await admin.put(SIX, CREATE, headers=key)
    assert (again.status, again.etag, "target" in again.json) == (200, removed.etag, False)


@pytest.mark.parametrize("key", ["short", "k" * 129, "with a blank", "caf\u00e9-caf\u00e9"])
async def test_a_key_is_8_to_128_visible_characters(admin: Admin, key: str) -> None:
    """Else it would tell too little apart."""
    assert (await admin.put(SIX, CREATE, headers={"Idempotency-Key": key})).code == "400 malformed"


# --- rollback and history


async def test_rolling_back_is_a_new_revision(admin: Admin) -> None:
    """Nothing of the history goes away; a rollback to what there is changes nothing."""
    await admin.put(SIX, CREATE)
    moved = await admin.put(MOVED, ANY)
    back = await admin.post("projects/SIX/rollback", {"revision": 1}, headers={"X-Reason": "a slip"})
    assert (back.status, back.json["target"], back.json["meta"]["revision"]) == (200, SIX["target"], 3)
    assert back.json["meta"]["reason"] == "a slip"
    same = await admin.post("projects/six/rollback", {"revision": 3})
    assert (same.status, same.etag) == (200, back.etag)
    refused = await admin.post("projects/six/rollback", {"revision": 2}, headers={"If-Match": moved.etag})
    assert (refused.code, refused.json["current"]["meta"]["revision"]) == ("412 precondition-failed", 3)
    assert (await admin.post("projects/six/rollback", {"revision": 2}, headers={"If-Match": back.etag})).status == 200


async def test_a_tombstone_can_be_rolled_back_and_rolled_back_to(admin: Admin) -> None:
    """Both are revisions like any other; `If-Match: *` asks for a redirect, and so refuses."""
    await removed(admin)
    assert (await admin.post("projects/six/rollback", {"revision": 1}, headers=ANY)).code == "412 precondition-failed"
    back = await admin.post("projects/six/rollback", {"revision": 1})
    assert (back.status, back.json["target"], back.json["meta"]["revision"]) == (200, SIX["target"], 3)
    gone = await admin.post("projects/six/rollback", {"revision": 2.0})
    assert (gone.status, set(gone.json), gone.json["meta"]["revision"]) == (200, {"project", "meta"}, 4)
    assert (await admin.get("projects/six")).etag == gone.etag


# A body, and the code, with its faults.
ROLLBACKS: list[tuple[Any, str, list[str]]] = [
    ({"revision": 3}, "422 no-such-revision", []),
    ({"revision": 2**53 - 1}, "422 no-such-revision", []),
    ({"revision": 0}, "422 invalid-request", ["/revision number"]),
    ({"revision": 2**53}, "422 invalid-request", ["/revision number"]),
    ({"revision": "1"}, "422 invalid-request", ["/revision number"]),
    ({"revision": True}, "422 invalid-request", ["/revision number"]),
    ({"revision": 1.5}, "422 invalid-request", ["/revision number"]),
    ({}, "422 invalid-request", ["/revision missing"]),
    ({"revision": 1, "dry/run": 1}, "422 invalid-request", ["/dry~1run unknown-field"]),
    ([1], "422 invalid-request", [" type"]),
]


@pytest.mark.parametrize(("body", "code", "faults"), ROLLBACKS)
async def test_what_cannot_be_rolled_back_to(admin: Admin, body: Any, code: str, faults: list[str]) -> None:
    """A revision that never was, or no revision at all, is said so."""
    await removed(admin)
    answer = await admin.post("projects/six/rollback", body)
    assert answer.code == code
    assert ("errors" in answer.json) == bool(faults)
    assert not faults or answer.faults == faults


async def test_a_record_that_todays_rules_refuse_is_not_rolled_back_to(store: FakeStore) -> None:
    """Its target is a host of the service since then: that would be a loop."""
    async with running_admin(store) as admin:
        await admin.put(record("six", "https://docs.example.org/"), CREATE)
        await admin.put(SIX, ANY)
    async with running_admin(store, {"DOCSREDIRECT_HOSTS": "docs.example.org"}) as admin:
        refused = await admin.post("projects/six/rollback", {"revision": 1})
        assert (refused.code, refused.faults) == ("422 invalid-record", ["/target url-own-host"])
        assert (await admin.get("projects/six")).json["meta"]["revision"] == 2


async def test_nothing_is_known_of_what_never_was(admin: Admin) -> None:
    """No history, no rollback, and no ETag."""
    for answer in (
        await admin.get("projects/six"),
        await admin.get("projects/six/history"),
        await admin.post("projects/six/rollback", {"revision": 1}),
        await admin.ask("DELETE", "projects/six", headers=ANY),
    ):
        assert answer.code == "404 no-such-project"
        assert "etag" not in answer.headers


async def test_history_of_a_removed_project_is_told(admin: Admin) -> None:
    """That is what a tombstone is for."""
    await removed(admin)
    assert [e["revision"] for e in (await admin.get("projects/six/history")).json["history"]] == [2, 1]


async def test_a_long_history_is_told_page_by_page(admin: Admin, store: FakeStore) -> None:
    """Also what has moved out of the project's object, beyond 64 KiB, in one sequence without a gap."""
    wide = {f"page-{n}.html": "x" * 100 for n in range(100)}
    await admin.put({**SIX, "rules": wide}, CREATE)
    for n in range(2, 21):
        changed = await admin.put({**SIX, "rules": {**wide, "n": f"{n}"}}, ANY)
        assert changed.status == 200
    assert 5 < len([key for key in store.objects if key.startswith("history/six/")]) < 20
    seen: list[int] = []
    path: str | None = "projects/six/history?limit=3"
    while path is not None:
        page = await admin.get(path)
        entries = page.json["history"]
        assert 0 < len(entries) <= 3
        seen += [entry["revision"] for entry in entries]
        for entry in entries:
            expected = None if entry["revision"] == 1 else f"{entry['revision']}"
            assert entry["after"]["rules"].get("n") == expected
        link = page.headers.get("link")
        path = None if link is None else link.split(">")[0].removeprefix("<")
        if len(seen) == 6:  # a write between two pages moves nothing
            await admin.put({**SIX, "rules": {**wide, "n": "21"}}, ANY)
    assert seen == list(range(20, 0, -1))
    whole = await admin.get("projects/six/history")
    assert [entry["revision"] for entry in whole.json["history"]] == list(range(21, 0, -1))
    assert "link" not in whole.headers
    back = await admin.post("projects/six/rollback", {"revision": 1})
    assert (back.status, "n" in back.json["rules"]) == (200, False)


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "cursor=0", "cursor=-1", "cursor=%D9%A3"])
async def test_a_page_of_the_history_is_asked_for_with_whole_numbers(admin: Admin, query: str) -> None:
    """And says which ones."""
    await present(admin)
    answer = await admin.get(f"projects/six/history?{query}")
    assert answer.code == "400 malformed"
    assert "whole number from 1 to" in answer.json["detail"]


# --- the store fails

# Where the store fails, which requests, what is asked, and the step that is told (None: it is no write).
FAILURES: list[tuple[str, tuple[str, ...], str, str | None]] = [
    ("projects/", ("get",), "GET projects/six", "read"),
    ("projects/", ("get",), "GET projects/six/history", "read"),
    ("projects/", ("get",), "PUT projects/six", "read"),
    ("projects/", ("get",), "PUT projects/six?dry_run=true", "read"),
    ("projects/", ("get",), "DELETE projects/six", "read"),
    ("projects/", ("get",), "POST projects/six/rollback", "read"),
    ("projects/", ("replace",), "PUT projects/six", "commit"),
    ("projects/", ("replace",), "DELETE projects/six", "commit"),
    ("projects/", ("replace",), "POST projects/six/rollback", "commit"),
    ("projects/", ("create",), "PUT projects/new", "commit"),
    ("", ("get", "list", "create", "replace", "put"), "PUT projects/six", "read"),
    ("table.json", ("get",), "GET projects", None),
    ("table.json", ("get",), "GET export", None),
]


async def _ask(admin: Admin, request: str) -> Answer:
    method, path = request.split(" ")
    name = path.partition("?")[0].split("/")[1] if "/" in path else ""
    body = {"PUT": record(name, "https://new.example.org/"), "POST": {"revision": 1}}.get(method)
    return await admin.ask(method, path, json=body, headers=CREATE if name == "new" else ANY)


@pytest.mark.parametrize(("failing", "operations", "request_", "step"), FAILURES)
async def test_a_failing_store_is_told_with_the_step(
    admin: Admin, store: FakeStore, failing: str, operations: tuple[str, ...], request_: str, step: str | None
) -> None:
    """503 with when to try again; nothing is half written, and all goes on once the store is there again."""
    await admin.put(MOVED, CREATE)
    await admin.put(SIX, ANY)
    was = dict(store.objects)
    store.failing, store.failing_operations = failing, operations
    answer = await _ask(admin, request_)
    assert (answer.status, answer.headers["retry-after"]) == (503, "7")
    assert answer.json.get("step") == step
    assert store.objects == was
    store.failing = None
    assert (await _ask(admin, request_)).status in (200, 201)


async def test_what_is_committed_and_not_published_says_so(
    admin: Admin, store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The write has succeeded; it is published as soon as the store lets it be."""
    monkeypatch.setattr(registry, "PUBLISHED_SECONDS", 0.1)
    await present(admin)
    store.failing, store.failing_operations = "shards/", ("create", "put", "replace")
    answer = await admin.put(MOVED, ANY)
    assert (answer.status, answer.json["meta"]["published"]) == (200, False)
    assert (await admin.get("projects/six")).json["meta"]["published"] is False
    store.failing = None
    await _until_published(admin, MOVED["target"])


async def _until_published(admin: Admin, target: str) -> None:
    async with asyncio.timeout(10):
        while (read := await admin.get("projects/six")).json.get("meta", {}).get("published") is not True:
            await asyncio.sleep(0.02)
    assert read.json["target"] == target
    listed = (await admin.get("projects")).json["projects"]
    assert [each["target"] for each in listed] == [target]


class HangingStore(FakeStore):
    """A store of which the requests of `hanging` operations on projects wait for `gate`, and then succeed."""

    hanging: tuple[str, ...] = ()

    async def _begin(self, operation: str, key: str) -> None:
        if operation in self.hanging and key.startswith("projects/"):
            await self.opened.wait()
        await super()._begin(operation, key)

    def __init__(self) -> None:
        super().__init__()
        self.opened = asyncio.Event()


@pytest.mark.parametrize(("hanging", "step"), [(("get",), "read"), (("replace",), "commit")])
async def test_a_store_that_hangs_is_told_in_time_and_a_late_commit_is_published(
    monkeypatch: pytest.MonkeyPatch, hanging: tuple[str, ...], step: str
) -> None:
    """Whoever asked knows the step. What has begun goes on, and shows as soon as it is done."""
    monkeypatch.setattr(registry, "COMMIT_SECONDS", 0.2)
    store = HangingStore()
    async with running_admin(store) as admin:
        await present(admin)
        store.hanging = hanging
        async with asyncio.timeout(3):
            answer = await admin.put(MOVED, ANY)
        assert (answer.code, answer.json["step"]) == ("503 store-unavailable", step)
        assert ("may still take effect" in answer.json["detail"]) == (step == "commit")
        assert ("Nothing was changed" in answer.json["detail"]) == (step == "read")
        assert stored(store, "six").revision == 1
        store.hanging = ()
        store.opened.set()
        await _until_published(admin, MOVED["target"] if step == "commit" else SIX["target"])


async def test_a_store_that_hangs_is_told_within_three_seconds(admin: Admin, store: FakeStore) -> None:
    """With the times as they are: of every route that asks the store."""
    await present(admin)
    store.gate.clear()
    asked = ("GET projects/six", "PUT projects/six", "DELETE projects/six", "GET projects/six/history",
             "POST projects/six/rollback", "PUT projects/six?dry_run=true", "GET projects", "GET export")  # fmt: skip
    begin = asyncio.get_running_loop().time()
    answers = await asyncio.gather(*(_ask(admin, each) for each in asked))
    assert asyncio.get_running_loop().time() - begin < 3.5
    assert {answer.status for answer in answers} == {503}
    store.gate.set()
    assert (await admin.get("projects/six")).status == 200


async def test_a_damaged_project_is_named_and_left_alone(admin: Admin, store: FakeStore) -> None:
    """Nothing can be decided about what cannot be read."""
    await store.put("projects/six.json", b"{}")
    for request in ("GET projects/six", "PUT projects/six", "DELETE projects/six", "POST projects/six/rollback"):
        answer = await _ask(admin, request)
        assert answer.code == "503 damaged"
        assert "projects/six.json" in answer.json["detail"]
    assert store.objects["projects/six.json"].body == b"{}"


async def test_writers_at_once_overwrite_nothing_unseen(admin: Admin) -> None:
    """Of twenty who have seen the same state one succeeds; the others are told what it became."""
    etag = (await present(admin)).etag
    targets = [f"https://{n}.example.org/" for n in range(20)]
    answers = await asyncio.gather(*(admin.put(record("six", each), {"If-Match": etag}) for each in targets))
    assert sorted(answer.status for answer in answers) == [200] + [412] * 19
    won = next(answer for answer in answers if answer.status == 200)
    assert {answer.json["current"]["target"] for answer in answers if answer.status == 412} == {won.json["target"]}
