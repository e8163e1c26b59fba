"""Who may do what: every token on every route, what the refused are told, limits, revocation, invitations, and that no
secret lands in a log."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from docsredirect.admin.routes import API, ROUTES, Access, Route
from docsredirect.admin.server import WRONG_TOKENS
from docsredirect.domain import tokens
from docsredirect.domain.tokens import StoredToken
from docsredirect.service.known_tokens import KEEP_SECONDS
from docsredirect.store import StoredObject
from tests.support.admin import ANY, BOOTSTRAP, CREATE, Admin, Answer, record, running_admin
from tests.support.stores import FakeStore

SIX = record("six")
SECRET = "s" * tokens.SECRET_LENGTH
YEAR = 365 * 86_400.0


def stored_token(store: FakeStore, id_: str, scope: tokens.Scope, **fields: Any) -> str:
    """Put a token into the store, and return its text."""
    text = f"drd_{id_}_{SECRET}"
    given: dict[str, Any] = {"kind": "token", "label": None, "created": 0.0, "created_by": "test", **fields}
    expires = given.pop("expires", time.time() + YEAR)
    token = StoredToken(id=id_, scope=scope, hash=tokens.digest(text), expires=expires, **given)
    store.objects[tokens.key_of(id_)] = StoredObject(tokens.encode(token), f'"{id_}"')
    return text


@pytest_asyncio.fixture
async def holders(admin: Admin, store: FakeStore) -> AsyncIterator[dict[str, str | None]]:
    """What each kind of asker sends as Authorization."""
    bearer = {
        "wrong secret": stored_token(store, "wrongSecret0", "admin")[:-1] + "x",
        "unknown id": f"drd_unknownIdxxx_{SECRET}",
        "expired": stored_token(store, "expired00000", "admin", expires=time.time() - 1),
        "revoked": stored_token(store, "revoked00000", "admin", revoked=1.0),
        "expired invitation": stored_token(store, "invited00000", ("six",), kind="invitation"),
        "other project": stored_token(store, "other0000000", ("seven",)),
        "own project": stored_token(store, "own000000000", ("eight", "six")),
        "admin": stored_token(store, "admin0000000", "admin"),
        "bootstrap": BOOTSTRAP,
    }
    yield {
        "none": None,
        "malformed": "Basic YWRtaW46YWRtaW4=",
        "no token at all": "Bearer",
        **{kind: f"Bearer {text}" for kind, text in bearer.items()},
    }


REFUSED = {
    "none": "401 token-missing",
    "malformed": "401 token-unknown",
    "no token at all": "401 token-unknown",
    "wrong secret": "401 token-unknown",
    "unknown id": "401 token-unknown",
    "expired invitation": "401 token-unknown",
    "expired": "401 token-expired",
    "revoked": "401 token-revoked",
}
"""Who is refused on every route that is not open, and why."""

HOLDERS = (*REFUSED, "other project", "own project", "admin", "bootstrap")

# What a handler needs to succeed, where that is more than its path.
REQUESTS: dict[str, dict[str, Any]] = {
    "put_project": {"json": {**SIX, "path": "root"}, "headers": ANY},
    "delete_project": {"headers": ANY},
    "roll_back": {"json": {"revision": 1}},
    "get_resolved": {"query": "?url=/six/"},
    "post_resolved": {"json": {"url": "/six/"}},
    "import_lines": {"body": b"", "headers": {"Content-Type": "application/jsonl"}},
    "create_token": {"json": {"scope": ["six"]}},
    "invite": {"json": {"project": "six"}},
}


def _expected(access: Access, holder: str) -> str | None:
    """Return the problem that a holder is told, or None where he is let in."""
    if access is Access.OPEN:
        return None
    if holder in REFUSED:
        return REFUSED[holder]
    reaches = {
        Access.READ: ("other project", "own project", "admin", "bootstrap"),
        Access.WRITE: ("own project", "admin", "bootstrap"),
        Access.ADMIN: ("admin", "bootstrap"),
    }[access]
    return None if holder in reaches else "403 scope-missing"


async def _prepare(admin: Admin, store: FakeStore, route: Route) -> str:
    """Make what a route needs to be there, and return its path."""
    assert (await admin.put(SIX, CREATE)).status == 201
    spare = stored_token(store, "spare0000000", ("six",), kind="invitation")
    return route.path.format(project="Six", id="spare0000000", invitation=spare, code="malformed")


async def _ask(admin: Admin, method: str, path: str, authorization: str | None, request: Mapping[str, Any]) -> Answer:
    headers = dict(request.get("headers", {}))
    if authorization is not None:
        headers["Authorization"] = authorization
    path += request.get("query", "")
    return await admin.ask(
        method, path, token=None, json=request.get("json"), body=request.get("body"), headers=headers
    )


CELLS = [(route, method) for route in ROUTES for method in ([route.method, "HEAD"] * 2)[: 1 + (route.method == "GET")]]


@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize(("route", "method"), CELLS, ids=lambda each: each.path if isinstance(each, Route) else each)
async def test_every_token_on_every_route(
    admin: Admin, store: FakeStore, holders: dict[str, str | None], route: Route, method: str, holder: str
) -> None:
    """Made from the route table: the cell of a new route is here as soon as the route is."""
    path = await _prepare(admin, store, route)
    was = dict(store.objects)
    answer = await _ask(admin, method, path, holders[holder], REQUESTS.get(route.handler.__name__, {}))
    expected = _expected(route.access, holder)
    if expected is None:
        assert answer.status in {each.status for each in route.answers}, answer
        return
    assert answer.status == int(expected[:3])
    if method != "HEAD":
        assert answer.code == expected
    challenge = answer.headers["www-authenticate"]
    if answer.status == 401:
        invalid = "" if holder == "none" else ', error="invalid_token"'
        assert challenge == f'Bearer realm="docsredirect"{invalid}'
    else:
        scope = "admin" if route.access is Access.ADMIN else "six"
        assert challenge == f'Bearer error="insufficient_scope", scope="{scope}"'
        assert method == "HEAD" or f"scope {scope}" in answer.json["detail"]
    assert {key: store.objects[key] for key in was if not key.startswith("tokens/")} == {
        key: each for key, each in was.items() if not key.startswith("tokens/")
    }


@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize(
    ("method", "path", "otherwise"),
    [
        ("GET", "nothing", "404 no-such-route"),
        ("GET", "projects/six/nothing", "404 no-such-route"),
        ("POST", "projects/six", "405 method-not-allowed"),
        ("PATCH", "projects/six", "405 method-not-allowed"),
        ("OPTIONS", "tokens", "405 method-not-allowed"),
        ("DELETE", "import", "405 method-not-allowed"),
    ],
)
async def test_what_is_no_route_is_told_to_those_who_are_let_in(
    admin: Admin, holders: dict[str, str | None], holder: str, method: str, path: str, otherwise: str
) -> None:
    """Without a token there is nothing but 401 below the API, whatever is asked."""
    answer = await _ask(admin, method, f"{API}/{path}", holders[holder], {})
    assert answer.code == REFUSED.get(holder, otherwise)


@pytest.mark.parametrize(
    ("holder", "said"),
    [
        ("none", "No token was shown"),
        ("malformed", "copied in full"),
        ("wrong secret", "copied in full"),
        ("unknown id", "copied in full"),
        ("expired", "The token expired00000 expired on "),
        ("revoked", "The token revoked00000 was revoked on 1970-01-01"),
    ],
)
async def test_401_says_why(admin: Admin, holders: dict[str, str | None], holder: str, said: str) -> None:
    """In words; a wrong secret is not told apart from an id that is not there."""
    answer = await _ask(admin, "GET", f"{API}/projects", holders[holder], {})
    assert said in answer.json["detail"]


@pytest.mark.parametrize("authorization", ["bearer {}", "BEARER   {}", "Bearer {} "])
async def test_how_a_token_may_be_sent(admin: Admin, authorization: str) -> None:
    """The scheme's name has no case (RFC 9110, section 11.1)."""
    headers = {"Authorization": authorization.format(BOOTSTRAP)}
    assert (await admin.get("projects", token=None, headers=headers)).status == 200


