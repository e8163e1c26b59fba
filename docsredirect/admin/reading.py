"""What a request says, read strictly: bodies, query parameters and headers. Nothing is decided here.

Whatever is not understood is refused by name: a misspelt ``dry_run`` must not become a write.
"""

import asyncio
import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
from aiohttp import hdrs, web

from docsredirect.admin.errors import BodyTooLarge, BodyTooSlow, InvalidBody, PreconditionRequired, WrongContentType
from docsredirect.domain import json_text
from docsredirect.domain.errors import Fault, InvalidRecord, MalformedText, pointer_to, shorten
from docsredirect.domain.faults import Faults
from docsredirect.domain.preconditions import Precondition

MAX_BODY = 1024 * 1024
"""The largest JSON body in bytes."""

MAX_IMPORT = 64 * 1024 * 1024
"""The largest import in bytes: 300,000 redirects, or more in several."""

BODY_SECONDS = 30.0
"""How long a JSON body may take to come."""

IMPORT_SECONDS = 300.0
"""How long an import may take to come."""

STALL_SECONDS = 10.0
"""How long a body may stand still: imports take turns, and one that was cut off must not keep the others waiting."""

MAX_REASON = 1_000
MAX_BEHALF = 200
"""In characters."""

IDEMPOTENCY_KEY = "Idempotency-Key"
LINE_TYPES = (
    "application/jsonl",
    "application/x-ndjson",
    "application/ndjson",
    "text/plain",
    "application/octet-stream",
)

_JSON = "application/json"
# Elements of a list may be empty (RFC 9110, section 5.6.1.2).
_ENTITY_TAG = re.compile(r'[\s,]*(W/)?"([!#-~]*)"\s*(?:,[\s,]*|$)')
_KEY = re.compile(r"[!-~]{8,128}")

T = TypeVar("T")


async def read_json(request: web.Request) -> Any:
    """Return the JSON value of a body. Raises `WrongContentType`, `BodyTooLarge`, `BodyTooSlow` and `MalformedText`."""
    _check_type(request, (_JSON,))
    return json_text.loads(await read_body(request, MAX_BODY, BODY_SECONDS))


async def read_lines(request: web.Request) -> bytes:
    """Return the body of an import. Raises as `read_json` does."""
    _check_type(request, LINE_TYPES)
    return await read_body(request, MAX_IMPORT, IMPORT_SECONDS)


async def read_body(request: web.Request, limit: int, seconds: float) -> bytes:
    """Return a body of at most `limit` bytes that comes within `seconds`, never standing still for `STALL_SECONDS`."""
    too_large = BodyTooLarge(f"The body is larger than {limit} bytes, which is the most that is read here.")
    if (request.content_length or 0) > limit:
        raise too_large
    body, clock = bytearray(), asyncio.get_running_loop().time
    end = clock() + seconds
    try:
        async with asyncio.timeout_at(min(end, clock() + STALL_SECONDS)) as patience:
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > limit:
                    raise too_large
                patience.reschedule(min(end, clock() + STALL_SECONDS))
    except TimeoutError as error:
        if patience.when() != end:
            raise BodyTooSlow(f"No byte of the body came for {STALL_SECONDS:g} seconds.") from error
        raise BodyTooSlow(f"The body did not come within {seconds:g} seconds.") from error
    return bytes(body)


def _check_type(request: web.Request, accepted: tuple[str, ...]) -> None:
    given = request.headers.getall(hdrs.CONTENT_TYPE, [])
    charset = (request.charset or "utf-8") if given else "utf-8"
    if len(given) != 1 or request.content_type not in accepted or charset.lower() not in ("utf-8", "us-ascii"):
        shown = shorten(given[0]) if given else "missing"
        raise WrongContentType(f"The Content-Type is {shown}. Send {' or '.join(accepted[:2])}, in UTF-8.")
    if encoding := request.headers.get(hdrs.CONTENT_ENCODING):
        raise WrongContentType(f"The Content-Encoding is {shorten(encoding)}. Send the body as it is.")


