"""The closed sets that labels of metrics come from. Whatever is in none of them is counted as `OTHER`.

Nothing that a request says becomes a label by itself: neither memory nor the scraper can be filled from outside.
"""

from collections.abc import Collection

OTHER = "other"

STATUSES = frozenset(
    str(status)
    for status in (
        200, 201, 204, 301, 302, 303, 304, 307, 308,
        400, 401, 403, 404, 405, 406, 408, 409, 410, 411, 412, 413, 414, 415, 417, 421, 422, 428, 429, 431,
        500, 501, 503, 504,
    )
)  # fmt: skip

EDGE_STATUSES = ("200", "301", "302", "307", "308", "400", "403", "404", "405", "410", "414", "421", "500", "503")
"""What an edge answers. Each is there from the start, at 0, so that its rate is known from the first one on."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
CHANGES = frozenset({"created", "changed", "unchanged", "removed", "rolled-back", "imported"})
TOKEN_REFUSALS = frozenset({"missing", "unknown", "expired", "revoked", "limited"})
POLLS = frozenset({"changed", "unchanged", "failed", "refused"})
OPERATIONS = frozenset({"get", "create", "replace", "put", "delete", "list", "now", "probe"})
OUTCOMES = frozenset({"ok", "absent", "unmodified", "conflict", "refused", "unavailable", "cancelled"})
PROBES = ("kept", "broken")
OK, FAILED = "ok", "failed"


def closed(value: str, known: Collection[str]) -> str:
    """Return `value` where it is `known`, else `OTHER`."""
    return value if value in known else OTHER


def outcome(*, ok: bool) -> str:
    """Return the label of what went well or not."""
    return OK if ok else FAILED
