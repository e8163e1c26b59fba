"""What commands that speak HTTP send, to whom, how often; and what they make of answers that are not what they should
be."""

import json
import re
from pathlib import Path

import click
import pytest
from yarl import URL

from docsredirect.cli import access, contact, exchange
from docsredirect.cli.terminal import WrongUse, escaped_json
from tests.cli.commands import invoke
from tests.cli.servers import TOKEN, answer, answering

META = {"revision": 3, "updated": "2026-01-01T00:00:00Z", "by": "me", "reason": None, "published": True}
RECORD = {"project": "six", "target": "https://six.example.org/", "path": "keep", "status": 301, "state": "active"}
PROJECT = json.dumps({**RECORD, "meta": META}).encode()
GOOD = answer(PROJECT, "200 OK", "application/json", 'ETag: "3-0"')
PREVIEW = answer(b'{"changes": [{"pointer": "/status", "before": 301, "after": 302}], "samples": [], "warnings": []}')
UNREAL = "drd_0123456789ab_0123456789abcdef0123456789abcdef"


def problem(status: int, code: str, detail: str, **fields: object) -> bytes:
    """Return the body of a problem."""
    told = {"type": f"/-/problems/{code}", "title": "It is so", "status": status, "detail": detail, "request_id": "r"}
    return json.dumps({**told, **fields}).encode()


def refused(status: str, code: str, detail: str, *headers: str, **fields: object) -> bytes:
    """Return an answer that tells of a problem."""
    return answer(problem(int(status[:3]), code, detail, **fields), status, "application/problem+json", *headers)


def environment(url: str, token: str = TOKEN) -> dict[str, str]:
    """Return the settings for a server."""
    return {"DOCSREDIRECT_URL": url, "DOCSREDIRECT_TOKEN": token}


def headers_of(request: bytes) -> dict[str, str]:
    """Return the headers of a request, with names in lower case."""
    lines = request.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_a_request_says_who_asks_and_keeps_the_token_where_it_belongs() -> None:
    """The token goes into its header and nowhere else; nothing compressed is asked for."""
    with answering(GOOD) as server:
        result = invoke("get", "six", env=environment(server.url))
    (request,) = server.requests
    headers = headers_of(request)
    assert request.startswith(b"GET /-/api/v1/projects/six HTTP/1.1\r\n")
    assert headers["authorization"] == f"Bearer {TOKEN}"
    assert headers["user-agent"].startswith("docsredirect/")
    assert headers["accept-encoding"] == "identity"
    assert request.count(TOKEN.encode()) == 1
    assert TOKEN not in result.output


def test_an_address_may_have_a_path() -> None:
    """Behind a path of a larger site, that comes before the API's."""
    with answering(GOOD) as server:
        assert invoke("get", "six", env=environment(f"{server.url}/docs/admin/")).exit_code == 0
    assert server.requests[0].startswith(b"GET /docs/admin/-/api/v1/projects/six ")


@pytest.mark.parametrize(
    "url",
    [
        "http://admin.example.org",
        "http://192.0.2.1:8081",
        "http://127.0.0.1.example.org",
        "http://localhost.example.org",
        "http://2130706433",
        "HTTP://ADMIN.example.org",
        "http://[2001:db8::1]",
        "http://user@127.0.0.1",
        "http://127.0.0.1:secret@example.org",
        "https://me:secret@admin.example.org",
        "http://127.0.0.1:99999",
    ],
)
@pytest.mark.parametrize("words", [["get", "six"], ["import", "-", "--url"], ["export", "--url"]], ids=lambda w: w[0])
def test_a_token_is_not_sent_in_the_clear(url: str, words: list[str]) -> None:
    """Over plain http a token goes to this machine only, and never where an address brings a password of its own."""
    arguments = [*words, url] if words[-1] == "--url" else words
    result = invoke(*arguments, env=environment(url))
    assert result.exit_code == 2, result.output
    assert TOKEN not in result.output
    assert "secret@" not in result.output
    assert ("DOCSREDIRECT_URL" in result.stderr) or ("--url" in result.stderr)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1", "https://a.example.org"])
