"""The OpenAPI document (version 3.1.0), made from the route table, the types of the bodies and the problems."""

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import msgspec

from docsredirect import __version__
from docsredirect.admin.bodies import NAME_PATTERN, ProblemBody, ProjectBody, RemovedBody
from docsredirect.admin.problems import BY_CODE, CONTENT_TYPE, PROBLEMS
from docsredirect.admin.routes import HTML, OPENAPI, ROUTES, TEXT, Access, Answer, Parameter, Route, problems_of
from docsredirect.domain.names import MAX_NAME

_REF = "#/components/schemas/{name}"
_PATH_PARAMETER = re.compile(r"\{(\w+)\}")
_PATH_SCHEMAS: dict[str, dict[str, Any]] = {
    "project": {"type": "string", "pattern": NAME_PATTERN, "maxLength": MAX_NAME, "examples": ["Markdown"]},
    "id": {"type": "string", "pattern": "^[0-9A-Za-z]{12}$"},
    "invitation": {"type": "string", "pattern": "^drd_[0-9A-Za-z]{12}_[0-9A-Za-z]{32}$"},
    "code": {"type": "string", "enum": sorted(BY_CODE)},
}
_REQUEST_ID = "X-Request-Id"
_HEADERS = {
    "ETag": ("The project's state, for If-Match. Of 404: a tombstone's.", {"type": "string"}),
    "Link": ('Where the next page is (RFC 8288), with rel="next"; not on the last page.', {"type": "string"}),
    "WWW-Authenticate": ("What to show (RFC 6750).", {"type": "string"}),
    "Retry-After": ("When to try again, in seconds.", {"type": "integer"}),
    _REQUEST_ID: ("The request's id: the one that it came with, or a new one. Logs have it.", {"type": "string"}),
}
_PROBLEM_HEADERS = {
    "token-missing": "WWW-Authenticate",
    "scope-missing": "WWW-Authenticate",
    "no-such-project": "ETag",
    "too-many-wrong-tokens": "Retry-After",
}
_OWN_PROBLEMS = ("malformed", "wrong-host", "address-too-long", "expectation-failed", "internal")
"""What the document's own route may tell of."""

_OF_PROJECT = {"project": "$response.body#/project"}
_SEEN = {**_OF_PROJECT, "If-Match": "$response.header.ETag"}
_OF_TOKEN = {"id": "$response.body#/id"}
_LINKS: dict[tuple[str, str], dict[str, dict[str, str]]] = {
    ("get_project", "200"): {"put_project": _SEEN, "delete_project": _SEEN},
    ("put_project", "201"): {
        "get_project": _OF_PROJECT,
        "get_history": _OF_PROJECT,
        "put_project": _SEEN,
        "roll_back": _SEEN,
        "delete_project": _SEEN,
    },
    ("create_token", "201"): {"revoke_token": _OF_TOKEN},
    ("invite", "201"): {"revoke_token": _OF_TOKEN},
}
"""What can be done with an answer: by operation and status, operations and their parameters."""


def document() -> dict[str, Any]:
    """Return the document."""
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for route in ROUTES:
        paths[route.path][route.method.lower()] = _operation(route)
    paths[OPENAPI]["get"] = {
        "operationId": "openapi", "summary": "This document", "security": [],
        "responses": _responses((Answer(200, "It.", (dict[str, Any],)),), _OWN_PROBLEMS),
    }  # fmt: skip
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "docsredirect",
            "version": __version__,
            "description": "Where the documentation of Python projects lives now that their legacy URLs are asked for. "
            "Errors are RFC 9457 problems; every `type` leads to a page that explains it.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "security": [{"token": []}],
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "`drd_…`"}},
            "headers": {name: {"description": text, "schema": schema} for name, (text, schema) in _HEADERS.items()},
            "schemas": _schemas(),
        },
    }