async def test_two_tokens_are_none_of_ours(admin: Admin) -> None:
    """Nobody can say which was meant; nor are cookies or query parameters looked at."""
    twice = [("Authorization", f"Bearer {BOOTSTRAP}")] * 2
    assert (await admin.get("projects", token=None, headers=twice)).code == "401 token-unknown"
    assert (await admin.get("projects", token=None, headers={"Cookie": f"token={BOOTSTRAP}"})).status == 401
    assert (await admin.get(f"projects?access_token={BOOTSTRAP}", token=None)).status == 401


async def test_a_side_without_a_bootstrap_token_knows_none(store: FakeStore) -> None:
    """An empty text is not one."""
    async with running_admin(store, bootstrap=None) as admin:
        assert (await admin.get("projects")).code == "401 token-unknown"
        assert (await admin.get("projects", token="")).status == 401


async def test_a_token_for_projects_writes_those_in_any_spelling(admin: Admin) -> None:
    """And reads all; nothing but its own scope is named to it."""
    token = await admin.new_token(["My_Project", "other"], label="Docs team")
    made = await admin.put(record("my.project"), CREATE, token=token)
    assert (made.status, made.json["meta"]["by"].startswith("Docs team (")) == (201, True)
    refused = await admin.put(SIX, CREATE, token=token)
    assert "may write my-project, other" in refused.json["detail"]
    assert (await admin.get("projects/my-project/history", token=token)).status == 200


