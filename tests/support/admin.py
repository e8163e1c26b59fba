"""The admin side on a real socket, and a client that takes no answer that the OpenAPI document does not describe."""

import asyncio
import io
import json
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from copy import deepcopy
from typing import Any, NamedTuple

import aiohttp
import jsonschema_rs
from yarl import URL

from docsredirect.admin import openapi, server
from docsredirect.admin.routes import API
from docsredirect.admin.services import Services
from docsredirect.domain.settings import load
from docsredirect.edge.listening import listen
from docsredirect.store import Store
from docsredirect.telemetry.metrics import Metrics
from tests.support.http import Response, exchange

BOOTSTRAP = "the-bootstrap-token-of-these-tests-0"
CREATE = {"If-None-Match": "*"}
ANY = {"If-Match": "*"}

DOCUMENT: dict[str, Any] = json.loads(openapi.DOCUMENT)

_UNROUTED = {
    401: {"token-missing", "token-unknown", "token-expired", "token-revoked"},
    400: {"malformed"},
    404: {"no-such-route"},
    405: {"method-not-allowed"},
    421: {"wrong-host"},
    429: {"too-many-wrong-tokens"},
    503: {"store-unavailable"},
}
"""What may be answered where there is no route, by status."""

_TOLD = ("etag", "link", "www-authenticate", "allow", "retry-after", "location", "x-request-id")
"""Headers that a client acts on: they are documented wherever they are sent."""


class Answer(NamedTuple):
    """A checked answer. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of the problem that the body tells of, with its status in front: ``404 no-such-project``."""
        return f"{self.status} {self.json['type'].removeprefix('/-/problems/')}"

    @property
    def faults(self) -> list[str]:
        """The faults of a 422, as ``/pointer code``."""
        return [f"{fault['pointer']} {fault['code']}" for fault in self.json["errors"]]

    @property
    def etag(self) -> str:
        """The `ETag` as it was sent, in quotes."""
        return self.headers["etag"]


