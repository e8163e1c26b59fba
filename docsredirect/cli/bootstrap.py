"""The bootstrap token: the one that may do all before there is any other. No command of its own.

It is DOCSREDIRECT_ADMIN_TOKEN or, where the store is a folder, the content of a file in that folder, made by the first
`serve`. It is handed on by where it is kept, never by an argument, which every user of a machine can read.
"""

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from docsredirect.cli.terminal import WrongUse
from docsredirect.domain.settings import MIN_SECRET, Settings
from docsredirect.store import folder_of

FILE = "admin-token"
_RANDOM_BYTES = 32

_NEEDED = """\
DOCSREDIRECT_ADMIN_TOKEN is not set, and {store} is no folder where a token could be made and kept.
Set it to 32 or more random characters, such as what `openssl rand -hex 32` prints, or start with --edge-only."""


class AdminToken(NamedTuple):
    """The bootstrap token. `made_in` is the file it is kept in, where it has just been made."""

    token: str
    made_in: Path | None = None


def admin_token(settings: Settings) -> AdminToken:
    """Return the bootstrap token; made now, where there is none and the store is a folder. Raises `WrongUse` where it
    must be set or cannot be used, and `OSError` where the folder cannot be used."""
    folder = _folder(settings)
    if settings.admin_token is not None or folder is None:
        return AdminToken(required_admin_token(settings))
    path = folder / FILE
    with suppress(FileNotFoundError):
        return AdminToken(_read(path))
    folder.mkdir(parents=True, exist_ok=True)
    token = secrets.token_urlsafe(_RANDOM_BYTES)
    return AdminToken(token, path) if _keep(token, path) else AdminToken(_read(path))


def _keep(token: str, path: Path) -> bool:
    """Put a token in a file that is whole from the start, for nobody else to read; tell whether there was none yet."""
    descriptor, draft = tempfile.mkstemp(prefix=f".{FILE}-", dir=path.parent)  # mode 0600
    try:
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(token + "\n")
            file.flush()
            os.fsync(descriptor)
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        os.unlink(draft)
    return True


def existing_admin_token(settings: Settings) -> str | None:
    """Return the bootstrap token, or None where there is none yet. Raises `WrongUse` where its file holds none, and
    `OSError` where that cannot be read."""
    folder = _folder(settings)
    if settings.admin_token is not None or folder is None:
        return settings.admin_token
    try:
        return _read(folder / FILE)
    except FileNotFoundError:
        return None


def required_admin_token(settings: Settings) -> str:
    """Return the token that is set. Raises `WrongUse`, with what to do, where none is."""
    if settings.admin_token is None:
        raise WrongUse(_NEEDED.format(store=settings.store))
    return settings.admin_token


def _folder(settings: Settings) -> Path | None:
    return None if settings.store.startswith("s3://") else folder_of(settings.store)


def _read(path: Path) -> str:
    token = path.read_text(encoding="ascii", errors="replace").strip()
    if len(token) >= MIN_SECRET and token.isascii() and token.isprintable() and " " not in token:
        return token
    raise WrongUse(
        f"{path} holds no token of at least {MIN_SECRET} visible ASCII characters. Remove it to have one made at "
        "the next start, or set DOCSREDIRECT_ADMIN_TOKEN."
    )
