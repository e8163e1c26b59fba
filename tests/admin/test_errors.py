"""What is told of requests that are wrong: each an RFC 9457 problem, with a request id, and with nothing of the inside.

Requests that no client library would send go over a bare socket.
"""

import asyncio
import gzip
import json
import logging
import time
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from docsredirect.admin import reading
from docsredirect.admin.routes import API, OPENAPI
from tests.support.admin import ANY, BOOTSTRAP, CONTRACT, CREATE, Admin, Answer, record, running_admin
from tests.support.http import Connection, Response
from tests.support.stores import FakeStore

SIX = record("six")
JSON = {"Content-Type": "application/json"}
MIB = 1024 * 1024


def head(line: str, *fields: str, host: str | None = "localhost", token: str | None = BOOTSTRAP) -> bytes:
    """Return a request's head."""
    given = [f"Host: {host}"] * (host is not None) + [f"Authorization: Bearer {token}"] * (token is not None)
    return "\r\n".join([f"{line} HTTP/1.1", *given, *fields, "", ""]).encode("latin-1")


def code(response: Response) -> str:
    """Return the status and the code of a problem."""
    assert response.header("content-type") == "application/problem+json"
    return f"{response.status} {json.loads(response.body)['type'].removeprefix('/-/problems/')}"


# What is no JSON, and what is said of it.
MALFORMED: list[tuple[bytes, str]] = [
    (b"", "Not JSON"),
    (b"{", "line 1, column 2"),
    (b"{'project': 'six'}", "Not JSON"),
    (b'{"project": "six",}', "Not JSON"),
    (b'{"project": "six"} {}', "Not JSON"),
    (b'{"project": "six", "project": "seven"}', "a key twice ('project')"),
    (b'{"rules": {"a.html": "b", "a.html": null}}', "a key twice ('a.html')"),
    (b'{"status": NaN}', "NaN is not JSON"),
    (b'{"status": -Infinity}', "-Infinity is not JSON"),
    (b'{"status": 1e999}', "beyond reason"),
    (b'{"status": ' + b"9" * 5_000 + b"}", "Not JSON that can be used"),
    (b'{"rules": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "Nested too deeply"),
    (b'{"target": "\\ud800"}', "half of a surrogate pair"),
    (b'{"\\udfff": 1}', "half of a surrogate pair"),
    (b'{"target": "\xff"}', "Not UTF-8: byte 12"),
    (b'{"target": "\xed\xa0\x80"}', "Not UTF-8"),
    ('{"project": "six"}'.encode("utf-16"), "Not UTF-8"),
    (b'{"target": "a\nb"}', "Not JSON"),
]


@pytest.mark.parametrize(("body", "said"), MALFORMED, ids=lambda each: repr(each[:40]))
@pytest.mark.parametrize("request_", ["PUT projects/six", "POST projects/six/rollback", "POST resolve", "POST tokens"])
async def test_what_is_no_json(admin: Admin, store: FakeStore, body: bytes, said: str, request_: str) -> None:
    """400 with what was found where, on every route that reads JSON; nothing is written."""
    method, path = request_.split(" ")
    answer = await admin.ask(method, path, body=body or b"", headers={**JSON, **CREATE})
    assert answer.code == "400 malformed"
    assert said in answer.json["detail"]
    assert "projects/six.json" not in store.objects


@pytest.mark.parametrize("body", [b"\xef\xbb\xbf%s", b" \r\n\t%s\n"])
async def test_json_that_is_read_as_well(admin: Admin, body: bytes) -> None:
    """A byte order mark, which some editors write, and blanks around it."""
    answer = await admin.ask("PUT", "projects/six", body=body % json.dumps(SIX).encode(), headers={**JSON, **CREATE})
    assert answer.status == 201


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 201),
        ("Application/JSON; charset=UTF-8", 201),
        ("application/json; charset=us-ascii", 201),
        ('application/json; charset="utf-8"', 201),
        ("application/json; charset=latin-1", 415),
        ("application/problem+json", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("text/plain", 415),
        ("", 415),
        ("nonsense", 415),
        (None, 415),
    ],
)
async def test_the_content_type_is_json_in_utf_8(admin: Admin, kind: str | None, status: int) -> None:
    """A page elsewhere can make a browser send a form, and nothing that is called JSON."""
    body = json.dumps(SIX).encode()
    fields = ["If-None-Match: *", f"Content-Length: {len(body)}", *([] if kind is None else [f"Content-Type: {kind}"])]
    response = await admin.raw(head(f"PUT {API}/projects/six", *fields) + body)
    assert response.status == status
    if status == 415:
        assert code(response) == "415 wrong-content-type"
        assert "Send application/json" in json.loads(response.body)["detail"]