async def test_only_administrators_speak_for_others(admin: Admin) -> None:
    """On-Behalf-Of needs the scope admin, on every route that takes it, also for one's own project."""
    token = await admin.new_token(["six"])
    whom = {"On-Behalf-Of": "Ada"}
    for answer in (
        await admin.put(SIX, CREATE, token=token, headers=whom),
        await admin.put(SIX, {}, token=token, headers={**CREATE, **whom}),
        await admin.ask("DELETE", "projects/six", token=token, headers={**ANY, **whom}),
        await admin.post("projects/six/rollback", {"revision": 1}, token=token, headers=whom),
    ):
        assert answer.code == "403 scope-missing"
        assert 'scope="admin"' in answer.headers["www-authenticate"]
    assert (await admin.get("projects/six")).status == 404
    admins = await admin.new_token("admin")
    assert (await admin.put(SIX, CREATE, token=admins, headers=whom)).json["meta"]["on_behalf_of"] == "Ada"


# --- wrong tokens


async def _wrong(admin: Admin, number: int = 0, headers: Mapping[str, str] | None = None) -> Answer:
    return await admin.get("projects", token=f"drd_{number:012d}_{SECRET}", headers=headers or {})


async def test_wrong_tokens_are_limited_and_right_ones_are_not(admin: Admin) -> None:
    """After so many in a minute the next is told when to try again; a right one is let in all the while."""
    for _ in range(WRONG_TOKENS + 1):
        assert (await admin.get("projects", token=None)).code == "401 token-missing"
    assert [(await _wrong(admin, n)).status for n in range(WRONG_TOKENS + 2)] == [401] * WRONG_TOKENS + [429] * 2
    limited = await _wrong(admin)
    assert limited.code == "429 too-many-wrong-tokens"
    assert 0 < int(limited.headers["retry-after"]) <= 60
    assert (await admin.get("projects")).status == 200
    assert (await admin.get("projects", token=await admin.new_token(["six"]))).status == 200
    assert (await admin.get("projects", token=None)).status == 401
    assert (await admin.get("nothing", token="wrong")).status == 429


