"""A page's request as its handler sees it, with who is signed in and the form that was sent; and how a page is made."""

import hashlib
from collections.abc import Awaitable, Callable
from enum import Enum
from importlib import resources
from typing import Any, Literal, NamedTuple
from urllib.parse import parse_qsl, quote

from aiohttp import hdrs, web
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from docsredirect.admin import reading
from docsredirect.admin.errors import WrongContentType
from docsredirect.admin.services import Services
from docsredirect.admin.sessions import CSRF_FIELD, Session
from docsredirect.domain.errors import MalformedText
from docsredirect.domain.projects import Author
from docsredirect.domain.tokens import Identity

FORM = "application/x-www-form-urlencoded"
ASSETS = "/-/assets/"
MAX_FORM_FIELDS = 5_000
"""A record of 1,000 rules has 2,000 fields and some."""

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


class For(Enum):
    """Whom a page is for."""

    ANYBODY = "anybody"
    SIGNED_IN = "whoever is signed in"
    ADMIN = "administrators"


class Form:
    """The fields of a form that was sent: text, each at most once unless it is asked for as a list."""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        self._fields = fields

    def text(self, name: str, default: str = "") -> str:
        """Return a field without blanks around it, or `default` where it was not sent."""
        return next((value.strip() for field, value in self._fields if field == name), default)

    def texts(self, name: str) -> list[str]:
        """Return all fields of a name, in their order."""
        return [value for field, value in self._fields if field == name]

    def has(self, name: str) -> bool:
        """Tell whether a field, or a button with a name, was sent."""
        return any(field == name for field, _ in self._fields)


class Visit(NamedTuple):
    """One request for a page."""

    request: web.Request
    services: Services
    session: Session
    is_new: bool
    """Whether the session begins with this request."""
    identity: Identity | None
    form: Form
    """What was sent; nothing on GET."""
    request_id: str

    @property
    def who(self) -> Identity:
        """Who is signed in, on a page that is not for anybody."""
        assert self.identity is not None, "the page lets nobody in who is not signed in"
        return self.identity

    @property
    def sent(self) -> bool:
        """Whether a form was sent."""
        return self.request.method == "POST"

    def parameter(self, name: str) -> str:
        """Return a parameter of the address without blanks around it, or nothing. What is no text in it is a `?`."""
        return self.request.query.get(name, "").encode("utf-8", "replace").decode().strip()

    def author(self, reason: str | None = None) -> Author:
        """Return who makes a change, for the history."""
        return Author(by=self.who.name, reason=reason or None)

    def audit(self, action: str, **fields: Any) -> None:
        """Log a change: what was done, by whom, and in which request."""
        self.services.audit(action, by=self.who.name, request_id=self.request_id, **fields)


Handler = Callable[[Visit], Awaitable[web.StreamResponse]]


class Page(NamedTuple):
    """A page: where it is, whom it is for, and what answers."""

    method: Literal["GET", "POST"]
    path: str
    whom: For
    handler: Handler


async def read_form(request: web.Request) -> Form:
    """Return the form that was sent. Raises as `reading.read_body` does, and `MalformedText`."""
    if request.content_type != FORM:
        raise WrongContentType(f"A form is sent as {FORM}.")
    body = await reading.read_body(request, reading.MAX_BODY, reading.BODY_SECONDS)
    try:
        fields = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FORM_FIELDS
        )
    except ValueError as error:
        raise MalformedText("The form cannot be read: it is not UTF-8, or has too many fields.") from error
    return Form([(name, value.replace("\r\n", "\n")) for name, value in fields])


class Views:
    """Makes pages from the templates."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=PackageLoader("docsredirect.admin"), autoescape=True, undefined=StrictUndefined,
            trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip
        self._environment.filters |= {"code": code, "segment": segment}
        self._environment.globals["asset"] = asset_url

    def page(self, visit: Visit, template: str, *, status: int = 200, **values: Any) -> web.Response:
        """Return a page as an answer to `visit`. Templates see the values, `identity`, `csrf` and `path`."""
        sessions = visit.services.sessions
        text = self._environment.get_template(template).render(
            identity=visit.identity,
            csrf=sessions.csrf(visit.session),
            csrf_field=CSRF_FIELD,
            path=visit.request.path,
            **values,
        )
        return web.Response(text=text, status=status, content_type="text/html", headers=HEADERS)

    def plain(self, template: str, *, status: int = 200, **values: Any) -> web.Response:
        """Return a page that is the same for everybody."""
        text = self._environment.get_template(template).render(identity=None, path="", **values)
        return web.Response(text=text, status=status, content_type="text/html", headers=HEADERS)


def see_other(path: str) -> web.Response:
    """Return an answer to a form that leads to a page of ours: loading that again sends nothing twice."""
    assert path.startswith("/") and not path.startswith("//"), "only to ourselves"
    return web.Response(status=303, headers={**HEADERS, hdrs.LOCATION: path})


def segment(text: str) -> str:
    """Return text as one segment of a path."""
    return quote(text, safe="")


def code(text: str) -> Markup:
    """Return text with what stands between backticks as code."""
    parts = [escape(part) for part in text.split("`")]
    marked = [Markup("<code>{}</code>").format(part) if number % 2 else part for number, part in enumerate(parts)]
    return Markup("").join(marked)


_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


def _load_assets() -> dict[str, tuple[str, bytes, str]]:
    """Return the static files by name: content type, bytes, and a short hash of them."""
    found = {}
    for file in resources.files("docsredirect.admin").joinpath("static").iterdir():
        content_type = _TYPES.get(file.name.rpartition(".")[2])
        if content_type is not None:
            body = file.read_bytes()
            found[file.name] = (content_type, body, hashlib.sha256(body).hexdigest()[:12])
    return found


_STATIC = _load_assets()


def asset_url(name: str) -> str:
    """Return where a static file is: another place for another content, so that it can be kept for ever."""
    return f"{ASSETS}{name}?v={_STATIC[name][2]}"


def asset(name: str, version: str | None) -> web.Response | None:
    """Return a static file, or None where there is none. Only its own version may be kept: while processes are replaced
    one by one, a page of the new may ask an old one."""
    if name not in _STATIC:
        return None
    content_type, body, own = _STATIC[name]
    keep = "public, max-age=31536000, immutable" if version == own else "no-store"
    headers = {"Cache-Control": keep, "X-Content-Type-Options": "nosniff"}
    return web.Response(body=body, content_type=content_type, charset="utf-8", headers=headers)


VIEWS = Views()
"""The pages of this package: templates are read once a process."""
