"""The edge behind a real nginx, and asked by a real curl."""

import asyncio
import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from docsredirect.domain.records import parse_record
from tests.support import real_parts
from tests.support.edges import HOSTS, publish, rows_of, running_edge
from tests.support.http import Connection, free_port
from tests.support.nginx import running_nginx
from tests.support.stores import FakeStore

_SERVERS = """
  upstream edge {{ server 127.0.0.1:{edge}; keepalive 8; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://edge; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
    }}
  }}
"""


async def _corpus() -> FakeStore:
    store = FakeStore()
    await publish(store, [parse_record(raw, HOSTS).record for raw in rows_of("redirects.jsonl")])
    return store


@pytest.mark.real_part("nginx")
async def test_every_real_url_gets_its_answer_through_nginx(tmp_path: Path) -> None:
    """A proxy in between changes no answer, and the surrogate headers reach it."""
    port = free_port()
    async with (
        running_edge(await _corpus()) as edge,
        running_nginx(tmp_path, _SERVERS.format(edge=edge, port=port)),
    ):
        connection = await Connection.open(port)
        for row in rows_of("urls.jsonl"):
            scheme, host, *_ = urlsplit(row["url"])
            response = await connection.get(row["url"].removeprefix(f"{scheme}://{host}") or "/", host=host)
            assert (response.status, response.header("location")) == (row["status"], row["location"]), row["url"]
            assert "docsredirect" in str(response.header("surrogate-key"))
        await connection.close()


@pytest.mark.real_part("curl")
async def test_curl_is_answered_as_the_page_of_the_first_try_says() -> None:
    """An independent client sees one hop, with GET and with HEAD, on HTTP/1.0 and 1.1, over one connection."""
    async with running_edge(await _corpus()) as port:
        urls = [f"http://127.0.0.1:{port}/{path}" for path in ("six/", "SIX/../six", "//six//x", "no-such-project")]
        for options in ([], ["--head"], ["--http1.0"]):
            process = await asyncio.create_subprocess_exec(
                real_parts.path_of("curl"), "--silent", "--path-as-is", *options, "--write-out", "\n%{json}\n", *urls,
                stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            out, _ = await process.communicate()
            answers = [json.loads(line) for line in out.splitlines() if line.startswith(b"{")]
            assert [answer["http_code"] for answer in answers] == [301, 404, 301, 404]
            assert [answer["redirect_url"] for answer in answers][::2] == [
                "https://six.readthedocs.io/en/latest/",
                "https://six.readthedocs.io/en/latest/x",
            ]
            if "--http1.0" not in options:
                assert sum(answer["num_connects"] for answer in answers) == 1