def _types() -> list[Any]:
    answers = [kind for route in ROUTES for answer in route.answers for kind in answer.body]
    return [*answers, *(route.body for route in ROUTES if route.body is not None), ProblemBody]


def _schemas() -> dict[str, Any]:
    _, components = msgspec.json.schema_components(_types(), ref_template=_REF)
    problem = components["ProblemBody"]["properties"]
    problem["type"]["enum"] = [each.type for each in PROBLEMS]
    problem["current"]["anyOf"] = [_schema(ProjectBody), _schema(RemovedBody), {"type": "null"}]
    return components


def _schema(kind: Any) -> dict[str, Any]:
    (schema,), _ = msgspec.json.schema_components([kind], ref_template=_REF)
    return schema


def _operation(route: Route) -> dict[str, Any]:
    name = route.handler.__name__
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": route.summary,
        "description": f"For {route.access.value}.",
        "parameters": [
            *(_in("path", Parameter(each, _PATH_SCHEMAS[each], each, required=True))
              for each in _PATH_PARAMETER.findall(route.path)),
            *(_in("query", parameter) for parameter in route.query),
            *(_in("header", parameter) for parameter in route.headers),
        ],
        "responses": _responses(route.answers, problems_of(route)),
    }  # fmt: skip
    for status, response in operation["responses"].items():
        if (linked := _LINKS.get((name, status))) is not None:
            response["links"] = {each: _link(each, parameters) for each, parameters in linked.items()}
    if route.access is Access.OPEN:
        operation["security"] = []
    if route.has_body:
        schema = {"type": "string"} if route.body is None else _schema(route.body)
        content = {media: {"schema": schema} for media in route.media}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _link(operation: str, parameters: dict[str, str]) -> dict[str, Any]:
    link: dict[str, Any] = {"operationId": operation, "parameters": parameters}
    if operation == "put_project":  # what is read can be put back
        link["requestBody"] = "$response.body"
    return link


def _in(place: str, parameter: Parameter) -> dict[str, Any]:
    return {
        "in": place,
        "name": parameter.name,
        "required": parameter.required,
        "description": parameter.description,
        "schema": parameter.schema,
    }


def _responses(answers: Iterable[Answer], problems: Iterable[str]) -> dict[str, Any]:
    responses = {str(answer.status): _response(answer) for answer in answers}
    by_status: dict[int, list[str]] = defaultdict(list)
    for code in problems:
        by_status[BY_CODE[code].status].append(code)
    for status, codes in sorted(by_status.items()):
        problem = _problem_response(status, codes)
        if (answered := responses.get(str(status))) is not None:  # health answers 503 of its own
            answered["content"] |= problem["content"]
        else:
            responses[str(status)] = problem
    return responses


def _response(answer: Answer) -> dict[str, Any]:
    response: dict[str, Any] = {"description": answer.description, "headers": _headers(*answer.headers)}
    if answer.body:
        schemas = [_schema(kind) for kind in answer.body]
        schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
        response["content"] = {answer.media: {"schema": schema}}
    elif answer.status != 304:
        media = f"{answer.media}; charset=utf-8" if answer.media in (HTML, TEXT) else answer.media
        response["content"] = {media: {"schema": {"type": "string"}}}
    return response


def _problem_response(status: int, codes: list[str]) -> dict[str, Any]:
    titles = "; ".join(f"{BY_CODE[code].title} (`{code}`)" for code in codes)
    types = {"properties": {"type": {"enum": [BY_CODE[code].type for code in codes]}}}
    schema = {"allOf": [_schema(ProblemBody), types]}
    names = ["Retry-After"] if status == 503 else [_PROBLEM_HEADERS[code] for code in codes if code in _PROBLEM_HEADERS]
    content = {CONTENT_TYPE: {"schema": schema}}
    return {"description": f"{titles}.", "headers": _headers(*names), "content": content}


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in (*names, _REQUEST_ID)}


DOCUMENT = msgspec.json.encode(document(), order=None) + b"\n"
"""The document as bytes."""