async def test_a_forwarded_address_is_believed_of_trusted_proxies_only(store: FakeStore) -> None:
    """By default of nobody: else a script could give itself a new address for each try."""
    addresses = [f"192.0.2.{n}" for n in range(WRONG_TOKENS + 1)]
    async with running_admin(store) as admin:
        answers = [await _wrong(admin, n, {"X-Forwarded-For": each}) for n, each in enumerate(addresses)]
        assert answers[-1].status == 429
    async with running_admin(store, {"DOCSREDIRECT_TRUSTED_PROXIES": "127.0.0.0/8, 10.0.0.0/8"}) as admin:
        answers = [await _wrong(admin, n, {"X-Forwarded-For": each}) for n, each in enumerate(addresses)]
        assert {answer.status for answer in answers} == {401}
        # What stands before the last address that is no proxy's, the client itself has written.
        spoofed = [
            await _wrong(admin, n, {"X-Forwarded-For": f"{each}, 198.51.100.7, 10.0.0.{n}"})
            for n, each in enumerate(addresses)
        ]
        assert [answer.status for answer in spoofed] == [401] * WRONG_TOKENS + [429]
        assert (await _wrong(admin, 0, {"X-Forwarded-For": "198.51.100.8"})).status == 401
        assert (await _wrong(admin, 0, {"X-Forwarded-For": "no address"})).status == 401


# --- making, listing, revoking


async def test_a_token_is_shown_once(admin: Admin, store: FakeStore) -> None:
    """Its text has the form of the contract; the store and the lists have no part of its secret."""
    before = datetime.now(UTC)
    made = await admin.post("tokens", {"scope": ["Six", "my_project", "six"], "label": " Docs team "})
    assert made.status == 201
    token, secret = made.json["token"], made.json["token"].rpartition("_")[2]
    assert tokens.parse(token) is not None
    assert token == f"drd_{made.json['id']}_{secret}"
    assert (made.json["scope"], made.json["label"]) == (["my-project", "six"], "Docs team")
    expires = datetime.fromisoformat(made.json["expires"])
    assert timedelta(days=90) - timedelta(minutes=1) < expires - before < timedelta(days=90, minutes=1)
    listed = await admin.get("tokens")
    [shown] = listed.json["tokens"]
    assert (shown["id"], shown["kind"], shown["created_by"]) == (made.json["id"], "token", "bootstrap token")
    assert secret.encode() not in listed.body
    assert not any(secret.encode() in stored.body for stored in store.objects.values())


async def test_when_a_token_was_last_used_is_noted(admin: Admin) -> None:
    """Soon after, for whoever asks which ones can go."""
    token = await admin.new_token(["six"])
    assert (await admin.get("tokens")).json["tokens"][0]["last_used"] is None
    await admin.get("projects", token=token)
    async with asyncio.timeout(5):
        while (await admin.get("tokens")).json["tokens"][0]["last_used"] is None:
            await asyncio.sleep(0.01)


SOON = (datetime.now(UTC) + timedelta(days=1)).isoformat()
# A body, and what it comes to: a status, or the faults.
TOKENS: list[tuple[Any, int | list[str]]] = [
    ({"scope": "admin"}, 201),
    ({"scope": ["six"], "expires": SOON}, 201),
    ({"scope": ["six"], "expires": None, "label": None}, 201),
    ({"scope": ["six"], "expires": "9999-12-31T23:59:59Z"}, 201),
    ({"scope": [f"p{n}" for n in range(100)]}, 201),
    ({}, ["/scope missing"]),
    ({"scope": "everything"}, ["/scope choice"]),
    ({"scope": []}, ["/scope scope-size"]),
    ({"scope": [f"p{n}" for n in range(101)]}, ["/scope scope-size"]),
    ({"scope": ["six", "-x", 3, "packages"]}, ["/scope/1 name", "/scope/2 type", "/scope/3 name-reserved"]),
    ({"scope": None}, ["/scope type"]),
    ({"scope": ["six"], "expires": "2001-01-01T00:00:00Z"}, ["/expires time"]),
    ({"scope": ["six"], "expires": SOON[:19]}, ["/expires time"]),
    ({"scope": ["six"], "expires": "tomorrow"}, ["/expires time"]),
    ({"scope": ["six"], "expires": 4_000_000_000}, ["/expires time"]),
    ({"scope": ["six"], "label": "x" * 101}, ["/label label"]),
    ({"scope": ["six"], "label": "line\nbreak"}, ["/label label"]),
    ({"scope": ["six"], "label": 7, "scopes": []}, ["/scopes unknown-field", "/label type"]),
    (["six"], [" type"]),
]


