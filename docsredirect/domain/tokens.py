"""Tokens and invitations: their text, what they allow, and how they are stored. Draws no secret and reads no store.

A token is ``drd_<id>_<secret>``. The object ``tokens/<id>.json`` holds its SHA-256, never its secret: with 190 random
bits there is nothing for a slow hash to protect. An invitation is the same with another kind, and signs in once.
"""

import hashlib
import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from docsredirect.domain import names
from docsredirect.domain.errors import Damaged, Fault, InvalidRecord, shorten
from docsredirect.domain.records import RESERVED_NAMES

FORMAT = 1
PREFIX = "tokens/"

ID_LENGTH = 12
SECRET_LENGTH = 32
"""Both in base62 characters. The secret's are 190 bits."""

MAX_SCOPE = 100
"""The most projects that one token may write. Whoever keeps more is an administrator."""

MAX_LABEL = 100
"""The longest label in characters."""

_ID = re.compile(rf"[0-9A-Za-z]{{{ID_LENGTH}}}")
_TEXT = re.compile(rf"drd_({_ID.pattern})_([0-9A-Za-z]{{{SECRET_LENGTH}}})")
_HASH = re.compile(r"[0-9a-f]{64}")

Scope = Literal["admin"] | tuple[str, ...]
"""What a token may write: everything, or the projects of these normalised names, sorted and without repeats."""

Kind = Literal["token", "invitation"]

LAST_TIME = 253_402_300_799.0
"""The last second of the year 9999 (UTC), in seconds since the epoch: no date can state a later one."""

Time = Annotated[float, Meta(ge=0, le=LAST_TIME)]
"""Seconds since the epoch."""


class TokenText(msgspec.Struct, frozen=True):
    """A token as its holder has it. `str` gives all of it; `repr`, which lands in logs, only the id."""

    id: str
    secret: str

    def __str__(self) -> str:
        return f"drd_{self.id}_{self.secret}"

    def __repr__(self) -> str:
        return f"TokenText(id={self.id!r})"


class StoredToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token or an invitation as it is stored. Times are seconds since the epoch; None: not yet."""

    format: int = FORMAT
    id: str
    kind: Kind
    scope: Scope
    label: str | None
    hash: str
    created: Time
    created_by: str
    expires: Time
    last_used: Time | None = None
    revoked: Time | None = None
    used: Time | None = None
    """When an invitation was redeemed."""
    used_for: str | None = None
    """The id of the token that it was redeemed for: tells whether a PUT whose answer was lost had succeeded."""


class Identity(msgspec.Struct, frozen=True):
    """Who asks. `id` is None for the bootstrap token; `name` is what a project's history says of who changed it."""

    id: str | None
    name: str
    scope: Scope

    @property
    def is_admin(self) -> bool:
        """Whether it may do everything."""
        return self.scope == "admin"

    def may_write(self, name: str) -> bool:
        """Tell whether it may write the project `name`, in any spelling."""
        return self.is_admin or names.normalise(name) in self.scope


BOOTSTRAP = Identity(None, "bootstrap token", "admin")


def identity_of(token: StoredToken) -> Identity:
    """Return who the holder of `token` is."""
    name = f"token {token.id}" if token.label is None else f"{token.label} ({token.id})"
    return Identity(token.id, name, token.scope)


def parse(text: str) -> TokenText | None:
    """Return the parts of a token's text, or None where `text` is none by its form."""
    match = _TEXT.fullmatch(text)
    return None if match is None else TokenText(match[1], match[2])