class Fields:
    """The fields of a body that is a JSON object, taken one by one; what is wrong with them is said all at once.

    None but those in `known` may be there. Raises `InvalidBody` where the body is no object."""

    def __init__(self, body: object, known: tuple[str, ...]) -> None:
        if not isinstance(body, Mapping):
            raise InvalidBody([Fault("", "type", f"The body is a JSON object with the fields {', '.join(known)}.")])
        self._body = body
        accepted = ", ".join(known)

        def unknown(name: str) -> Fault:
            return Fault(pointer_to(name), "unknown-field", f"{shorten(name)} is no field here; {accepted} are.")

        faults = Faults()
        faults.extend_for((name for name in body if name not in known), unknown)
        self._faults = faults.listed()

    def take(self, name: str, parse: Callable[[Any], T]) -> T | None:
        """Return a field as `parse` reads it, which raises `InvalidRecord`; None where it is not there or is wrong."""
        try:
            return parse(self._body[name]) if name in self._body else None
        except InvalidRecord as error:
            self._faults += error.faults
            return None

    def need(self, name: str, parse: Callable[[Any], T]) -> T | None:
        """Return a field as `take` does, and note where it is missing."""
        if name not in self._body:
            self._faults.append(Fault(pointer_to(name), "missing", f"`{name}` is required."))
        return self.take(name, parse)

    def check(self) -> None:
        """Raises `InvalidBody` with all that is wrong."""
        if self._faults:
            raise InvalidBody(self._faults)


def whole_number(name: str, low: int, high: int) -> Callable[[Any], int]:
    """Return what reads a field that is a whole number from `low` to `high`."""

    def parse(value: Any) -> int:
        if type(value) is float and value.is_integer():  # 3.0 is a whole number in JSON (RFC 8259, section 6)
            value = int(value)
        if type(value) is not int or not low <= value <= high:
            shown = shorten(str(value))
            raise InvalidRecord([Fault(f"/{name}", "number", f"`{name}` is {shown}: not one from {low} to {high}.")])
        return value

    return parse


def text(name: str) -> Callable[[Any], str]:
    """Return what reads a field that is a text."""

    def parse(value: Any) -> str:
        if not isinstance(value, str):
            raise InvalidRecord([Fault(f"/{name}", "type", f"`{name}` is a text.")])
        return value

    return parse


def future_time(name: str, now: float) -> Callable[[Any], float | None]:
    """Return what reads a field that is a time (RFC 3339) after `now`, as seconds since the epoch; null: None."""

    def parse(value: Any) -> float | None:
        if value is None:
            return None
        try:
            seconds = msgspec.convert(value, datetime).timestamp() if isinstance(value, str) else 0.0
            aware = isinstance(value, str) and msgspec.convert(value, datetime).tzinfo is not None
        except (msgspec.ValidationError, OverflowError, ValueError):
            seconds, aware = 0.0, False
        if not aware or seconds <= now:
            example = datetime.fromtimestamp(round(now) + 7_776_000, UTC).isoformat()
            detail = f"`{name}` is {shorten(str(value))}. It is a time to come, such as {example} (RFC 3339)."
            raise InvalidRecord([Fault(f"/{name}", "time", detail)])
        return seconds

    return parse


class Query:
    """The query parameters of a request: each at most once, and none but those in `known`."""

    def __init__(self, request: web.Request, known: tuple[str, ...]) -> None:
        self._values: dict[str, str] = {}
        faults = []
        for name, value in request.query.items():
            if name not in known:
                accepted = ", ".join(known) or "none"
                faults.append(f"{shorten(name)} is no parameter here. The parameters are: {accepted}.")
            elif name in self._values:
                faults.append(f"{name} is given twice. Keep one.")
            elif any("\ud800" <= char <= "\udfff" for char in value):
                faults.append(f"{name} is not UTF-8 text.")
            self._values[name] = value
        if faults:
            raise MalformedText(" ".join(faults))

    def text(self, name: str) -> str | None:
        """Return a parameter, or None where it is not given."""
        return self._values.get(name)

    def flag(self, name: str) -> bool:
        """Return whether a parameter is ``true``. Raises `MalformedText` for anything but true and false."""
        return self.choice(name, ("true", "false")) == "true"

    def choice(self, name: str, accepted: tuple[str, ...]) -> str | None:
        """Return a parameter that is one of `accepted`, or None. Raises `MalformedText`."""
        value = self._values.get(name)
        if value is not None and value not in accepted:
            raise MalformedText(f"{name} is {shorten(value)}. It is one of {', '.join(accepted)}.")
        return value

    def number(self, name: str, low: int, high: int, default: int) -> int:
        """Return a whole number from `low` to `high`. Raises `MalformedText`."""
        value = self._values.get(name)
        if value is None:
            return default
        if not re.fullmatch(r"[0-9]{1,16}", value) or not low <= int(value) <= high:
            raise MalformedText(f"{name} is {shorten(value)}. It is a whole number from {low} to {high}.")
        return int(value)