@pytest.mark.parametrize(("body", "outcome"), TOKENS)
async def test_what_a_token_may_be(admin: Admin, body: Any, outcome: int | list[str]) -> None:
    """All faults are told at once, by pointer and code."""
    answer = await admin.post("tokens", body)
    if isinstance(outcome, int):
        assert answer.status == outcome
        assert (await admin.get("projects", token=answer.json["token"])).status == 200
    else:
        assert (answer.code, answer.faults) == ("422 invalid-request", outcome)


async def test_tokens_are_listed_page_by_page(admin: Admin, store: FakeStore) -> None:
    """By id; the link leads on, and what is made meanwhile moves none."""
    for n in range(7):
        stored_token(store, f"{n:012d}", ("six",))
    seen: list[str] = []
    path: str | None = "tokens?limit=3"
    while path is not None:
        page = await admin.get(path)
        seen += [token["id"] for token in page.json["tokens"]]
        link = page.headers.get("link")
        path = None if link is None else link.split(">")[0].removeprefix("<")
        stored_token(store, "0000000000-0".replace("-", "A"), ("six",))
    assert [id_ for id_ in seen if "A" not in id_] == [f"{n:012d}" for n in range(7)]
    assert len(seen) == len(set(seen))


async def test_revoking_a_token(admin: Admin) -> None:
    """At once where it was revoked; twice is as once; what never was is not found."""
    made = (await admin.post("tokens", {"scope": "admin"})).json
    assert (await admin.get("projects", token=made["token"])).status == 200
    revoked = await admin.ask("DELETE", f"tokens/{made['id']}")
    assert (revoked.status, revoked.json["id"]) == (200, made["id"])
    assert revoked.json["revoked"] is not None
    assert (await admin.get("projects", token=made["token"])).code == "401 token-revoked"
    assert (await admin.ask("DELETE", f"tokens/{made['id']}")).json["revoked"] == revoked.json["revoked"]
    assert (await admin.ask("DELETE", "tokens/000000000000")).code == "404 no-such-token"
    assert (await admin.ask("DELETE", f"tokens/{made['token']}")).code == "404 no-such-token"


async def test_a_revoked_token_is_refused_everywhere_within_five_seconds(store: FakeStore) -> None:
    """Two processes on one store: the other one may have just let it in."""
    async with running_admin(store) as one, running_admin(store) as other:
        made = (await one.post("tokens", {"scope": ["six"]})).json
        await other.get("projects", token=made["token"])
        async with asyncio.timeout(5):  # noting its first use makes a process forget what it has read
            while (await one.get("tokens")).json["tokens"][0]["last_used"] is None:
                await asyncio.sleep(0.01)
        assert (await other.get("projects", token=made["token"])).status == 200
        await one.ask("DELETE", f"tokens/{made['id']}")
        begin = time.monotonic()
        while (await other.get("projects", token=made["token"])).status == 200:
            assert time.monotonic() - begin < 5
            await asyncio.sleep(0.05)
        assert time.monotonic() - begin > KEEP_SECONDS / 3, "it was kept at all"
        assert (await other.get("projects", token=made["token"])).code == "401 token-revoked"


async def test_no_token_can_be_judged_while_the_store_fails(admin: Admin, store: FakeStore) -> None:
    """503, and not 401: the bootstrap token needs no store."""
    token = await admin.new_token(["six"])
    store.failing = "tokens/"
    assert (await admin.get("tokens", token=f"drd_{'9' * 12}_{SECRET}")).code == "503 store-unavailable"
    assert (await admin.get("tokens")).code == "503 store-unavailable"
    for answer in (
        await admin.post("tokens", {"scope": "admin"}),
        await admin.post("invitations", {"project": "six"}),
        await admin.ask("DELETE", f"tokens/{token[4:16]}"),
    ):
        assert (answer.code, answer.headers["retry-after"]) == ("503 store-unavailable", "7")
    assert (await admin.get("projects")).status == 200


