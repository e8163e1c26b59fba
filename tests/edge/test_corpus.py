"""Every real URL and every case of the contract, asked over a real socket."""

import re
from typing import Any
from urllib.parse import urlsplit

import pytest

from docsredirect.domain.records import parse_record
from tests.support.edges import HOSTS, connected, publish, rows_of
from tests.support.http import Connection
from tests.support.stores import FakeStore

_TRAVELS = re.compile(r"[!-~]+")
CASES = rows_of("rule_cases.jsonl") + rows_of("contract_cases.jsonl")


async def _assert_answer(connection: Connection, target: str, host: str, expected: dict[str, Any]) -> None:
    for method in ("GET", "HEAD"):
        response = await connection.get(target, host=host, method=method)
        assert (response.status, response.header("location")) == (expected["status"], expected["location"]), target


async def test_every_real_url_is_answered_as_recorded() -> None:
    """Each of the 528 real URLs gets the status and Location that the data file says, by GET and by HEAD."""
    store = FakeStore()
    await publish(store, [parse_record(raw, HOSTS).record for raw in rows_of("redirects.jsonl")])
    urls = rows_of("urls.jsonl")
    assert len(urls) == 528
    async with connected(store) as connection:
        for row in urls:
            scheme, host, *_ = urlsplit(row["url"])
            target = row["url"].removeprefix(f"{scheme}://{host}") or "/"
            await _assert_answer(connection, target, host, row)


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
async def test_every_case_that_can_travel_is_answered_as_the_contract_says(case: dict[str, Any]) -> None:
    """A case whose request may stand raw in a request line gets its answer; the others are refused with 400."""
    store = FakeStore()
    await publish(store, [parse_record(case["record"], HOSTS).record])
    async with connected(store) as connection:
        if _TRAVELS.fullmatch(case["request"]):
            await _assert_answer(connection, case["request"], "pythonhosted.org", case)
        else:
            line = f"GET {case['request']} HTTP/1.1\r\nHost: pythonhosted.org\r\n\r\n"
            connection.send(line.encode())
            response = await connection.receive()
            assert response is not None
            assert response.status == 400