def digest(text: str) -> str:
    """Return the SHA-256 of `text` in hex. Takes whatever a header may hold, halves of surrogate pairs too."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def is_id(text: str) -> bool:
    """Tell whether a token may have the id `text`."""
    return _ID.fullmatch(text) is not None


def parse_scope(raw: object, pointer: str = "/scope") -> Scope:
    """Return the scope that a decoded JSON value says: ``"admin"``, or a list of names in any spelling.

    Raises `InvalidRecord` with every fault, at pointers below `pointer`.
    """
    if raw == "admin":
        return "admin"
    accepted = f'"admin" or a list of 1 to {MAX_SCOPE} project names'
    if isinstance(raw, str):
        raise InvalidRecord([Fault(pointer, "choice", f"The scope is {shorten(raw)}. It must be {accepted}.")])
    if not isinstance(raw, (list, tuple)):
        raise InvalidRecord([Fault(pointer, "type", f"The scope is {accepted}.")])
    if not 1 <= len(raw) <= MAX_SCOPE:
        detail = f"The scope has {len(raw)} names. It must be {accepted}."
        raise InvalidRecord([Fault(pointer, "scope-size", detail)])
    faults = [fault for number, name in enumerate(raw) for fault in _name_faults(name, f"{pointer}/{number}")]
    if faults:
        raise InvalidRecord(faults)
    return tuple(sorted({name for each in raw if (name := names.normalise(each)) is not None}))


def parse_project(raw: object, pointer: str = "/project") -> str:
    """Return the normalised form of the one project that an invitation is for. Raises `InvalidRecord`."""
    faults = _name_faults(raw, pointer)
    name = names.normalise(raw) if isinstance(raw, str) else None
    if faults or name is None:
        raise InvalidRecord(faults)
    return name


def parse_label(raw: object, pointer: str = "/label") -> str | None:
    """Return the label that a decoded JSON value says, without blanks around it; None for none, or only blanks.

    Raises `InvalidRecord`.
    """
    if raw is None:
        return None
    if not isinstance(raw, str):
        raise InvalidRecord([Fault(pointer, "type", "`label` is a text.")])
    label = raw.strip()
    if not _is_label(label):
        detail = (
            f"The label is {shorten(label)}, of {len(label)} characters. "
            f"At most {MAX_LABEL} are accepted, all of them printable."
        )
        raise InvalidRecord([Fault(pointer, "label", detail)])
    return label or None


def key_of(id_: str) -> str:
    """Return the key of the object of the token `id_`."""
    return f"{PREFIX}{id_}.json"


def id_of(key: str) -> str | None:
    """Return the id of the token that the object `key` is, or None where it is none."""
    id_ = key.removeprefix(PREFIX).removesuffix(".json")
    return id_ if key_of(id_) == key and is_id(id_) else None


def encode(token: StoredToken) -> bytes:
    """Return the bytes of a token's object."""
    return msgspec.json.encode(token) + b"\n"


def decode(body: bytes, id_: str) -> StoredToken:
    """Return the token that `body`, the object of `id_`, holds. Raises `Damaged` where it holds none."""
    key = key_of(id_)
    try:
        token = _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Damaged(f"{key} cannot be read: {error}.") from error
    if token.format != FORMAT:
        raise Damaged(f"{key} has format {token.format}; this version reads format {FORMAT}.")
    if token.id != id_:
        raise Damaged(f"{key} is about another token.")
    if not _HASH.fullmatch(token.hash):
        raise Damaged(f"{key} holds no SHA-256 in hex.")
    if token.scope != "admin" and not _is_scope(token.scope):
        raise Damaged(f"{key} has a scope that is not a sorted list of 1 to {MAX_SCOPE} normalised names.")
    if token.label is not None and not (token.label and _is_label(token.label)):
        raise Damaged(f"{key} has a label that is not of 1 to {MAX_LABEL} printable characters.")
    return token


_DECODER = msgspec.json.Decoder(StoredToken)


def _name_faults(raw: object, pointer: str) -> list[Fault]:
    if not isinstance(raw, str):
        return [Fault(pointer, "type", "A project's name is a text.")]
    name = names.normalise(raw)
    if name is None:
        detail = (
            f"{shorten(raw)} is not a project name. Use at most {names.MAX_NAME} ASCII letters, digits, '.', '-' and "
            "'_', with a letter or digit at both ends (PEP 508)."
        )
        return [Fault(pointer, "name", detail)]
    if name in RESERVED_NAMES:
        detail = f"{shorten(raw)} cannot be a project here: /{name} was the legacy host's file route."
        return [Fault(pointer, "name-reserved", detail)]
    return []


def _is_scope(scope: tuple[str, ...]) -> bool:
    if list(scope) != sorted(set(scope)) or not 1 <= len(scope) <= MAX_SCOPE:
        return False
    return all(names.normalise(name) == name and name not in RESERVED_NAMES for name in scope)


def _is_label(label: str) -> bool:
    return len(label) <= MAX_LABEL and label.isprintable()
