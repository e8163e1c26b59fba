"""The OpenAPI document: that it is one, and that no route, parameter, field, status or problem is missing from it.

That every answer is one which it describes is checked by the client of all tests of the admin side.
"""

import html
import inspect
import json
import re
import sys
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import msgspec
import pytest
import schemathesis

from docsredirect.admin import bodies, errors, openapi, problems
from docsredirect.admin.app import make_app
from docsredirect.admin.pages.table import PAGES
from docsredirect.admin.pages.visits import ASSETS
from docsredirect.admin.problems import BY_CODE, PROBLEMS
from docsredirect.admin.routes import API, OPENAPI, ROUTES, Access, Route, problems_of
from docsredirect.domain.errors import DocsRedirectError
from docsredirect.domain.records import parse_record
from tests.support.admin import DOCUMENT, Admin
from tests.support.edges import HOSTS

NEVER_IN_AN_ANSWER = {
    "store": "the root of the store's errors; only those below it are raised",
    "token-refused": "the root of the refusals of a token; only those below it are raised",
    "invalid-settings": "keeps a process from starting, so that it answers nothing",
    "purge-failed": "after the answer, where it is logged and tried again; or of a command",
    "mirror-refused": "after the answer, where it is logged and tried again",
    "not-modified": "between the replica and its store; readers are told 304, which is no problem",
}
NOT_OF_THE_API = {"no-such-route", "method-not-allowed", "form-refused"}
"""What is told where there is no route, and so of none; and by pages alone, which the document leaves out."""

SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]


OTHER_FACES = ("docsredirect.cli", "docsredirect.edge", "docsredirect.ops")
"""Whose types and errors no answer of the admin side holds."""


def _ours(module: str) -> bool:
    return module.startswith("docsredirect.") and not module.startswith(OTHER_FACES)