async def test_a_body_has_one_content_type(admin: Admin) -> None:
    """Two say that somebody in between may have read another than we."""
    body = json.dumps(SIX).encode()
    kinds = ["Content-Type: application/json", "Content-Type: text/plain"]
    data = head(f"PUT {API}/projects/six", *kinds, "If-None-Match: *", f"Content-Length: {len(body)}") + body
    assert (await admin.raw(data)).status in (400, 415)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "identity, gzip"])
async def test_a_compressed_body_is_not_read(admin: Admin, encoding: str) -> None:
    """A small one can become any size."""
    body = gzip.compress(json.dumps(SIX).encode())
    fields = ["If-None-Match: *", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    response = await admin.raw(head(f"PUT {API}/projects/six", *fields, f"Content-Encoding: {encoding}") + body)
    assert code(response) == "415 wrong-content-type"
    assert encoding in json.loads(response.body)["detail"]


async def _spaces(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b" " * MIB


async def test_a_body_over_1_mib_is_refused(admin: Admin) -> None:
    """Whether its length is declared, which is seen before any of it is read, or it comes in chunks."""
    declared = head(
        f"PUT {API}/projects/six", "If-None-Match: *", "Content-Type: application/json", f"Content-Length: {MIB + 1}"
    )
    assert code(await admin.raw(declared)) == "413 body-too-large"
    chunked = await admin.ask("PUT", "projects/six", body=_spaces(2), headers={**JSON, **CREATE})
    assert chunked.code == "413 body-too-large"
    assert str(MIB) in chunked.json["detail"]
    body = json.dumps(SIX).encode()
    most = await admin.ask("PUT", "projects/six", body=body + b" " * (MIB - len(body)), headers={**JSON, **CREATE})
    assert most.status == 201


async def test_what_is_left_of_a_refused_body_is_no_next_request(admin: Admin) -> None:
    """The connection is closed: the rest could be another's request in the eyes of a proxy."""
    inner = head(f"DELETE {API}/projects/six", "If-Match: *")
    for fields in (["Content-Type: text/plain"], ["Content-Type: application/json", f"Content-Length: {2 * MIB}"]):
        length = [] if len(fields) == 2 else [f"Content-Length: {len(inner)}"]
        connection = await Connection.open(admin.port)
        connection.send(head(f"PUT {API}/projects/six", "If-None-Match: *", *fields, *length) + inner)
        response = await connection.receive()
        assert response is not None
        assert response.status in (413, 415)
        assert await connection.is_closed()
        await connection.close()


async def test_a_body_that_does_not_come_in_time(admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    """408, and the connection is closed."""
    monkeypatch.setattr(reading, "BODY_SECONDS", 0.1)
    fields = ["If-None-Match: *", "Content-Type: application/json", "Content-Length: 100"]
    connection = await Connection.open(admin.port)
    connection.send(head(f"PUT {API}/projects/six", *fields) + b"{")
    response = await connection.receive()
    assert response is not None
    assert code(response) == "408 body-too-slow"
    assert await connection.is_closed()
    await connection.close()


async def test_a_body_that_breaks_off_writes_nothing(store: FakeStore) -> None:
    """Half a record is no record, even if it reads as one. Nobody waits for the rest of it, nor is it an error."""
    body = json.dumps(SIX).encode()
    fields = ["If-None-Match: *", "Content-Type: application/json", f"Content-Length: {len(body) + 1}"]
    with capture_logs() as logs:
        async with running_admin(store) as admin:
            connection = await Connection.open(admin.port)
            connection.send(head(f"PUT {API}/projects/six", *fields) + body)
            await asyncio.sleep(0.1)
            await connection.close()
            assert (await admin.get("projects")).json == {"projects": []}
            begin = time.monotonic()
        assert time.monotonic() - begin < 2, "the end waits for requests in flight"
    assert "projects/six.json" not in store.objects
    assert not [entry for entry in logs if entry["log_level"] in ("warning", "error")]


# A path, and what is said of its query.
QUERIES: list[tuple[str, str]] = [
    ("GET projects?dry_run=true", "'dry_run' is no parameter here. The parameters are: q, state, cursor, limit."),
    ("GET projects?limit=1&limit=2", "limit is given twice"),
    ("GET projects?limit=1&limit=1", "limit is given twice"),
    ("GET projects?limit=", "whole number from 1 to 1000"),
    ("GET projects?limit=1001", "whole number from 1 to 1000"),
    ("GET projects?limit=+1", "whole number from 1 to 1000"),
    ("GET projects?limit=%D9%A1", "whole number from 1 to 1000"),
    ("GET projects?state=Active", "one of active, gone, removed"),
    ("GET projects?cursor=Six", "Follow the link"),
    ("GET projects?Q=x", "'Q' is no parameter"),
    ("GET projects?=x", "'' is no parameter"),
    ("GET projects?x", "'x' is no parameter"),
    ("GET projects/six?x=1", "The parameters are: none."),
    ("PUT projects/six?dryrun=true", "'dryrun' is no parameter here. The parameters are: dry_run."),
    ("PUT projects/six?dry_run", "one of true, false"),
    ("PUT projects/six?dry_run=1", "one of true, false"),
    ("PUT projects/six?dry_run=false&dry_run=true", "dry_run is given twice"),
    ("DELETE projects/six?dry_run=true", "'dry_run' is no parameter here"),
    ("GET resolve", "url is required"),
    ("GET resolve?url=a&url=b", "url is given twice"),
    ("POST resolve?url=a", "'url' is no parameter here"),
    ("POST import?force=yes", "one of true, false"),
    ("GET tokens?cursor=short", "Follow the link"),
    ("GET export?format=x", "'format' is no parameter here"),
    ("GET /-/health/live?x=1", "'x' is no parameter here"),
    ("POST projects/six/rollback?revision=1", "'revision' is no parameter here"),
]


@pytest.mark.parametrize(("request_", "said"), QUERIES)
async def test_parameters_that_are_not_understood_are_refused(
    admin: Admin, store: FakeStore, request_: str, said: str
) -> None:
    """By name: a misspelt dry_run must not become a write."""
    method, path = request_.split(" ")
    json_ = {"PUT": SIX, "POST": {"revision": 1}}.get(method)
    lines = {"body": b"", "headers": {"Content-Type": "application/jsonl"}} if "import" in path else {}
    answer = await admin.ask(method, path, **{"json": json_, "headers": CREATE, **lines})  # type: ignore[arg-type]
    assert answer.code == "400 malformed"
    assert said in answer.json["detail"]
    assert "projects/six.json" not in store.objects


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "projects", "GET, HEAD"),
        ("PATCH", "projects/six", "DELETE, GET, HEAD, PUT"),
        ("DELETE", "projects/six/history", "GET, HEAD"),
        ("GET", "projects/six/rollback", "POST"),
        ("PUT", "tokens", "GET, HEAD, POST"),
        ("GET", "import", "POST"),
        ("TRACE", "export", "GET, HEAD"),
        ("PROPFIND", "resolve", "GET, HEAD, POST"),
        ("POST", "/-/health/live", "GET, HEAD"),
        ("POST", "/-/version", "GET, HEAD"),
        ("DELETE", OPENAPI, "GET, HEAD"),
        ("PUT", "/-/problems/malformed", "GET, HEAD"),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(admin: Admin, method: str, path: str, allowed: str) -> None:
    """405 with Allow (RFC 9110, section 15.5.6)."""
    answer = await admin.ask(method, path)
    assert (answer.code, answer.headers["allow"]) == ("405 method-not-allowed", allowed)
    assert allowed in answer.json["detail"]


@pytest.mark.parametrize(
    "path",
    ["/six", "/-/", "/-/api", "/-/api/", "/-/api/v1", "/-/api/v1/", "/-/api/v2/projects", "/-/API/v1/projects",
     "/-/api/v1//projects", "/-/api/v1/projects/", "/-/api/v1/projects/six/", "/-/api/v1/projects/a%2Fb/history/x",
     "/-/problems/nothing", "/-/health/", "/-/metrics", "/%", "/-/api/v1/projects/six/..",
     "/-/invitations/"],
)  # fmt: skip
async def test_an_unknown_route(admin: Admin, path: str) -> None:
    """404, and it is not taken for one that is near."""
    response = await admin.raw(head(f"GET {path}"))
    assert code(response) == "404 no-such-route"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8081", "LOCALHOST.", "[::1]:1", "a.localhost", "127.1.2.3"])
async def test_loopback_names_are_served(admin: Admin, host: str) -> None:
    """Whatever their port."""
    assert (await admin.raw(head("GET /-/version", host=host))).status == 200


@pytest.mark.parametrize("host", ["example.org", "pythonhosted.org", "localhost.example.org", "192.0.2.1", "[::2]"])
async def test_another_host_is_not_served_here(admin: Admin, host: str) -> None:
    """421, also for open routes: a page elsewhere that points its name here reaches nothing. Health is exempt."""
    assert code(await admin.raw(head(f"GET {API}/projects", host=host))) == "421 wrong-host"
    assert code(await admin.raw(head("GET /-/version", host=host))) == "421 wrong-host"
    assert code(await admin.raw(head("GET /nothing", host=host))) == "421 wrong-host"
    assert code(await admin.raw(head(f"GET {OPENAPI}", host=host))) == "421 wrong-host"
    for path in ("/-/health/live", "/-/health/ready"):
        assert (await admin.raw(head(f"GET {path}", host=host))).status in (200, 503)


async def test_the_host_of_the_public_address_is_served(store: FakeStore) -> None:
    """With any port and case, and no other."""
    async with running_admin(store, {"DOCSREDIRECT_ADMIN_URL": "https://Redirects.example.org:8443/x"}) as admin:
        for host in ("redirects.example.org", "REDIRECTS.example.org:443", "localhost"):
            assert (await admin.raw(head("GET /-/version", host=host))).status == 200
        assert code(await admin.raw(head("GET /-/version", host="x.example.org"))) == "421 wrong-host"


@pytest.mark.parametrize("fields", [(), ("Host: localhost", "Host: localhost"), ("Host: a b",)])
@pytest.mark.parametrize("path", ["/-/version", f"{API}/projects", "/-/health/live"])
async def test_a_request_has_one_host(admin: Admin, fields: tuple[str, ...], path: str) -> None:
    """400 (RFC 9112, section 3.2)."""
    answer = await admin.raw(head(f"GET {path}", *fields, host=None))
    assert code(answer) == "400 malformed"


@pytest.mark.parametrize(
    "data",
    [
        b"GET /-/version\r\n\r\n",
        b"GET /-/version HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"G\x00T /-/version HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /-/version HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n",
        b"GET /-/version HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
        b"GET /-/version HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
        b"GET /\x7f HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n",
    ],
    ids=lambda data: repr(data[:60]),
)
async def test_what_is_no_http_is_a_problem_too(admin: Admin, data: bytes) -> None:
    """400 as everywhere, without an echo of what was sent and without a traceback in the log."""
    with capture_logs() as logs:
        connection = await Connection.open(admin.port)
        connection.send(data)
        response = await connection.receive()
        await connection.close()
    assert response is not None
    assert code(response) == "400 malformed"
    assert response.header("cache-control") == "no-store"
    assert b"xxxx" not in response.body
    assert not [entry for entry in logs if "exc_info" in entry]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("from-the-proxy.1_A", True),
        ("12345678", True),
        ("x" * 64, True),
        ("1234567", False),
        ("x" * 65, False),
        ("with blank", False),
        ('quote"12345', False),
        ("", False),
    ],
)
async def test_a_request_id_is_kept_or_made(admin: Admin, given: str, kept: bool) -> None:
    """What a proxy says is taken where it can do no harm in a log; the same id is in the answer, the problem and the
    log."""
    with capture_logs() as logs:
        answer = await admin.get("projects/none", headers={"X-Request-Id": given})
    id_ = answer.headers["x-request-id"]
    assert (id_ == given) == kept
    assert len(id_) >= 8
    assert answer.json["request_id"] == id_
    assert [entry["request_id"] for entry in logs if entry["event"] == "request"] == [id_]