# --- invitations


async def _invite(admin: Admin, **fields: object) -> dict[str, Any]:
    made = await admin.post("invitations", {"project": "My_Project", **fields})
    assert made.status == 201, made
    invitation: dict[str, Any] = made.json
    return invitation


def _path(link: str) -> str:
    return "/" + link.split("/", 3)[3]


async def test_an_invitation_signs_one_person_in_once(admin: Admin) -> None:
    """Its link says what it is for; taking it up gives a token for its project and nothing else."""
    made = await _invite(admin, hours=5, label="Ada")
    assert made["project"] == "my-project"
    left = datetime.fromisoformat(made["expires"]) - datetime.now(UTC)
    assert timedelta(hours=4, minutes=59) < left < timedelta(hours=5, minutes=1)
    path = _path(made["link"])
    shown = await admin.get(path, token=None)
    assert shown.status == 200
    assert "my-project" in shown.body.decode()
    assert f"curl -X POST {made['link']}" in shown.body.decode()
    taken = await admin.post(path, token=None)
    assert (taken.status, taken.json["scope"], taken.json["label"]) == (201, ["my-project"], "Ada")
    token = taken.json["token"]
    assert (await admin.put(record("my-project"), CREATE, token=token)).status == 201
    assert (await admin.put(SIX, CREATE, token=token)).code == "403 scope-missing"
    assert (await admin.post(path, token=None)).code == "410 invitation-spent"
    assert (await admin.get(path, token=None)).code == "410 invitation-spent"
    listed = {each["id"]: each for each in (await admin.get("tokens")).json["tokens"]}
    assert listed[made["id"]]["kind"] == "invitation"
    assert listed[made["id"]]["used"] is not None
    assert f"invitation {made['id']}" in listed[taken.json["id"]]["created_by"]


async def test_looking_at_an_invitation_changes_nothing(admin: Admin, store: FakeStore) -> None:
    """Whatever previews a link fetches it; nor may it be kept, or told to others as a referrer."""
    path = _path((await _invite(admin))["link"])
    was = dict(store.objects)
    for method in ("GET", "GET", "HEAD"):
        shown = await admin.ask(method, path, token=None)
        assert (shown.status, shown.headers["cache-control"]) == (200, "no-store")
        assert shown.headers["referrer-policy"] == "no-referrer"
    assert store.objects == was
    assert (await admin.post(path, token=None)).status == 201


async def test_of_many_who_take_an_invitation_up_at_once_one_succeeds(store: FakeStore) -> None:
    """Also over two processes; the tokens that were made in vain are taken back."""
    async with running_admin(store) as one, running_admin(store) as other:
        path = _path((await _invite(one))["link"])
        answers = await asyncio.gather(*(each.post(path, token=None) for each in (one, other) * 10))
        assert sorted(answer.status for answer in answers) == [201] + [410] * 19
        async with asyncio.timeout(5):
            while len(await _valid(one)) != 1:
                await asyncio.sleep(0.01)
        [won] = [answer.json["id"] for answer in answers if answer.status == 201]
        assert await _valid(one) == [won]


async def _valid(admin: Admin) -> list[str]:
    listed = (await admin.get("tokens?limit=100")).json["tokens"]
    return [each["id"] for each in listed if each["kind"] == "token" and each["revoked"] is None]


async def test_an_invitation_that_is_over(admin: Admin, store: FakeStore) -> None:
    """Revoked, too old, never made, cut short, or no invitation but a token: told in this way."""
    revoked = await _invite(admin)
    await admin.ask("DELETE", f"tokens/{revoked['id']}")
    old = stored_token(store, "old000000000", ("six",), kind="invitation", expires=time.time() - 1)
    plain = await admin.new_token(["six"])
    for path, code in (
        (_path(revoked["link"]), "410 invitation-spent"),
        (f"/-/invitations/{old}", "410 invitation-spent"),
        (f"/-/invitations/drd_{'9' * 12}_{SECRET}", "404 no-such-invitation"),
        (_path(revoked["link"])[:-1], "404 no-such-invitation"),
        (f"/-/invitations/{plain}", "404 no-such-invitation"),
    ):
        assert (await admin.get(path, token=None)).code == code
        assert (await admin.post(path, token=None)).code == code