def _errors(kind: type[DocsRedirectError] = DocsRedirectError) -> Iterator[type[DocsRedirectError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _errors(below)


def _structs() -> Iterator[type[msgspec.Struct]]:
    """Yield every type of the bodies that is described, by its name in the document."""
    for name, module in sorted(sys.modules.items()):  # the application has imported all that it needs
        for _, kind in inspect.getmembers(module, inspect.isclass) if _ours(name) else ():
            if issubclass(kind, msgspec.Struct) and kind.__module__ == name and kind.__name__ in SCHEMAS:
                yield kind


def _operation(route: Route) -> Any:
    return DOCUMENT["paths"][route.path][route.method.lower()]


def _codes(response: Any) -> set[str]:
    """Return the codes of the problems that a documented response may tell of."""
    schema = response.get("content", {}).get(problems.CONTENT_TYPE, {}).get("schema", {"allOf": []})
    types = [each["properties"]["type"]["enum"] for each in schema["allOf"] if "properties" in each]
    return {kind.removeprefix(problems.PREFIX) for each in types for kind in each}


def test_the_document_is_openapi_3_1() -> None:
    """It says so, and a strict reader of that version finds nothing wrong with it."""
    assert DOCUMENT["openapi"].startswith("3.1.")
    schema = schemathesis.openapi.from_dict(DOCUMENT)
    schema.validate()
    operations = {(each.method.upper(), path) for path, methods in schema.items() for each in methods.values()}
    assert operations == {(route.method, route.path) for route in ROUTES} | {("GET", OPENAPI)}


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_every_schema_is_a_json_schema(name: str) -> None:
    """Each by itself is valid in the dialect of OpenAPI 3.1, and every reference in it leads somewhere."""
    jsonschema_rs.meta.validate(SCHEMAS[name])
    jsonschema_rs.Draft202012Validator({"components": {"schemas": SCHEMAS}, **SCHEMAS[name]})


async def test_the_document_is_served_as_it_is_made(admin: Admin) -> None:
    """To anybody, as JSON."""
    answer = await admin.get(OPENAPI, token=None)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json == openapi.document() == DOCUMENT


def test_every_route_of_the_application_is_in_the_document(admin: Admin) -> None:
    """The router's own list of routes, HEAD left out, which is as GET, is the document's. Pages are for people."""
    routed = {
        (route.method, route.resource.canonical)
        for route in make_app(admin.services).router.routes()
        if route.method != "HEAD" and route.resource is not None
    }
    documented = {(method.upper(), path) for path, operations in DOCUMENT["paths"].items() for method in operations}
    pages = {(page.method, page.path) for page in PAGES} | {("GET", f"{ASSETS}{{name}}")}
    assert documented <= routed <= documented | pages
    assert not [path for _, path in pages if path.startswith(API)]


def test_operations_have_names_of_their_own() -> None:
    """Clients are generated from them."""
    names = [operation["operationId"] for each in DOCUMENT["paths"].values() for operation in each.values()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_part_of_a_route_is_in_the_document(route: Route) -> None:
    """Its parameters, each explained; its body; its answers; its problems; and whether it needs a token."""
    operation = _operation(route)
    described = {(each["in"], each["name"]) for each in operation["parameters"] if each["description"]}
    assert described == {
        *(("path", name) for name in re.findall(r"\{(\w+)\}", route.path)),
        *(("query", each.name) for each in route.query),
        *(("header", each.name) for each in route.headers),
    }
    assert ("requestBody" in operation) == route.has_body
    assert operation.get("security") == ([] if route.access is Access.OPEN else None)
    told = {code for response in operation["responses"].values() for code in _codes(response)}
    assert told == set(problems_of(route))
    statuses = {str(BY_CODE[code].status) for code in told} | {str(answer.status) for answer in route.answers}
    assert set(operation["responses"]) == statuses
    assert all("X-Request-Id" in response["headers"] for response in operation["responses"].values())


@pytest.mark.parametrize("kind", list(_structs()), ids=lambda kind: kind.__name__)
def test_every_field_of_a_body_is_in_the_document(kind: type[msgspec.Struct]) -> None:
    """The properties of its schema are its fields, and required are those without a default."""
    schema = SCHEMAS[kind.__name__]
    fields = msgspec.structs.fields(kind)
    assert set(schema["properties"]) == {field.encode_name for field in fields}
    assert set(schema.get("required", [])) == {field.encode_name for field in fields if field.required}
    assert schema["description"]


def test_every_type_in_the_document_is_looked_at() -> None:
    """The test above knows where all of them come from."""
    assert {kind.__name__ for kind in _structs()} == set(SCHEMAS)


def test_no_type_of_a_body_is_left_out() -> None:
    """Every type of the module of bodies is part of some request or answer."""
    defined = {
        name
        for name, kind in inspect.getmembers(bodies, inspect.isclass)
        if issubclass(kind, msgspec.Struct) and kind.__module__ == bodies.__name__
    }
    assert defined <= set(SCHEMAS)


def test_every_error_has_a_problem_type() -> None:
    """All that can be raised while a request is answered, with the status of its class."""
    assert errors.NoSuchRoute.code in BY_CODE, "the errors of HTTP are imported"
    raised = {kind.code: kind.status for kind in _errors() if _ours(kind.__module__)}
    expected = {code: status for code, status in raised.items() if code not in NEVER_IN_AN_ANSWER}
    assert expected == {problem.code: problem.status for problem in PROBLEMS}
    assert set(NEVER_IN_AN_ANSWER) <= set(raised), "no longer raised at all"


def test_every_problem_type_is_in_the_document() -> None:
    """Of some route, or of what is no route; and all in the schema of problems."""
    told = {
        code
        for operations in DOCUMENT["paths"].values()
        for operation in operations.values()
        for response in operation["responses"].values()
        for code in _codes(response)
    }
    assert told | NOT_OF_THE_API == set(BY_CODE)
    assert SCHEMAS["ProblemBody"]["properties"]["type"]["enum"] == [problem.type for problem in PROBLEMS]


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.code)
async def test_every_problem_type_leads_to_a_page_that_explains_it(admin: Admin, problem: problems.Problem) -> None:
    """What it is, what it means, and what to do, to anybody; it loads nothing from elsewhere."""
    answer = await admin.get(problem.type, token=None)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    text = _words(answer.body)
    assert problem.title in text
    assert _plain(problem.meaning) in text
    assert _plain(problem.remedy) in text
    assert f"{problem.status} · {problem.code}" in text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert not re.search(rb"(src|href|url)[=(][\"']?(\w+:)?//", answer.body)


async def test_the_page_of_all_problems_leads_to_each(admin: Admin) -> None:
    """With their titles and statuses."""
    answer = await admin.get(problems.PREFIX, token=None)
    for problem in PROBLEMS:
        assert f'<td>{problem.status}</td><td><a href="{problem.type}">{problem.title}</a>' in answer.body.decode()


def _plain(text: str) -> str:
    return text.replace("`", "")


def _words(page: bytes) -> str:
    return html.unescape(re.sub(r"<[^>]*>", "", page.decode()))


@pytest.mark.parametrize("name", ["ResolveBody", "RecordBody", "TokenRequest", "InvitationRequest", "RollbackBody"])
def test_unknown_fields_of_requests_are_refused_by_the_schema_too(name: str) -> None:
    """As the application refuses them by name."""
    assert SCHEMAS[name]["additionalProperties"] is False


@pytest.mark.parametrize("field", ["project", "target", "path", "status", "state", "rules"])
def test_the_examples_of_a_record_are_accepted(field: str) -> None:
    """What the document shows of a field can be sent."""
    whole: dict[str, Any] = {"project": "Markdown", "target": "https://python-markdown.github.io/", "path": "clean"}
    for example in SCHEMAS["RecordBody"]["properties"][field].get("examples", []):
        parse_record({**whole, field: example}, HOSTS)


def test_the_document_holds_no_address() -> None:
    """It is the same wherever it is served: paths are relative to where it was read."""
    assert "servers" not in DOCUMENT
    assert "127.0.0.1" not in json.dumps(DOCUMENT)
