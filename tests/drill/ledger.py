"""What writers attempted and what they were told, kept outside of the service: its word is held against it."""

import json
from typing import NamedTuple

import msgspec

from docsredirect.domain.records import Record
from tests.support.http import Response

REFUSALS = frozenset({404, 412})
"""How a write is refused that does not meet the project as its writer saw it: then it may not have been done."""

_UNCERTAIN = "/-/problems/store-unavailable"
"""What is answered where the store was too slow: such a write may or may not be done, as if nothing was answered."""


class Answer(NamedTuple):
    """What a write was answered: of a success, the project as it then was."""

    status: int
    revision: int = 0
    reason: str | None = None
    record: Record | None = None
    published: bool = False
    problem: str | None = None

    @property
    def acknowledges(self) -> bool:
        """Whether it says that the write was done."""
        return self.status in (200, 201)

    @property
    def is_uncertain(self) -> bool:
        """Whether it leaves open if the write was done, or will be."""
        return self.problem == _UNCERTAIN


class Attempt(msgspec.Struct, kw_only=True):
    """A write that was sent at least once."""

    number: int
    name: str
    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""
    wanted: Record | int | None
    """What the project is to be: a record; None: removed; a number: what it was at that revision."""
    life: int = 0
    """The life of the service, counted by kills, in which it was sent last."""
    lost_in: list[int] = []
    """The lives in which it was sent and not answered."""
    found: bool | None = None
    """Whether the history had it, when that was looked at after its answer was lost."""
    answers: list[Answer] = []

    @property
    def reason(self) -> str:
        """What marks its revision in the history: no other attempt has it."""
        return f"attempt {self.number}"

    @property
    def acknowledged(self) -> bool:
        """Whether it was ever said to be done."""
        return any(answer.acknowledges for answer in self.answers)

    @property
    def refused(self) -> bool:
        """Whether it was said not to be done."""
        return bool(self.answers) and self.answers[-1].status in REFUSALS


def read_answer(response: Response) -> Answer:
    """Return what a response to a write says."""
    if response.status not in (200, 201):
        return Answer(response.status, problem=json.loads(response.body)["type"])
    fields = json.loads(response.body)
    meta = fields.pop("meta")
    record = msgspec.convert(fields, Record) if "target" in fields else None
    return Answer(response.status, meta["revision"], meta["reason"], record, meta["published"])
