"""Schemathesis over a live admin side: what it makes up from the OpenAPI document is answered as the document says.

A search for more: SCHEMATHESIS_EXAMPLES=1000 make test ARGS='tests/admin/test_schemathesis.py --timeout 3600'
"""

import asyncio
import json
import os
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from docsredirect.admin.routes import OPENAPI
from tests.support.admin import ANY, BOOTSTRAP, DOCUMENT, Admin, record

CONFIGURATION = Path(__file__).parents[2] / "schemathesis.toml"
EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES", "15")
"""How many requests are made up for each operation and phase, at most."""

OPERATIONS = {
    (method.upper(), path): operation
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
    if path != OPENAPI  # which Schemathesis has read already, and asks for no second time
}
INVITATIONS = {"show_invitation", "redeem_invitation"}
"""What needs a secret that only the answer to another operation shows, inside of a link."""


class Run(NamedTuple):
    """What a run came to: its exit code, what it printed, and the statuses of all answers by operation."""

    code: int
    shown: str
    statuses: dict[str, set[int]]


async def run(admin: Admin, folder: Path, *options: str) -> Run:
    """Run ``schemathesis run`` as a user does, in `folder`, where it may leave what it likes."""
    report = folder / "requests.har"
    url = f"http://127.0.0.1:{admin.port}{OPENAPI}"
    words = [
        str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(CONFIGURATION), "run", url,
        "--seed", "1", "--workers", "1", "--max-examples", EXAMPLES, "--checks", "all", "--continue-on-failure",
        "--generation-database", "none", "--no-color", "--report", "har", "--report-har-path", str(report), *options,
    ]  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        *words, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    shown, _ = await process.communicate()
    assert process.returncode is not None
    return Run(process.returncode, shown.decode(), _statuses(report))


def _statuses(report: Path) -> dict[str, set[int]]:
    """Return the statuses of the answers to requests that a documented operation takes."""
    patterns = [(method, _pattern(path), each["operationId"]) for (method, path), each in OPERATIONS.items()]
    statuses: dict[str, set[int]] = defaultdict(set)
    for entry in json.loads(report.read_text(encoding="utf-8"))["log"]["entries"]:
        request, path = entry["request"], urlsplit(entry["request"]["url"]).path
        for method, pattern, name in patterns:
            if request["method"] == method and pattern.fullmatch(path):
                statuses[name].add(entry["response"]["status"])
    return statuses


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile("[^/]+".join(map(re.escape, re.split(r"\{\w+\}", template))))


@pytest.mark.timeout(600)
async def test_with_a_token_all_checks_pass(admin: Admin, tmp_path: Path) -> None:
    """No failure, no error, and every operation was tried, and succeeded at least once."""
    await admin.put(record("Markdown"), {"If-None-Match": "*"})
    done = await run(admin, tmp_path, "--header", f"Authorization: Bearer {BOOTSTRAP}")
    assert done.code == 0, done.shown
    assert set(done.statuses) == {operation["operationId"] for operation in OPERATIONS.values()}
    succeeded = {name for name, statuses in done.statuses.items() if any(200 <= each < 300 for each in statuses)}
    assert set(done.statuses) - succeeded <= INVITATIONS
    assert not any(status >= 500 for statuses in done.statuses.values() for status in statuses)


@pytest.mark.timeout(600)
async def test_without_a_token_there_is_nothing_but_401(admin: Admin, tmp_path: Path) -> None:
    """Outside of the open routes, and whatever is asked. Nothing was written."""
    done = await run(admin, tmp_path)
    assert done.code == 0, done.shown
    for operation in OPERATIONS.values():
        statuses = done.statuses[operation["operationId"]]
        if operation.get("security") == []:
            assert statuses
            assert 401 not in statuses
        else:
            assert statuses == {401}
    assert (await admin.get("projects")).json == {"projects": []}
    assert (await admin.get("tokens")).json == {"tokens": []}
    assert (await admin.ask("DELETE", "projects/markdown", headers=ANY)).status == 404
