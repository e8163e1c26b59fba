"""Everything that can go wrong, as one small tree.

DocsRedirectError
 ├ InvalidRecord      a record breaks rules; all its faults are listed
 ├ MalformedText      text that is not what its format says
 ├ InvalidSettings    the environment cannot be used; all its problems are listed
 ├ ImportRefused      an import as a whole would do too much
 ├ NotModified        the object is still what the reader holds
 ├ Unknown            nobody can say now where a name leads: never taken for "nowhere"
 └ StoreError
    ├ StoreUnavailable  the store did not answer, or answered something other than yes or no
    ├ WritesRefused     the store does not keep the conditions of writes, so nothing is written to it
    ├ Conflict          the object is not what the writer believed it to be
    └ Damaged           an object is there, and is not what it should be

Each class has a stable ``code`` and the HTTP ``status`` that a face shows for it.
"""

import msgspec


def shorten(value: str, limit: int = 80) -> str:
    """Return `value` quoted for a message, cut to `limit` characters."""
    return repr(value if len(value) <= limit else value[:limit] + "…")


def pointer_to(*path: str) -> str:
    """Return the JSON pointer to a value (RFC 6901)."""
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)


class Fault(msgspec.Struct, frozen=True):
    """One thing wrong with a record: where (RFC 6901 pointer), a stable code, and what would be accepted."""

    pointer: str
    code: str
    detail: str


class DocsRedirectError(Exception):
    """The root of the tree."""

    code = "internal"
    status = 500


class InvalidRecord(DocsRedirectError):
    """A record breaks rules. `faults` lists every one of them."""

    code = "invalid-record"
    status = 422

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(f"{fault.pointer or '/'}: {fault.detail}" for fault in faults))
        self.faults = faults


class MalformedText(DocsRedirectError):
    """Text is not what its format says."""

    code = "malformed"
    status = 400


class InvalidSettings(DocsRedirectError):
    """The environment cannot be used. `problems` lists why, one sentence each."""

    code = "invalid-settings"

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class ImportRefused(DocsRedirectError):
    """An import as a whole would do too much without being told to."""

    code = "import-refused"
    status = 422


class NotModified(DocsRedirectError):
    """The object still has the ETag that the reader holds."""

    code = "not-modified"
    status = 304


class Unknown(DocsRedirectError):
    """Nobody can say now where a name leads."""

    code = "unknown"
    status = 503


class StoreError(DocsRedirectError):
    """The object store and this process do not agree."""

    code = "store"
    status = 503


class StoreUnavailable(StoreError):
    """The store did not answer, or answered something other than yes or no."""

    code = "store-unavailable"


class WritesRefused(StoreError):
    """The store does not keep the conditions of writes: nothing is written to it, and reading goes on."""

    code = "writes-refused"


class Conflict(StoreError):
    """The object is not what the writer believed it to be: it was there already, has changed, or is gone."""

    code = "conflict"
    status = 412


class Damaged(StoreError):
    """An object is there, and is not what it should be."""

    code = "damaged"