def test_where_a_token_may_go(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """To this machine, and over TLS."""
    monkeypatch.setenv("DOCSREDIRECT_TOKEN", UNREAL)
    assert str(contact.find_server(url).url).rstrip("/") == url
    assert UNREAL not in repr(contact.find_server(url))


def test_the_token_of_this_machine_is_for_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With neither an address nor a token set, it is the one in the store's folder; with an address it must be set."""
    monkeypatch.setenv("DOCSREDIRECT_STORE", str(tmp_path))
    with pytest.raises(WrongUse, match="Set DOCSREDIRECT_TOKEN"):
        contact.find_server()
    (tmp_path / "admin-token").write_text("t" * 40 + "\n")
    assert contact.find_server() == contact.Server(URL("http://127.0.0.1:8081"), "t" * 40)
    with pytest.raises(WrongUse, match=r"no token to show to https://admin\.example\.org"):
        contact.find_server("https://admin.example.org")
    monkeypatch.setenv("DOCSREDIRECT_URL", "http://127.0.0.1:8081")
    with pytest.raises(WrongUse, match="Set DOCSREDIRECT_TOKEN"):
        contact.find_server()


def test_a_store_elsewhere_has_no_token_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """What may do everything on S3 is not taken for the one of a command."""
    monkeypatch.setenv("DOCSREDIRECT_STORE", "s3://bucket/prefix")
    monkeypatch.setenv("DOCSREDIRECT_ADMIN_TOKEN", "a" * 40)
    with pytest.raises(WrongUse, match="Set DOCSREDIRECT_TOKEN"):
        contact.find_server()


@pytest.mark.parametrize("token", ["two words", "Töken", "line\nbreak: x"])
def test_a_token_that_is_none_is_not_shown(token: str) -> None:
    """A token with what no header may hold is wrong use, and is not repeated."""
    result = invoke("get", "six", env=environment("http://127.0.0.1:1", token))
    assert result.exit_code == 2
    assert token not in result.output
    assert "Copy it again" in result.stderr


@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent"])
def test_redirects_are_not_followed(status: str) -> None:
    """A server that sends the command elsewhere gets an error, and elsewhere gets nothing."""
    with answering(GOOD) as other, answering(answer(b"", status, "text/html", f"Location: {other.url}/")) as server:
        result = invoke("get", "six", env=environment(server.url))
    assert result.exit_code == 1
    assert other.url in result.stderr
    assert (len(server.requests), other.requests) == (1, [])


def test_links_to_other_hosts_are_not_followed() -> None:
    """Of the link to a list's next page only the cursor is taken."""
    page = b'{"projects": []}'
    with answering(answer(page)) as other:
        link = f'Link: <{other.url}/-/api/v1/projects?cursor=abc>; rel="next"'
        with answering(answer(page, "200 OK", "application/json", link), answer(page)) as server:
            assert invoke("list", env=environment(server.url)).exit_code == 0
    assert other.requests == []
    assert server.requests[1].startswith(b"GET /-/api/v1/projects?limit=1000&cursor=abc ")


def test_a_list_that_goes_in_circles_ends() -> None:
    """A cursor that comes again is an error."""
    link = 'Link: </-/api/v1/projects?cursor=abc>; rel="next"'
    with answering(answer(b'{"projects": []}', "200 OK", "application/json", link)) as server:
        result = invoke("list", env=environment(server.url))
    assert result.exit_code == 1
    assert "back to an earlier one" in result.stderr
    assert len(server.requests) == 2


NOT_OURS = {
    "page": answer(b"<html>Sign in</html>", "200 OK", "text/html"),
    "page of an error": answer(b"<html>Oops</html>", "502 Bad Gateway", "text/html"),
    "other JSON": answer(b'{"hello": "world"}'),
    "a list": answer(b"[]"),
    "half": answer(b'{"project": "six"'),
    "deep": answer(b"[" * 100_000),
    "not UTF-8": answer(b'{"project": "\xff"}'),
    "another problem": answer(
        problem(404, "x", "y").replace(b"/-/problems", b"/other"), "404 No", "application/problem+json"
    ),
    "problem of another form": answer(b"{}", "404 Not Found", "application/problem+json"),
    "no ETag": answer(PROJECT),
    "compressed": answer(PROJECT, "200 OK", "application/json", "Content-Encoding: gzip"),
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
    "nothing": answer(b"", "204 No Content"),
}


@pytest.mark.parametrize("bytes_", NOT_OURS.values(), ids=NOT_OURS)
def test_what_is_not_this_api_is_a_plain_sentence(bytes_: bytes) -> None:
    """Whatever else answers is told as such, with the way to put it right; and nothing is taken from it."""
    with answering(bytes_) as server:
        result = invoke("set", "six", "https://a.example.org/", "--yes", env=environment(server.url))
    assert result.exit_code == 1
    assert result.stdout == ""
    (sentence,) = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert server.url in sentence
    assert "DOCSREDIRECT_URL" in sentence
    assert len(server.requests) == 1


@pytest.mark.parametrize("announced", [True, False])
def test_an_answer_without_end_is_not_read(monkeypatch: pytest.MonkeyPatch, announced: bool) -> None:
    """An answer over the limit ends the command; what it holds is not kept."""
    monkeypatch.setattr(exchange, "MAX_BODY", 1_048_576)
    body = b"x" * 3_000_000
    endless = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" + body
    with answering(answer(body) if announced else endless) as server:
        result = invoke("get", "six", env=environment(server.url))
    assert result.exit_code == 1
    assert "sent more than 1 MiB" in result.stderr
    assert len(result.output) < 1_000


ESCAPES = "\x1b]0;owned\x07\x1b[2J\r\u202e\x9b31m"


def test_what_a_server_says_moves_no_terminal() -> None:
    """Control characters in whatever a server says are shown as escapes: in records, errors, lists and histories."""
    hostile = {**RECORD, "rules": {f"a{ESCAPES}": f"b{ESCAPES}"}, "target": f"https://x{ESCAPES}/"}
    body = json.dumps({**hostile, "meta": {**META, "by": ESCAPES, "reason": ESCAPES}}).encode()
    listed = json.dumps({"projects": [{**hostile, "meta": {"revision": 1, "published": True}}]}).encode()
    entry = {"revision": 1, "time": META["updated"], "by": ESCAPES, "on_behalf_of": ESCAPES, "reason": ESCAPES}
    history = json.dumps({"history": [{**entry, "before": None, "after": hostile}]}).encode()
    fault = {"pointer": f"/{ESCAPES}", "code": "x", "detail": ESCAPES}
    told = refused("422 No", "invalid-record", ESCAPES, errors=[fault])
    conflict = refused("412 No", "precondition-failed", ESCAPES, current=json.loads(body))
    for words, bytes_ in (
        (["get", "six"], answer(body)),
        (["list"], answer(listed)),
        (["history", "six"], answer(history)),
        (["get", "six"], told),
        (["set", "six", "https://a.example.org/"], conflict),
        (["get", "six"], answer(b"", "200 OK", "text/html" + "\x7f")),
    ):
        with answering(bytes_) as server:
            output = invoke(*words, env=environment(server.url)).output
        assert output.replace("\n", "").replace("\t", "").isprintable(), output


def test_json_for_a_terminal_means_the_same() -> None:
    """What a terminal would obey is written as JSON's own escapes."""
    text = json.dumps({"a\x7f": "\x9b\u202e\U000e0001é"}, ensure_ascii=False).encode() + b"\r\n"
    escaped = escaped_json(text)
    assert json.loads(escaped) == json.loads(text)
    assert escaped.decode().replace("\n", "").isprintable()
    assert "é" in escaped.decode()


def test_a_read_is_repeated() -> None:
    """A server that drops a connection, or is not able yet, is asked again; then its answer counts."""
    busy = refused("503 No", "unknown", "Not yet.", "Retry-After: 0")
    with answering(None, busy, GOOD) as server:
        result = invoke("get", "six", env=environment(server.url))
    assert result.exit_code == 0, result.output
    assert len(server.requests) >= 3


def test_a_write_is_repeated_under_one_key() -> None:
    """A change whose answer was lost is sent again with the same key and the same precondition."""
    with answering(GOOD, PREVIEW, None, GOOD) as server:
        result = invoke("set", "six", "--status", "302", "--yes", env=environment(server.url))
    assert result.exit_code == 0, result.output
    read, _, *writes = [headers_of(request) for request in server.requests]
    assert len(writes) >= 2
    assert {(write["idempotency-key"], write["if-match"]) for write in writes} == {
        (writes[0]["idempotency-key"], '"3-0"')
    }
    assert "idempotency-key" not in read


def test_what_is_made_anew_each_time_is_not_repeated() -> None:
    """A token whose answer was lost is not made twice; that there may be one is said."""
    with answering(None) as server:
        result = invoke("token", "create", "--admin", env=environment(server.url))
    assert result.exit_code == 1
    assert "It may have been done all the same" in result.stderr
    assert len(server.requests) == 1


def test_repeating_ends() -> None:
    """After three repetitions the failure is told, with what became of the write."""
    busy = refused("503 No", "store-unavailable", "The store is away.", "Retry-After: 0", step="commit")
    with answering(GOOD, PREVIEW, busy) as server:
        result = invoke("set", "six", "--status", "302", "--yes", env=environment(server.url))
    assert result.exit_code == 1
    assert len(server.requests) == 6
    assert "The store is away.\nThe change may have been made all the same" in result.stderr


@pytest.mark.parametrize(
    ("step", "told"), [("read", "Nothing was changed."), ("publish", "The change is saved, and not published yet.")]
)
def test_a_long_wait_is_told_instead_of_waited_for(step: str, told: str) -> None:
    """A server that wants to be left alone for over 10 s is; when to try again is said, and what became of it."""
    busy = refused("503 No", "store-unavailable", "The store is away.", "Retry-After: 30", step=step)
    with answering(GOOD, PREVIEW, busy) as server:
        result = invoke("set", "six", "--status", "302", "--yes", env=environment(server.url))
    assert result.stderr.endswith(f"Error: The store is away.\n{told}\nTry again in 30 seconds.\n")
    assert len(server.requests) == 3


def test_nobody_there_is_one_sentence() -> None:
    """A port that nobody listens on is told with the address and what to look at."""
    result = invoke("get", "six", env=environment("http://127.0.0.1:1"))
    assert result.exit_code == 1
    assert result.stderr == (
        "Error: http://127.0.0.1:1 cannot be reached: Connection refused. Look whether it runs, and whether "
        "DOCSREDIRECT_URL is its address.\n"
    )


@pytest.mark.parametrize(
    ("bytes_", "told"),
    [
        (refused("401 No", "token-expired", "The token has expired."), "Set DOCSREDIRECT_TOKEN"),
        (refused("403 No", "scope-missing", "This needs the scope six."), "Use a token with that scope"),
        (refused("429 No", "too-many-wrong-tokens", "Too many.", "Retry-After: 60"), "Try again in 60 seconds."),
        (refused("421 No", "wrong-host", "Not here."), "DOCSREDIRECT_URL"),
        (refused("500 No", "internal", "That should not have happened."), "Tell the operators the request id, r."),
    ],
    ids=["401", "403", "429", "421", "500"],
)
def test_a_refusal_says_what_to_do(bytes_: bytes, told: str) -> None:
    """The detail comes first, then the way on."""
    with answering(bytes_) as server:
        result = invoke("get", "six", env=environment(server.url))
    assert result.exit_code == 1
    assert told in result.stderr.splitlines()[-1]


@pytest.mark.parametrize("secret", ["\x1b[2J", "drd_short", "https://evil.example.org/"])
def test_only_a_token_is_printed_as_one(secret: str) -> None:
    """What a server gives out as a token, and is none, does not reach standard output."""
    made = {"id": "x", "token": secret, "scope": "admin", "expires": META["updated"], "label": None}
    with answering(answer(json.dumps(made).encode(), "201 Created")) as server:
        result = invoke("token", "create", "--admin", env=environment(server.url))
    assert (result.exit_code, result.stdout) == (1, "")


@pytest.mark.parametrize("name", ["create", "list", "revoke"])
def test_every_command_of_a_group_has_help_and_an_example(name: str) -> None:
    """The commands below `token` say as much as the others."""
    command = access.token.commands[name]
    last = (command.help or "").rstrip().splitlines()[-1].strip()
    assert re.match(rf"docsredirect token {name}\b", last), last
    assert all(option.help for option in command.params if isinstance(option, click.Option))
    assert invoke("token", name, "--help").exit_code == 0
