"""From a decision to bytes on the wire: statuses, headers, bodies. `Location` is written as it was decided."""

from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import web

from docsredirect import __version__
from docsredirect.domain import purges
from docsredirect.domain.resolve import Answer, Denial
from docsredirect.domain.settings import Lifetimes
from docsredirect.edge.lifetimes import NOT_KEPT, TableState, for_answer
from docsredirect.edge.pages import Pages
from docsredirect.edge.requests import ALLOWED_METHODS, Target

SERVER = f"docsredirect/{__version__}"

HTML = "text/html; charset=utf-8"
PLAIN = "text/plain; charset=utf-8"
XML = "application/xml"
_NO_STORE = {"Cache-Control": "no-store"}
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_SENTENCES = {
    400: "This is not a request that can be answered.",
    403: "This server is reached through its public address only.",
    405: "Only GET and HEAD are answered here.",
    414: "The address is too long.",
    421: "This host is not served here.",
    500: "Something is wrong on our side.",
    503: "Where this leads is not known right now. Please try again shortly.",
}


def answered(answer: Answer, target: Target, state: TableState, lifetimes: Lifetimes, pages: Pages) -> web.Response:
    """Return the response for a redirect, 404 or 410 of a project."""
    keep = NOT_KEPT if isinstance(answer, Denial) else for_answer(answer.status, state, lifetimes)
    tags = [purges.ALL] if answer.name is None else [purges.key_of(answer.name), purges.ALL]
    headers = {
        "Cache-Control": keep.browser,
        "Surrogate-Control": keep.cdn,
        "CDN-Cache-Control": keep.cdn,
        "Surrogate-Key": " ".join(tags),
        "Cache-Tag": ",".join(tags),
    }
    if answer.location is not None:
        return _response(answer.status, b"", {"Location": answer.location, **headers})
    body = pages.gone(target, answer) if answer.status == 410 else pages.absent(target, answer)
    return _response(answer.status, body, {"Content-Type": HTML, **_PAGE_HEADERS, **headers})


def refused(status: int, *, retry_after: int | None = None) -> web.Response:
    """Return an error that nothing may keep: 400, 403, 405, 414, 421, 500 or 503. It repeats nothing of the request."""
    headers = {"Content-Type": PLAIN, **_NO_STORE}
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(ALLOWED_METHODS)
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    phrase = HTTPStatus(status).phrase
    return _response(status, f"{status} {phrase}\n{_SENTENCES[status]}\n".encode(), headers)


def page(body: bytes, content_type: str, max_age: int) -> web.Response:
    """Return one of the service's own pages, which may be kept for `max_age` seconds."""
    keep = {"Cache-Control": f"public, max-age={max_age}"}
    return _response(200, body, {"Content-Type": content_type, **_PAGE_HEADERS, **keep})


def json(status: int, body: bytes) -> web.Response:
    """Return a JSON answer about the service itself, which nothing may keep."""
    return _response(status, body, {"Content-Type": "application/json", **_NO_STORE})


def _response(status: int, body: bytes, headers: Mapping[str, str]) -> web.Response:
    length = {"Content-Length": str(len(body)), "Server": SERVER}
    return web.Response(status=status, body=body or None, headers={**headers, **length})