def read_precondition(request: web.Request, *, required: bool, creates: bool = False) -> Precondition:
    """Return what ``If-Match`` and, for what `creates`, ``If-None-Match: *`` say (RFC 9110, section 13.1).

    Raises `PreconditionRequired` where neither is there, and `MalformedText`.
    """
    if_match = _joined(request, hdrs.IF_MATCH)
    if_none_match = _joined(request, hdrs.IF_NONE_MATCH) if creates else None
    if if_match is None and if_none_match is None:
        if required:
            create = " or If-None-Match: * to create" if creates else ""
            raise PreconditionRequired(
                f"Say what you have seen: send the ETag of your last read in If-Match (* for any){create}."
            )
        return Precondition()
    if if_none_match not in (None, "*"):
        raise MalformedText(f"If-None-Match is {shorten(if_none_match or '')}. On a write it is *.")
    present = if_match == "*"
    tags = None if if_match is None or present else frozenset(_strong_tags(if_match, hdrs.IF_MATCH))
    return Precondition(any_of=tags, present=present, absent=if_none_match == "*")


def is_held(request: web.Request, etag: str) -> bool:
    """Tell whether a reader holds the state of `etag` already: ``If-None-Match``, compared weakly."""
    held = _joined(request, hdrs.IF_NONE_MATCH)
    return held is not None and (held == "*" or etag in (tag for _, tag in _tags(held, hdrs.IF_NONE_MATCH)))


def _joined(request: web.Request, header: str) -> str | None:
    values = request.headers.getall(header, [])
    return ", ".join(values).strip() if values else None


def _strong_tags(text: str, header: str) -> list[str]:
    return [tag for weak, tag in _tags(text, header) if not weak]


def _tags(text: str, header: str) -> list[tuple[str, str]]:
    found, position = [], 0
    while position < len(text):
        match = _ENTITY_TAG.match(text, position)
        if match is None:
            raise MalformedText(f'{header} is {shorten(text)}. It is * or ETags, each in quotes: "3-0123456789abcdef".')
        found.append((match.group(1) or "", match.group(2)))
        position = match.end()
    if not found:
        raise MalformedText(f"{header} is empty.")
    return found


def read_reason(request: web.Request) -> str | None:
    """Return ``X-Reason``, for the history. Raises `InvalidBody`."""
    return _read_words(request, "X-Reason", MAX_REASON)


def read_on_behalf_of(request: web.Request) -> str | None:
    """Return ``On-Behalf-Of``: for whom a change is made. Raises `InvalidBody`."""
    return _read_words(request, "On-Behalf-Of", MAX_BEHALF)


def _read_words(request: web.Request, header: str, limit: int) -> str | None:
    values = request.headers.getall(header, [])
    if not values:
        return None
    value = values[0].strip()
    if len(values) > 1 or len(value) > limit or not value.isprintable():
        raise InvalidBody(
            [Fault("", "header", f"{header} is one line of at most {limit} printable characters, in UTF-8, once.")]
        )
    return value or None


def read_operation(request: web.Request, identity: str, content: object) -> str | None:
    """Return the id of the operation that ``Idempotency-Key`` names, or None. The id stands for the key, for who asks,
    and for all that is asked: the same key with another content is another operation. Raises `MalformedText`."""
    keys = request.headers.getall(IDEMPOTENCY_KEY, [])
    if not keys:
        return None
    if len(keys) > 1 or not _KEY.fullmatch(keys[0]):
        raise MalformedText(f"{IDEMPOTENCY_KEY} is 8 to 128 visible ASCII characters, once.")
    conditions = [_joined(request, header) or "" for header in (hdrs.IF_MATCH, hdrs.IF_NONE_MATCH)]
    text = msgspec.json.encode(content, order="sorted").decode()
    parts = (keys[0], identity, request.method, request.path, *conditions, text)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
