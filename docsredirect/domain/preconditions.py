"""ETags and preconditions of projects: what a writer says he has seen (RFC 9110, sections 8.8.3 and 13.1). No headers.

An ETag is made from revision and content, never from the store's: it survives a move to another store.
"""

import hashlib
from typing import NamedTuple

import msgspec

from docsredirect.domain.errors import PreconditionFailed
from docsredirect.domain.projects import Project


class Precondition(NamedTuple):
    """What must hold of a project for a write to happen. The default is nothing.

    `any_of` are opaque tags, of which the project's must be one; `present`: there must be a redirect, whatever it is
    (``If-Match: *``); `absent`: there must be none (``If-None-Match: *``), which is also so of a tombstone.
    """

    any_of: frozenset[str] | None = None
    present: bool = False
    absent: bool = False

    def check(self, project: Project | None, name: str) -> None:
        """Raises `PreconditionFailed` where it does not hold of `project`, which is that of `name`; None: none."""
        there = project is not None and project.record is not None
        if self.absent and there:
            raise PreconditionFailed(f"{name} has a redirect already. Send its ETag in If-Match to change it.", project)
        if self.present and not there:
            raise PreconditionFailed(f"{name} has no redirect that could be changed.", project)
        if self.any_of is not None and (project is None or etag_of(project) not in self.any_of):
            what = "has changed since it was read" if there else "has no redirect now"
            raise PreconditionFailed(f"{name} {what}. Look at what it is now, then decide again.", project)


ANYTHING = Precondition()


def etag_of(project: Project) -> str:
    """Return the opaque tag of a project's state, without quotes."""
    content = hashlib.sha256(msgspec.json.encode(project.record)).hexdigest()
    return f"{project.revision}-{content[:16]}"