async def test_every_request_has_an_id_of_its_own(admin: Admin) -> None:
    """Also streamed answers, pages, HEAD and errors."""
    paths = ["export", "/-/problems/", "/-/version", OPENAPI, "projects", "/nothing", "/-/health/live"]
    answers = [await admin.get(path) for path in paths] + [await admin.ask("HEAD", "projects")]
    assert len({answer.headers["x-request-id"] for answer in answers}) == len(answers)
    assert {answer.headers["server"].partition("/")[0] for answer in answers} == {"docsredirect"}
    assert {answer.headers["cache-control"] for answer in answers} == {"no-store"}
    assert {answer.headers["x-content-type-options"] for answer in answers} == {"nosniff"}


async def test_a_request_is_logged_in_one_line(admin: Admin) -> None:
    """Of closed sets and names: no path, no query, no header. Health is not logged."""
    await admin.put(SIX, CREATE)
    with capture_logs() as logs:
        await admin.get("projects/SIX/history?limit=1")
        await admin.get("/-/health/live")
    [line] = logs
    assert {key: line[key] for key in ("event", "method", "route", "project", "status", "by", "remote")} == {
        "event": "request", "method": "GET", "route": f"{API}/projects/{{project}}/history", "project": "six",
        "status": 200, "by": "bootstrap token", "remote": "127.0.0.1",
    }  # fmt: skip
    assert set(line) == {
        "event", "log_level", "method", "route", "project", "status", "seconds", "by", "remote", "request_id",
    }  # fmt: skip


