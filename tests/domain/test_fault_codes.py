"""Every fault code that the domain can emit stands in a table of these tests."""

import ast
from collections.abc import Iterator
from pathlib import Path

from docsredirect import domain
from tests.domain import test_records, test_rules, test_targets, test_tokens

SOURCES = sorted(Path(domain.__file__).parent.glob("*.py"))

ELSEWHERE = {"from-duplicate", "to-needs-base", "rules-too-many", "record-too-large", "plain-http", "more-faults"}
"""Codes that tests of their own provoke, next to the tables, because they need two values or many."""


def codes_in_source() -> set[str]:
    """Return the code of every `Fault` that the domain's source makes."""
    return {code for path in SOURCES for code in _codes(ast.parse(path.read_text(encoding="utf-8")))}


def _codes(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "Fault":
            named = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
            code = (named or node.args[1:2])[0]
            assert isinstance(code, ast.Constant), f"line {node.lineno}: a code is written where its fault is made"
            yield str(code.value)


def codes_in_tables() -> set[str]:
    """Return every code that a table expects."""
    plain = [*test_targets.REFUSED, *test_targets.REFUSED_BASES, *test_rules.REFUSED_FROM]
    expected = {code for row in plain for code in row[1]}
    expected |= {code for *_, codes in test_rules.REFUSED_TO for code in codes}
    pairs = [*(faults for _, faults in test_records.REFUSED), *(warned for _, warned in test_records.WARNED)]
    pairs += [faults for _, faults in (*test_tokens.REFUSED_SCOPES, *test_tokens.REFUSED_LABELS)]
    pairs += [set(test_rules.TOO_MANY), set(test_records.TOO_LARGE)]
    return expected | {code for found in pairs for _, code in found}


def test_every_code_is_in_a_table() -> None:
    """A new code fails here until a table holds a value that gets it, and a table's code must exist."""
    assert codes_in_source() - ELSEWHERE == codes_in_tables() - ELSEWHERE


def test_codes_elsewhere_are_in_source() -> None:
    """The codes that are provoked outside the tables exist, and each stands in a test."""
    text = "".join(
        Path(module.__file__ or "").read_text(encoding="utf-8") for module in (test_records, test_rules, test_targets)
    )
    assert codes_in_source() >= ELSEWHERE
    assert all(f'"{code}")' in text for code in ELSEWHERE)