async def test_an_invitation_is_no_token(admin: Admin) -> None:
    """It signs in once, through its link, and opens nothing by itself."""
    text = (await _invite(admin))["link"].rpartition("/")[2]
    assert (await admin.get("projects", token=text)).code == "401 token-unknown"


# A body, and what it comes to: a status, or the faults.
INVITATIONS: list[tuple[Any, int | list[str]]] = [
    ({"project": "six"}, 201),
    ({"project": "six", "hours": 1, "label": None}, 201),
    ({"project": "six", "hours": 720.0}, 201),
    ({}, ["/project missing"]),
    ({"project": "packages", "hours": 0}, ["/project name-reserved", "/hours number"]),
    ({"project": "-", "hours": 721}, ["/project name", "/hours number"]),
    ({"project": ["six"], "hours": None}, ["/project type", "/hours number"]),
    ({"project": "six", "scope": "admin", "label": "\u202e"}, ["/scope unknown-field", "/label label"]),
]


@pytest.mark.parametrize(("body", "outcome"), INVITATIONS)
async def test_what_an_invitation_may_be(admin: Admin, body: Any, outcome: int | list[str]) -> None:
    """For one project, valid for hours."""
    answer = await admin.post("invitations", body)
    if isinstance(outcome, int):
        assert answer.status == outcome
    else:
        assert (answer.code, answer.faults) == ("422 invalid-request", outcome)


async def test_links_lead_to_the_public_address(store: FakeStore) -> None:
    """The setting's, where there is one; else where the request has reached this side."""
    async with running_admin(store) as admin:
        assert (await _invite(admin))["link"].startswith(f"http://127.0.0.1:{admin.port}/-/invitations/drd_")
    async with running_admin(store, {"DOCSREDIRECT_ADMIN_URL": "https://redirects.example.org/"}) as admin:
        made = await _invite(admin)
        assert made["link"].startswith("https://redirects.example.org/-/invitations/drd_")
        shown = await admin.get(_path(made["link"]), token=None, headers={"Host": "redirects.example.org"})
        assert made["link"] in shown.body.decode()


# --- logs


async def test_no_secret_and_no_query_is_logged(
    admin: Admin, store: FakeStore, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the life of a token and of an invitation, refusals and faults of our own included."""
    caplog.set_level(logging.DEBUG)
    with capture_logs() as logs:
        token = await admin.new_token("admin", label="Ada")
        invited = await _invite(admin)
        path = _path(invited["link"])
        taken = (await admin.post(path, token=None)).json["token"]
        wrong = f"drd_{'9' * 12}_{'w' * 32}"
        await admin.put(SIX, CREATE, token=token, headers={"X-Reason": "why"})
        await admin.get("projects?q=what-was-asked", token=taken)
        await admin.get(f"projects?access_token={token}", token=wrong)
        await admin.post(path, token=None)
        await admin.get(f"projects/{token}", token=token)
        await admin.get(f"projects/six/{token}", token=token)
        await admin.ask("DELETE", f"tokens/{taken}")
        monkeypatch.setattr(admin.services.registry, "read", _break)
        assert (await admin.get("projects/six", token=token)).code == "500 internal"
        store.failing = ""
        await admin.get("tokens", token=wrong)
    shown = (repr(logs) + caplog.text).lower()
    for text in (BOOTSTRAP, token, taken, invited["link"].rpartition("/")[2], wrong):
        assert text.rpartition("_")[2].lower() not in shown
    assert "what-was-asked" not in shown
    assert [entry["action"] for entry in logs if entry["event"] == "audit"] == [
        "token-create", "invite", "invitation-redeem", "put",
    ]  # fmt: skip
    assert {entry["by"] for entry in logs if entry["event"] == "audit"} >= {"bootstrap token", f"Ada ({token[4:16]})"}


async def _break(name: str) -> None:
    raise ZeroDivisionError(name)