async def test_a_change_leaves_an_audit_line(admin: Admin) -> None:
    """Who did what to what, and why, with the id of the request; a refused one leaves none."""
    with capture_logs() as logs:
        await admin.put(SIX, CREATE, headers={"X-Reason": "a move", "On-Behalf-Of": "Ada", "X-Request-Id": "a" * 8})
        await admin.put(SIX, CREATE)
        await admin.put(SIX, ANY)
        await admin.ask("PUT", "projects/six?dry_run=true", json=record("six", path="root"))
        await admin.ask("DELETE", "projects/six", headers=ANY)
        await admin.post("projects/six/rollback", {"revision": 1})
    audits = [entry for entry in logs if entry["event"] == "audit"]
    shown = [(each["action"], each["outcome"], each["revision"]) for each in audits]
    assert shown == [("put", "created", 1), ("put", "unchanged", 1), ("delete", "removed", 2),
                     ("rollback", "rolled-back", 3)]  # fmt: skip
    said = {"by": "bootstrap token", "reason": "a move", "on_behalf_of": "Ada", "request_id": "a" * 8, "project": "six"}
    assert {field: audits[0][field] for field in said} == said


async def test_a_fault_of_our_own_tells_nothing_and_is_logged(
    admin: Admin, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """500 with the id under which the log has the traceback; the next request is answered."""
    caplog.set_level(logging.DEBUG)

    async def fail(name: str) -> None:
        raise RuntimeError("a secret of the inside")

    with monkeypatch.context() as patched, capture_logs() as logs:
        patched.setattr(admin.services.registry, "read", fail)
        answer = await admin.get("projects/six")
    assert answer.code == "500 internal"
    assert b"secret of the inside" not in answer.body
    [logged] = [entry for entry in logs if entry["event"] == "request failed"]
    assert (logged["request_id"], logged["exc_info"]) == (answer.json["request_id"], True)
    assert [entry["status"] for entry in logs if entry["event"] == "request"] == [500]
    assert (await admin.get("projects/six")).status == 404


async def test_a_problem_says_what_where_and_what_to_do(admin: Admin) -> None:
    """All members of RFC 9457 that say something, and no others."""
    answer = await admin.get("projects/none", headers={"X-Request-Id": "12345678"})
    assert answer.json == {
        "type": "/-/problems/no-such-project",
        "title": "There is no redirect for this project",
        "status": 404,
        "detail": "none has no redirect.",
        "request_id": "12345678",
    }


def test_the_client_of_these_tests_refuses_what_is_not_documented() -> None:
    """Else all that it lets through would show nothing."""
    good = {"content-type": "application/json", "x-request-id": "1"}
    path = f"{API}/projects"
    CONTRACT.check("GET", path, Answer(200, good, b'{"projects":[]}'))
    for method, at, answer in (
        ("GET", path, Answer(201, good, b'{"projects":[]}')),
        ("GET", path, Answer(200, good, b'{"projects":{}}')),
        ("GET", path, Answer(200, good, b'{"projects":[],"more":1}')),
        ("GET", path, Answer(200, {**good, "content-type": "text/html"}, b'{"projects":[]}')),
        ("GET", path, Answer(200, {**good, "retry-after": "1"}, b'{"projects":[]}')),
        ("GET", path, Answer(200, {"content-type": "application/json"}, b'{"projects":[]}')),
        ("HEAD", path, Answer(200, good, b'{"projects":[]}')),
        ("POST", path, Answer(200, good, b'{"projects":[]}')),
        ("GET", "/nothing", Answer(200, good, b"{}")),
    ):
        with pytest.raises(AssertionError):
            CONTRACT.check(method, at, answer)


async def test_an_expectation_that_is_not_known_is_a_problem(admin: Admin) -> None:
    """417 before any route, and none of aiohttp's own page."""
    answer = await admin.raw(b"GET /-/version HTTP/1.1\r\nHost: localhost\r\nExpect: foo\r\n\r\n")
    assert answer is not None
    assert (answer.status, json.loads(answer.body)["type"]) == (417, "/-/problems/expectation-failed")
    assert b"aiohttp" not in answer.body and b"Python" not in answer.body


async def test_what_a_store_says_of_itself_is_for_administrators(store: FakeStore, admin: Admin) -> None:
    """Keys, buckets and addresses stand in the answer to an administrator, and in nobody else's."""
    maintainer = await admin.new_token(["six"])
    store.failing = "projects/"
    told = {}
    for token in (maintainer, BOOTSTRAP):
        answer = await admin.get("projects/six", token=token)
        assert answer.code == "503 store-unavailable"
        told[token] = answer.json["detail"]
    assert "projects/six.json" not in told[maintainer]
    assert "projects/six.json" in told[BOOTSTRAP]
