"""Tokens: their text, their scope, and what of them is stored."""

import hashlib
import string
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from docsredirect.domain import tokens
from docsredirect.domain.errors import Damaged, InvalidRecord
from docsredirect.domain.tokens import BOOTSTRAP, Identity, Scope, StoredToken, TokenText

BASE62 = string.ascii_letters + string.digits
ID = "0aZ9bY8cX7dW"
SECRET = "s" * 32
TEXT = f"drd_{ID}_{SECRET}"
STORED = StoredToken(
    id=ID,
    kind="token",
    scope=("six", "zope-interface"),
    label="a mirror",
    hash=tokens.digest(TEXT),
    created=1_700_000_000.0,
    created_by="bootstrap token",
    expires=1_707_776_000.0,
)

Faults = set[tuple[str, str]]

ACCEPTED_SCOPES: list[tuple[object, Scope]] = [
    ("admin", "admin"),
    (["six"], ("six",)),
    (["Zope.Interface", "six", "zope_interface"], ("six", "zope-interface")),
    (("six",), ("six",)),
    (["admin"], ("admin",)),
    ([f"p{n:03}" for n in range(100)], tuple(f"p{n:03}" for n in range(100))),
]

REFUSED_SCOPES: list[tuple[object, Faults]] = [
    ("six", {("/scope", "choice")}),
    ("Admin", {("/scope", "choice")}),
    ("", {("/scope", "choice")}),
    (None, {("/scope", "type")}),
    (True, {("/scope", "type")}),
    (1, {("/scope", "type")}),
    ({"six": True}, {("/scope", "type")}),
    ([], {("/scope", "scope-size")}),
    ([f"p{n}" for n in range(101)], {("/scope", "scope-size")}),
    (["six", None], {("/scope/1", "type")}),
    ([["six"]], {("/scope/0", "type")}),
    (["-six", "seven", "a b", ""], {("/scope/0", "name"), ("/scope/2", "name"), ("/scope/3", "name")}),
    (["x" * 129], {("/scope/0", "name")}),
    (["caf\u00e9"], {("/scope/0", "name")}),
    (["Packages"], {("/scope/0", "name-reserved")}),
]

REFUSED_LABELS: list[tuple[object, Faults]] = [
    (1, {("/label", "type")}),
    (["a"], {("/label", "type")}),
    ("x" * 101, {("/label", "label")}),
    ("a\nb", {("/label", "label")}),
    ("a\x00b", {("/label", "label")}),
    ("a\u202eb", {("/label", "label")}),
    ("\ud800", {("/label", "label")}),
]

NO_TOKENS = [
    "",
    "drd_",
    ID,
    TEXT[:-1],
    TEXT + "x",
    TEXT + "\n",
    " " + TEXT,
    TEXT.upper(),
    TEXT.replace("_", "-"),
    f"drd_{ID[:-1]}_{SECRET}",
    f"drd_{ID[:-1]}-_{SECRET}",
    f"drd_{ID}_" + "\u00e9" * 32,
    "drd_" + "\u0661" * 12 + f"_{SECRET}",
    f"drd_{ID}_{SECRET[:-1]}\ud800",
]

DAMAGED: dict[str, bytes] = {
    "empty": b"",
    "cut off": tokens.encode(STORED)[:40],
    "no object": b"[]",
    "nothing in it": b"{}",
    "not UTF-8": b'{"id": "\xff"}',
    "nested": b"[" * 100_000,
}

DAMAGED_FIELDS: list[dict[str, Any]] = [
    {"format": 2},
    {"format": None},
    {"id": "another12345"},
    {"kind": "session"},
    {"hash": ""},
    {"hash": "x" * 64},
    {"hash": STORED.hash.upper()},
    {"hash": STORED.hash + "\n"},
    {"scope": "six"},
    {"scope": None},
    {"scope": []},
    {"scope": ["Six"]},
    {"scope": ["six", "six"]},
    {"scope": ["zope", "six"]},
    {"scope": ["a b"]},
    {"scope": ["packages"]},
    {"scope": [f"p{n:03}" for n in range(101)]},
    {"label": ""},
    {"label": "x" * 101},
    {"label": "a\nb"},
    {"expires": None},
    {"expires": -1},
    {"expires": 1e300},
    {"created": "today"},
    {"revoked": True},
    {"used": -1},
]


def found(error: InvalidRecord) -> Faults:
    """Return where an error found what."""
    return {(fault.pointer, fault.code) for fault in error.faults}


@given(st.text(BASE62, min_size=12, max_size=12), st.text(BASE62, min_size=32, max_size=32))
def test_what_is_written_is_read_back(id_: str, secret: str) -> None:
    """Any id and secret of base62 survive the way through the text, and through an object's key."""
    text = TokenText(id_, secret)
    assert tokens.parse(str(text)) == text
    assert tokens.id_of(tokens.key_of(id_)) == id_


@given(st.text() | st.from_regex(r"drd_\w{11,13}_\w{31,33}"))
def test_what_is_read_is_written_back(text: str) -> None:
    """Text is either no token, or the text of exactly the token that it was read as."""
    parsed = tokens.parse(text)
    assert parsed is None or str(parsed) == text


def test_the_text_of_a_token() -> None:
    """drd, the id, the secret."""
    assert tokens.parse(TEXT) == TokenText(ID, SECRET)
    assert str(TokenText(ID, SECRET)) == TEXT


@pytest.mark.parametrize("text", NO_TOKENS, ids=ascii)
def test_what_is_no_token_by_its_form(text: str) -> None:
    """Other lengths, other characters, other case, and blanks around it."""
    assert tokens.parse(text) is None


