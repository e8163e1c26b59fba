"""Tokens and invitations: made once, shown once, listed without secrets, and taken back."""

import re

import pytest

from tests.support.admin import BOOTSTRAP, Admin, running_admin
from tests.support.stores import FakeStore
from tests.support.visitor import Seen, Visitor, visiting

TOKEN = re.compile(r"drd_([0-9A-Za-z]{12})_[0-9A-Za-z]{32}")
HOSTILE = "<b>Ops</b> & 'co'"


async def _make(visitor: Visitor, what: str, **filled: str) -> Seen:
    seen = await visitor.get("/tokens")
    return await visitor.send(seen, seen.form(make=what), **filled)


def _secrets(seen: Seen) -> list[str]:
    return list(dict.fromkeys(match.group() for match in TOKEN.finditer(seen.html)))


@pytest.mark.parametrize(
    ("filled", "scope", "says"),
    [
        (
            {"projects": "Zope.Interface, six\nmarkdown"},
            ["markdown", "six", "zope-interface"],
            "for markdown, six, zope-",
        ),
        ({"scope": "admin", "label": HOSTILE, "days": "1"}, "admin", "for everything"),
    ],
)
async def test_a_token_is_made_and_shown_once(admin: Admin, filled: dict[str, str], scope: object, says: str) -> None:
    """With a command line to paste; it works, and the list never shows its secret."""
    async with visiting(admin.port, BOOTSTRAP) as visitor:
        made = await _make(visitor, "token", **filled)
        assert (made.status, made.headers["Cache-Control"]) == (201, "no-store")
        assert says in made.text
        (secret,) = _secrets(made)
        command = f"export DOCSREDIRECT_URL=http://127.0.0.1:{admin.port} DOCSREDIRECT_TOKEN={secret}"
        assert f'value="{command}"' in made.html
        assert 'data-copy="token"' in made.html and 'data-copy="command"' in made.html
        assert (await admin.get("projects", token=secret)).status == 200
        listed = await visitor.get("/tokens")
        assert not _secrets(listed)
        assert TOKEN.fullmatch(secret)[1] in listed.text  # type: ignore[index]
        assert "<b>Ops" not in listed.html
    (stored,) = (await admin.get("tokens")).json["tokens"]
    assert (stored["scope"], stored["created_by"]) == (scope, "bootstrap token")


async def test_the_public_address_is_what_is_pasted(store: FakeStore) -> None:
    """Quoted for a shell."""
    environ = {"DOCSREDIRECT_ADMIN_URL": "http://admin.example.org/it's/"}
    async with running_admin(store, environ) as admin, visiting(admin.port, BOOTSTRAP) as visitor:
        made = await _make(visitor, "token", projects="six")
    assert (
        "DOCSREDIRECT_URL=&#39;http://admin.example.org/it&#39;&#34;&#39;&#34;&#39;s&#39; DOCSREDIRECT_TOKEN="
        in made.html
    )


async def test_an_invitation_is_made_with_words_to_send(admin: Admin) -> None:
    """The link signs a maintainer in, once, and the list says who made it and that it was used."""
    async with visiting(admin.port, BOOTSTRAP) as visitor:
        made = await _make(visitor, "invitation", project="Zope.Interface", whom=HOSTILE, hours="5")
        (secret,) = _secrets(made)
        link = f"http://127.0.0.1:{admin.port}/-/invitations/{secret}"
        assert made.html.count(link) == 2
        assert "You are invited to say where old links to the documentation of zope-interface lead" in made.html
        assert f"zope-interface {HOSTILE}" in (await visitor.get("/tokens")).text
        async with visiting(admin.port) as maintainer:
            invited = await maintainer.get(link.partition(str(admin.port))[2])
            assert (await maintainer.send(invited, invited.forms[0])).path == "/projects/zope-interface"
        seen = await visitor.get("/tokens")
    assert re.search(r"used \d+ \w+ \d{4}", seen.text)
    assert "invitation" in seen.text and HOSTILE in seen.text


@pytest.mark.parametrize("what", ["token", "invitation"])
async def test_a_result_that_is_loaded_again_makes_nothing_again(admin: Admin, what: str) -> None:
    """A browser sends the form once more: nothing is made, no secret is shown, and the page says so."""
    async with visiting(admin.port, BOOTSTRAP) as visitor:
        seen = await visitor.get("/tokens")
        form = seen.form(make=what)
        filled = {**form.fields, "projects": "six", "project": "six"}
        first = await visitor.post("/tokens", filled)
        again = await visitor.post("/tokens", filled)
        assert (first.status, again.status, again.path) == (201, 200, "/tokens?again=1")
        assert "nothing was made again" in again.text
        assert not _secrets(again)
    assert len((await admin.get("tokens")).json["tokens"]) == 1


