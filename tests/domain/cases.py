"""What the tables of the domain's tests share: reading them, asking a URL, and what a fault must look like."""

import ast
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from docsredirect.domain.errors import Fault, InvalidRecord
from docsredirect.domain.escapes import normalise_query
from docsredirect.domain.hosts import HostRules
from docsredirect.domain.records import Record, parse_record
from docsredirect.domain.resolve import Answer, Find, resolve_url
from docsredirect.domain.routes import Route

DATA = Path(__file__).parent.parent / "data"
HOSTS = HostRules.of()

Fields = dict[str, Any]
Found = frozenset[tuple[str, str]]
"""The faults of a value as tables write them: (pointer, code)."""

COUNTED = frozenset(
    {"missing", "type", "url-too-long", "name-too-long", "rules-too-many", "from-too-long", "record-too-large"}
)
"""Codes whose value is absent, of another type, or told by its size."""

_QUOTED = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")


def rows(name: str) -> list[Fields]:
    """Return the rows of a table in ``tests/data``."""
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


def title(text: object) -> str:
    """Return `text` as the name of a test: ASCII, and short."""
    shown = ascii(text)[1:-1] if isinstance(text, str) else ascii(text)
    return (shown if len(shown) <= 70 else f"{shown[:60]}...{len(shown)}") or "empty"


def fields(**changes: Any) -> Fields:
    """Return the fields of a legal record with `changes`."""
    return {"project": "Foo.Bar", "target": "https://t.example.org/docs/", "path": "keep", **changes}


def parse(raw: object) -> Record:
    """Return the record that `raw` is accepted as."""
    return parse_record(raw, HOSTS).record


def table(*raws: Mapping[str, Any]) -> Find:
    """Return a table of the records in `raws`."""
    routes = {record.name: Route(record) for record in map(parse, raws)}
    return routes.get


def ask(raw: Mapping[str, Any], url: str) -> Answer:
    """Return what `url` answers where `raw` is the only record."""
    return resolve_url(table(raw), url, HOSTS)


def faults_of(raw: object, hosts: HostRules = HOSTS) -> list[Fault]:
    """Return the faults for which `raw` is refused: none where it is accepted. Each must be fit to be read."""
    try:
        parse_record(raw, hosts)
    except InvalidRecord as error:
        faults = error.faults
    else:
        return []
    assert faults, "a refusal says why"
    for fault in faults:
        assert_readable(fault, raw)
    return faults


def found(faults: list[Fault]) -> Found:
    """Return `faults` as tables write them, none of them twice."""
    pairs = [(fault.pointer, fault.code) for fault in faults]
    assert len(set(pairs)) == len(pairs), "a fault is reported once"
    return frozenset(pairs)


def assert_readable(fault: Fault, raw: object) -> None:
    """Check that `fault` is a sentence that holds the value, shortened, and stands in one line."""
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", fault.code), fault
    assert fault.pointer == "" or fault.pointer.startswith("/"), fault
    assert fault.detail.endswith(".") and "!" not in fault.detail.replace(repr("!"), ""), fault
    assert fault.detail.isprintable() and len(fault.detail) < 500, fault
    if fault.code in COUNTED:
        return
    quoted = [ast.literal_eval(text).removesuffix("…").lower() for text in _QUOTED.findall(fault.detail)]
    texts = [text.lower() for text in _texts(raw)]
    assert all(len(text) <= 80 for text in quoted), fault
    assert any(part in text for part in quoted for text in texts), fault


def _texts(raw: object) -> Iterator[str]:
    head, mark, fragment = str(raw).partition("#")
    yield str(raw)
    yield normalise_query(head) + mark + normalise_query(fragment)
    if isinstance(raw, Mapping):
        for key, value in raw.items():
            yield str(key)
            yield from _texts(value)
