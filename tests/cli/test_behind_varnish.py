"""`probe` and `compare` ask the public side as it will be: a real Varnish with the shipped configuration."""

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

from click.testing import Result

from docsredirect.formats import conveyor
from tests.cli.commands import DATA, Cli, Done, invoke
from tests.support.edges import publish, record, rows_of, running_edge
from tests.support.old_service import OldService, running_old_service
from tests.support.stores import FakeStore
from tests.support.varnish import NEEDED, running_varnish

pytestmark = NEEDED

REAL = [record(**row) for row in rows_of("redirects.jsonl")]
URLS = [
    row["url"].replace("https://", f"{scheme}://", 1) for row in rows_of("urls.jsonl") for scheme in ("http", "https")
]


async def run(cli: Cli, *words: str | Path, fails: bool = False) -> Done:
    """Run a command in this process while the servers go on."""
    result: Result = await asyncio.to_thread(invoke, *map(str, words), env=cli.environment)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert (result.exit_code != 0) == fails, result.output
    return Done(result.exit_code, result.stdout_bytes, result.stderr)


async def test_a_probe_tells_hits_from_misses(cli: Cli) -> None:
    """Asked anew, nothing is in the cache but what two spellings share; asked again, everything is, with its age."""
    store = FakeStore()
    await publish(store, REAL)
    words: list[str | Path] = [
        "--table",
        DATA / "redirects.jsonl",
        "--host",
        "pythonhosted.org",
        "--seed",
        "1",
        "--json",
    ]
    async with running_edge(store) as edge, running_varnish([edge]) as varnish:
        base = f"http://127.0.0.1:{varnish.port}"
        cold = (await run(cli, "probe", "--url", base, "--concurrency", "1", *words)).rows
        warm = await run(cli, "probe", "--url", base, *words)
    assert Counter(row["cache"] for row in cold) == {"miss": 137, "hit": 68}
    assert {row["cache"] for row in warm.rows} == {"hit"}
    assert all(row["age"] is not None and row["age"] < 60 for row in warm.rows)
    assert "0 wrong, 100% of 205 from a cache" in warm.err


async def test_a_purge_that_was_lost_is_found(cli: Cli) -> None:
    """A changed project whose old answer is still in the cache is wrong, until it is purged."""
    table = cli.file("table.jsonl", _fields("https://new.example.org/"))
    store = FakeStore()
    await publish(store, [record("six")])
    async with running_edge(store) as edge, running_varnish([edge]) as varnish:
        words = ["probe", "--url", f"http://127.0.0.1:{varnish.port}", "--host", "pythonhosted.org", "--settle", "1"]
        await run(cli, *words, "--table", cli.file("old.jsonl", _fields("https://six.example.org/")))
        await publish(store, [record("six", "https://new.example.org/")])
        await asyncio.sleep(0.5)  # the edge looks for a new table every 0.05 s
        lost = await run(cli, *words, "--table", table, fails=True)
        await varnish.purge("project/six")
        await run(cli, *words, "--table", table)
    assert lost.out.decode().count(": another place") == 3


def _fields(target: str) -> dict[str, Any]:
    return {"project": "six", "target": target, "path": "keep"}


async def test_no_real_url_is_worse_through_the_cdn(cli: Cli) -> None:
    """All real URLs with both schemes, on a cold cache and on a warm one: none is worse, and each takes one hop."""
    (cli.folder / "redirects.txt").write_bytes(b"".join(line for each in REAL for line in conveyor.lines(each)))
    urls = cli.folder / "urls.txt"
    urls.write_text("".join(f"{url}\n" for url in URLS), encoding="utf-8")
    store = FakeStore()
    await publish(store, REAL)
    service = OldService(cli.folder / "redirects.txt", front=True)
    async with (
        running_edge(store) as edge,
        running_varnish([edge]) as varnish,
        running_old_service(service) as old,
    ):
        bases = ["--old", f"http://127.0.0.1:{old}", "--new", f"http://127.0.0.1:{varnish.port}"]
        for _ in range(2):
            done = await run(cli, "compare", *bases, "--from", urls, "--table", DATA / "redirects.jsonl", "--json")
            rows = [json.loads(line) for line in done.out.splitlines()]
            assert Counter(row["verdict"] for row in rows) == {"better": 876, "same": 180}
            assert max(row["new"]["hops"] for row in rows) == 1
