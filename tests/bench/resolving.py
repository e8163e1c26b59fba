"""What one decision costs: over real URLs, and for the worst that a request may hold."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from docsredirect.domain.hosts import HostRules
from docsredirect.domain.records import parse_record
from docsredirect.domain.resolve import MAX_REQUEST, Find, resolve, resolve_url
from docsredirect.domain.routes import Route
from tests.bench.options import Options
from tests.bench.report import Figure

DATA = Path(__file__).parent.parent / "data"
URLS = 100_000
RUNS = 7
HOSTS = HostRules.of()

_DEEP = {"/".join(["a"] * depth) + "/*": "x/*" for depth in range(1, 500, 5)}
_HOSTILE = {
    "8 KiB of a/": "/worst/" + "a/" * 4_090,
    "8 KiB of index.html/": "/worst/" + "index.html/" * 740,
    "8 KiB of [": "/worst/" + "[" * 2_600,
    "8 KiB of %7e": "/worst/" + "%7e" * 2_700,
    "8 KiB of prose behind the name": "/worst" + "%29" * 2_700,
    "8 KiB of /": "/worst" + "/" * 8_100,
}


def figures(options: Options) -> list[Figure]:
    """Measure. The sizes are fixed: it takes a quarter of a minute."""
    urls = [json.loads(line)["url"] for line in (DATA / "urls.jsonl").read_text(encoding="utf-8").splitlines()]
    urls = (urls * (URLS // len(urls) + 1))[:URLS]
    find = _table()
    measured = [
        Figure("resolve, real URLs, in process", "µs per URL", [_per_url(find, urls) for _ in range(RUNS)]),
        Figure(
            f"docsredirect resolve --from FILE -, {URLS:,} URLs, whole process",
            "µs per URL",
            [_command(urls) for _ in range(3)],
        ),
    ]
    for what, path in _HOSTILE.items():
        assert len(path) <= MAX_REQUEST
        runs = [_once(lambda path=path: resolve(find, path)) for _ in range(50)]  # type: ignore[misc]
        measured.append(Figure(f"resolve, {what}", "µs", runs))
    return measured


def _table() -> Find:
    lines = (DATA / "redirects.jsonl").read_text(encoding="utf-8").splitlines()
    worst = {"project": "worst", "target": "https://x.example.org/", "path": "clean", "rules": {"p": "x/", **_DEEP}}
    checked = [parse_record(raw, HOSTS).record for raw in (*map(json.loads, lines), worst)]
    return {each.name: Route(each) for each in checked}.get


def _once(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e6


def _per_url(find: Find, urls: list[str]) -> float:
    return _once(lambda: [resolve_url(find, url, HOSTS) for url in urls]) / len(urls)


def _command(urls: list[str]) -> float:
    with tempfile.TemporaryFile() as file:
        file.write("\n".join(urls).encode())
        file.seek(0)
        command = [sys.executable, "-m", "docsredirect", "resolve", "--from", str(DATA / "redirects.jsonl"), "-"]
        return _once(lambda: subprocess.run(command, stdin=file, stdout=subprocess.DEVNULL, check=True)) / len(urls)