@pytest.mark.parametrize(
    ("what", "filled", "said"),
    [
        ("token", {"projects": " , "}, ["Name at least one project"]),
        ("token", {"projects": "six -bad", "days": "0"}, ["'-bad' is not a project name", "days is '0'"]),
        ("token", {"projects": "six", "days": "x", "label": "x" * 101}, ["days is 'x'", "of 101 characters"]),
        ("token", {"projects": " ".join(f"p{n}" for n in range(101))}, ["has 101 names"]),
        ("invitation", {"project": "packages", "hours": "721"}, ["was the legacy host", "hours is '721'"]),
        ("invitation", {"project": "<script>", "whom": "a\u202eb"}, ["is not a project name", "all of them printable"]),
    ],
)
async def test_faults_are_told_all_at_once_and_nothing_is_lost(
    admin: Admin, what: str, filled: dict[str, str], said: list[str]
) -> None:
    """Each beside its field; what was typed stays, nothing was made, and the corrected form can be sent."""
    async with visiting(admin.port, BOOTSTRAP) as visitor:
        seen = await _make(visitor, what, **filled)
        assert seen.status == 422
        assert [words for words in said if words not in seen.text] == []
        assert "<script>" not in seen.html
        form = seen.form(make=what)
        assert {name: form.fields[name].strip() for name in filled} == {
            name: text.strip() for name, text in filled.items()
        }
        assert (await admin.get("tokens")).json["tokens"] == []
        right = {"projects": "six", "days": "9", "label": "", "project": "six", "hours": "9", "whom": ""}
        assert (await visitor.send(seen, form, **right)).status == 201


async def test_after_a_failed_store_the_same_form_can_be_sent_again(admin: Admin, store: FakeStore) -> None:
    """Nothing was made of it, as far as is known."""
    async with visiting(admin.port, BOOTSTRAP) as visitor:
        seen = await visitor.get("/tokens")
        store.failing = "tokens/"
        assert (await visitor.send(seen, seen.form(make="token"), projects="six")).status == 503
        store.failing = None
        assert (await visitor.send(seen, seen.form(make="token"), projects="six")).status == 201


async def test_revoking_asks_first(admin: Admin) -> None:
    """A page says what it means; then the token is refused, the list says so, and there is nothing left to revoke."""
    token = await admin.new_token(["six"], label=HOSTILE)
    id_ = TOKEN.fullmatch(token)[1]  # type: ignore[index]
    async with visiting(admin.port, BOOTSTRAP) as visitor:
        listed = await visitor.get("/tokens")
        assert f"/tokens/{id_}/revoke" in listed.links
        asked = await visitor.get(f"/tokens/{id_}/revoke")
        assert "Revoke this token?" in asked.text and HOSTILE in asked.text
        assert (await admin.get("projects", token=token)).status == 200
        after = await visitor.send(asked, asked.forms[-1])
        assert after.path == "/tokens"
        assert re.search(r"revoked \d+ \w+ \d{4}", after.text)
        assert f"/tokens/{id_}/revoke" not in after.links
        assert (await admin.get("projects", token=token)).code == "401 token-revoked"
        again = await visitor.get(f"/tokens/{id_}/revoke")
        assert "not good for anything any more" in again.text
        assert len(again.forms) == 1


async def test_who_revokes_his_own_token_is_warned_and_signed_out(admin: Admin) -> None:
    """The session ends with its token."""
    token = await admin.new_token("admin")
    id_ = TOKEN.fullmatch(token)[1]  # type: ignore[index]
    async with visiting(admin.port, token) as visitor:
        asked = await visitor.get(f"/tokens/{id_}/revoke")
        assert "you will be signed out" in asked.text
        after = await visitor.send(asked, asked.forms[-1])
    assert after.path.startswith("/sign-in")


@pytest.mark.parametrize(
    ("path", "status"), [("/tokens/none/revoke", 404), ("/tokens/abcdefghijkl/revoke", 404), ("/tokens?after=x", 400)]
)
async def test_what_is_not_there_is_told(admin: Admin, path: str, status: int) -> None:
    """An id that no token has, one that none can have, and a cursor that was made up."""
    async with visiting(admin.port, BOOTSTRAP) as visitor:
        assert (await visitor.get(path)).status == status


async def test_forms_of_other_sites_make_nothing(admin: Admin) -> None:
    """Without what the session's forms carry: 403."""
    async with visiting(admin.port, BOOTSTRAP) as visitor:
        seen = await visitor.get("/tokens")
        form = seen.form(make="token")
        assert (await visitor.send(seen, form, projects="six", csrf="0" * 64)).status == 403
    assert (await admin.get("tokens")).json["tokens"] == []


async def test_the_fullest_page_stays_small_and_leads_on(admin: Admin) -> None:
    """Thirty of the longest labels and scopes a page."""
    for number in range(31):
        await admin.new_token([f"{n}{'x' * 127}" for n in range(10)], label="'" * 98 + f"{number:02}")
    async with visiting(admin.port, BOOTSTRAP) as visitor:
        first = await visitor.get("/tokens")
        (following,) = [link for link in first.links if "after=" in link]
        second = await visitor.get(following)
    assert (first.text.count("and 7 more"), second.text.count("and 7 more")) == (30, 1)
    assert "/tokens" in second.links