def test_the_secret_is_not_in_a_representation() -> None:
    """What a traceback or a log shows of a token is its id."""
    assert SECRET not in repr(TokenText(ID, SECRET))
    assert SECRET not in f"{[TokenText(ID, SECRET)]}"
    assert SECRET.encode() not in tokens.encode(STORED)


def test_the_digest_is_sha_256_of_the_whole_text() -> None:
    """In hex; a text that is not UTF-8 has one too."""
    assert tokens.digest(TEXT) == hashlib.sha256(TEXT.encode()).hexdigest()
    assert tokens.digest("\ud800") != tokens.digest("\ud801")


@pytest.mark.parametrize(("raw", "scope"), ACCEPTED_SCOPES, ids=lambda value: ascii(value)[:60])
def test_accepted_scopes(raw: object, scope: Scope) -> None:
    """Everything, or projects in any spelling, kept once each and sorted by their normalised names."""
    assert tokens.parse_scope(raw) == scope


@pytest.mark.parametrize(("raw", "faults"), REFUSED_SCOPES, ids=lambda value: ascii(value)[:60])
def test_refused_scopes(raw: object, faults: Faults) -> None:
    """Every fault is reported at once, where it is."""
    with pytest.raises(InvalidRecord) as refused:
        tokens.parse_scope(raw)
    assert found(refused.value) == faults


@pytest.mark.parametrize(("raw", "faults"), REFUSED_LABELS, ids=lambda value: ascii(value)[:60])
def test_refused_labels(raw: object, faults: Faults) -> None:
    """A label that is too long, or that would draw something else than itself."""
    with pytest.raises(InvalidRecord) as refused:
        tokens.parse_label(raw)
    assert found(refused.value) == faults


@pytest.mark.parametrize(
    ("raw", "label"),
    [(None, None), ("", None), ("  ", None), (" a b ", "a b"), ("Zo\u00eb", "Zo\u00eb"), ("x" * 100, "x" * 100)],
    ids=ascii,
)
def test_accepted_labels(raw: object, label: str | None) -> None:
    """Blanks around a label are not part of it, and only blanks are none."""
    assert tokens.parse_label(raw) == label


def test_the_project_of_an_invitation() -> None:
    """Any spelling of one name; anything else is refused where it stands."""
    assert tokens.parse_project("Zope.Interface") == "zope-interface"
    for raw, code in ((None, "type"), (["six"], "type"), ("a b", "name"), ("packages", "name-reserved")):
        with pytest.raises(InvalidRecord) as refused:
            tokens.parse_project(raw)
        assert found(refused.value) == {("/project", code)}


def test_a_pointer_is_where_the_caller_says() -> None:
    """A value that stands elsewhere in a request is reported there."""
    with pytest.raises(InvalidRecord) as refused:
        tokens.parse_scope(["a b"], "/token/scope")
    assert found(refused.value) == {("/token/scope/0", "name")}


@pytest.mark.parametrize("kind", ["token", "invitation"])
@pytest.mark.parametrize("scope", ["admin", ("six",), ("admin",)], ids=str)
def test_an_object_comes_back_as_it_went_in(kind: Any, scope: Scope) -> None:
    """The scope of the project named admin is not the scope admin."""
    token = msgspec.structs.replace(STORED, kind=kind, scope=scope, label=None, used=1.0, used_for=ID, revoked=2.5)
    assert tokens.decode(tokens.encode(token), ID) == token


@pytest.mark.parametrize("body", DAMAGED.values(), ids=DAMAGED)
def test_damaged_objects(body: bytes) -> None:
    """What is no token's object is named by its key."""
    with pytest.raises(Damaged, match=rf"^tokens/{ID}\.json "):
        tokens.decode(body, ID)


@pytest.mark.parametrize("fields", DAMAGED_FIELDS, ids=lambda fields: ascii(fields)[:60])
def test_damaged_fields(fields: dict[str, Any]) -> None:
    """A field that no version of this program would have written lets nobody in."""
    body = msgspec.json.encode({**msgspec.to_builtins(STORED), **fields})
    with pytest.raises(Damaged, match=rf"^tokens/{ID}\.json "):
        tokens.decode(body, ID)


@pytest.mark.parametrize(
    "key", ["", "tokens/", "tokens/x.json", f"tokens/{ID}", f"projects/{ID}.json", f"tokens/{ID}.json.json", ID]
)
def test_keys_that_are_no_tokens(key: str) -> None:
    """Other objects are not taken for tokens."""
    assert tokens.id_of(key) is None


@pytest.mark.parametrize(
    ("scope", "name", "allowed"),
    [
        ("admin", "six", True),
        (("six",), "six", True),
        (("six",), "SIX", True),
        (("zope-interface",), "Zope.Interface", True),
        (("six",), "seven", False),
        (("six",), "si", False),
        (("six",), "", False),
        (("admin",), "six", False),
    ],
)
def test_what_an_identity_may_write(scope: Scope, name: str, allowed: bool) -> None:
    """An administrator everything, others their projects in any spelling."""
    identity = Identity(ID, "somebody", scope)
    assert identity.may_write(name) is allowed
    assert identity.is_admin is (scope == "admin")


@pytest.mark.parametrize(("label", "name"), [("a mirror", f"a mirror ({ID})"), (None, f"token {ID}")])
def test_what_history_says_of_a_token(label: str | None, name: str) -> None:
    """The label with the id, since two tokens may have one label."""
    token = msgspec.structs.replace(STORED, label=label)
    assert tokens.identity_of(token) == Identity(ID, name, STORED.scope)


def test_the_bootstrap_token_is_an_administrator_without_an_id() -> None:
    """It has no object, so nothing can revoke it but a new setting."""
    assert (BOOTSTRAP.id, BOOTSTRAP.name, BOOTSTRAP.is_admin) == (None, "bootstrap token", True)