class Contract:
    """The OpenAPI document as a judge of answers. Objects hold no other fields than it names."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        closed = deepcopy(dict(document["components"]))
        for schema in closed["schemas"].values():
            if "properties" in schema:
                schema.setdefault("additionalProperties", False)
        self._components = closed
        self._paths = {_pattern(path): operations for path, operations in document["paths"].items()}
        self._validators: dict[str, jsonschema_rs.Draft202012Validator] = {}

    def check(self, method: str, path: str, answer: Answer) -> None:
        """Raises `AssertionError` where `answer` is not one that the document allows."""
        operation = self._operation("get" if method == "HEAD" else method.lower(), path)
        shown = f"{method} {path} → {answer.status} {answer.body[:500]!r}"
        assert "x-request-id" in answer.headers, shown
        if operation is None:
            self._check_unrouted(answer, head=method == "HEAD", shown=shown)
            return
        documented = operation["responses"].get(str(answer.status))
        assert documented is not None, f"undocumented status: {shown}"
        names = {name.lower() for name in documented.get("headers", {})}
        untold = [name for name in _TOLD if name in answer.headers and name not in names]
        assert not untold, f"undocumented headers {untold}: {shown}"
        self._check_content(answer, documented.get("content", {}), head=method == "HEAD", shown=shown)

    def _check_content(self, answer: Answer, content: Mapping[str, Any], *, head: bool, shown: str) -> None:
        if not content:
            assert not answer.body, f"undocumented body: {shown}"
            return
        kind = answer.headers["content-type"]
        by_media = {_essence(media): described for media, described in content.items()}
        assert _essence(kind) in by_media, f"undocumented content type {kind}: {shown}"
        assert head == (not answer.body) or "jsonl" in kind, shown
        if _essence(kind).endswith("json") and not head:
            self._validate(by_media[_essence(kind)]["schema"], answer, shown)

    def _check_unrouted(self, answer: Answer, *, head: bool, shown: str) -> None:
        assert answer.status in _UNROUTED, f"undocumented status: {shown}"
        assert answer.headers["content-type"].startswith("application/problem+json"), shown
        if not head:
            self._validate({"$ref": "#/components/schemas/ProblemBody"}, answer, shown)
            assert answer.code.partition(" ")[2] in _UNROUTED[answer.status], shown

    def _validate(self, schema: Any, answer: Answer, shown: str) -> None:
        key = json.dumps(schema)
        if key not in self._validators:
            whole = {**schema, "components": self._components}
            self._validators[key] = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
        faults = [f"{fault.instance_path}: {fault.message}" for fault in self._validators[key].iter_errors(answer.json)]
        assert not faults, f"{faults}: {shown}"
        if answer.status >= 400 and "problem" in answer.headers["content-type"]:
            assert answer.json["status"] == answer.status, shown
            assert answer.json["request_id"] == answer.headers["x-request-id"], shown

    def _operation(self, method: str, path: str) -> Any:
        for pattern, operations in self._paths.items():
            if pattern.fullmatch(path.partition("?")[0]):
                return operations.get(method)
        return None


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile("[^/]+".join(map(re.escape, re.split(r"\{\w+\}", template))))


def _essence(media: str) -> str:
    return media.partition(";")[0].strip().lower()


CONTRACT = Contract(DOCUMENT)


class Admin:
    """A running admin side, and a client of it. Paths without a leading slash are below the API's root."""

    def __init__(self, port: int, services: Services, session: aiohttp.ClientSession) -> None:
        self.port = port
        self.services = services
        self._session = session

    async def ask(
        self,
        method: str,
        path: str,
        *,
        token: str | None = BOOTSTRAP,
        json: Any = None,
        body: bytes | AsyncIterator[bytes] | None = None,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
    ) -> Answer:
        """Send a request, check the answer, and return it. `json` is sent as such; `body` as it is."""
        path = path if path.startswith("/") else f"{API}/{path}"
        sent = [*(headers.items() if isinstance(headers, Mapping) else headers)]
        if token is not None:
            sent.append(("Authorization", f"Bearer {token}"))
        url = URL(f"http://127.0.0.1:{self.port}{path}", encoded=True)
        data: dict[str, Any] = {"data": io.BytesIO(body) if isinstance(body, bytes) else body}
        if body is None and json is not None:
            data = {"json": json}
        async with self._session.request(method, url, headers=sent, allow_redirects=False, **data) as response:
            content = await response.read()
            names = {name.lower(): ", ".join(response.headers.getall(name)) for name in response.headers}
            answer = Answer(response.status, names, content)
        CONTRACT.check(method, path, answer)
        return answer

    async def get(self, path: str, **options: Any) -> Answer:
        """`ask` with GET."""
        return await self.ask("GET", path, **options)

    async def post(self, path: str, json: Any = None, **options: Any) -> Answer:
        """`ask` with POST."""
        return await self.ask("POST", path, json=json, **options)

    async def put(self, record: Mapping[str, Any], precondition: Mapping[str, str], **options: Any) -> Answer:
        """PUT a record where its project belongs."""
        headers = {**precondition, **options.pop("headers", {})}
        return await self.ask("PUT", f"projects/{record['project']}", json=record, headers=headers, **options)

    async def new_token(self, scope: object, **fields: object) -> str:
        """Make a token and return its whole text."""
        made = await self.post("tokens", {"scope": scope, **fields})
        assert made.status == 201, made
        token: str = made.json["token"]
        return token

    async def raw(self, data: bytes) -> Response:
        """Send bytes on a connection of their own, and return the answer, checked as any other."""
        response = await exchange(self.port, data)
        assert response is not None, "the server closed without an answer"
        method, path = data.decode("latin-1").split("\r\n", 1)[0].split(" ")[:2]
        CONTRACT.check(method, path, Answer(response.status, dict(response.headers), response.body))
        return response


@asynccontextmanager
async def running_admin(
    store: Store, environ: Mapping[str, str] | None = None, *, bootstrap: str | None = BOOTSTRAP, wait: bool = True
) -> AsyncIterator[Admin]:
    """Run the admin side over `store` and give a client of it; with `wait`, once a poll has succeeded."""
    variables = {
        "DOCSREDIRECT_STORE": store.url if "://" in store.url else "./not-opened",
        "DOCSREDIRECT_ADMIN": "127.0.0.1:0",
        "DOCSREDIRECT_POLL_SECONDS": "0.05",
        "DOCSREDIRECT_RETRY_AFTER": "7",
        **(environ or {}),
    }
    settings = load(variables).settings
    listener = listen(settings.admin)
    port: int = listener.getsockname()[1]
    async with (
        server.running(settings, store, listener, metrics=Metrics(), admin_token=bootstrap) as process,
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
    ):
        admin = Admin(port, process.services, session)
        while wait and process.replica.last_success is None:
            await asyncio.sleep(0.005)
        yield admin


def record(project: str = "six", target: str = "https://six.example.org/", **fields: Any) -> dict[str, Any]:
    """Return a record as it is sent."""
    return {"project": project, "target": target, "path": "keep", **fields}
