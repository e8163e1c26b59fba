"""What the move is rehearsed on: the old service behind its CDN, and our own processes, which are started on the way.

Commands of MIGRATION.md run in a shell, as they stand there. Addresses in them are led to loopback, and `aws` copies
files, since the old service's bucket is a folder here.
"""

import asyncio
import json
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from aiohttp import web

from docsredirect.domain.hosts import OWN_HOSTS
from tests.bench.admin_serving import API, AdminService, Api
from tests.bench.services import Service
from tests.cdn.stage import ask, where
from tests.cli.commands import CLEAN
from tests.support import real_parts, varnish
from tests.support.http import free_port
from tests.support.old_docs import Page, Pages
from tests.support.old_service import OldService
from tests.support.varnish import TOKEN, Varnish

PYTHONHOSTED, WWW, PACKAGES = OWN_HOSTS
SECRET = "a-secret-of-the-rehearsal-long-enough"
OLD_PAGES = {"kept": b"<p>kept", "first": b"<p>first"}
"""The old documentation of projects without a redirect."""

_PRELUDE = """
docsredirect() { "$PYTHON" -m docsredirect "$@"; }
varnishadm() { command varnishadm -n "$VARNISH" "$@"; }
aws() { case "$2 ${4-}" in rm*) rm "$3";; *' -') cat "$3";; *) cp "$3" "$4";; esac; }
"""
_TODAY = """vcl 4.1;
backend today {{ .host = "127.0.0.1"; .port = "{port}"; }}
sub vcl_recv {{ return (pass); }}
"""
_PROTO = "X-Forwarded-Proto: https\r\n"


class Old:
    """The old service with its front, on a port that it keeps. It reads its file when it starts, then every 600 s."""

    def __init__(self, file: Path, docs: Path, log: Path) -> None:
        self.port = free_port()
        self._file, self._docs, self._log = file, docs, log
        self._running = AsyncExitStack()

    async def restart(self) -> None:
        """Stop it, if it runs, and start it."""
        await self.stop()
        service = OldService(self._file, front=True, old_docs=self._docs)
        service.read()

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            with self._log.open("a", encoding="utf-8") as log:
                log.write(f"{request.method} {request.raw_path}\n")
            return await service.handle(request)

        server = web.Server(handle, access_log=None)
        listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", self.port)
        self._running.push_async_callback(server.shutdown, 0.1)
        self._running.callback(listening.close)

    async def stop(self) -> None:
        """Stop it."""
        await self._running.aclose()


class Shell(NamedTuple):
    """Where commands run, and their environment."""

    folder: Path
    environ: dict[str, str]
    stands_for: dict[str, str]
    """What in a command stands for something else here."""

    async def __call__(self, script: str, **environ: str) -> "Ran":
        """Run lines of a shell, up to the first that fails."""
        for text, here in self.stands_for.items():
            script = script.replace(text, here)
        process = await asyncio.create_subprocess_exec(
            "sh", "-euc", _PRELUDE + script, env={**self.environ, **environ}, cwd=self.folder,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        async with asyncio.timeout(60):
            out, err = await process.communicate()
        assert b"Traceback" not in err, err.decode()
        assert process.returncode is not None
        return Ran(process.returncode, out.decode(), err.decode())


class Ran(NamedTuple):
    """What lines of a shell came to."""

    status: int
    out: str
    err: str


class Move:
    """All that runs while readers are moved, with its files in `folder`. Readers ask the port `public`; the new side as
    the CDN shows it is at the port `shadow`."""

    def __init__(self, folder: Path) -> None:
        self.mirror, self.store = folder / "bucket" / "redirects.txt", folder / "store"
        self.work, self.configuration, docs = folder / "work", folder / "etc", folder / "docs"
        for made in (self.mirror.parent, self.work, self.configuration, *(docs / name for name in OLD_PAGES)):
            made.mkdir(parents=True)
        for name, page in OLD_PAGES.items():
            (docs / name / "index.html").write_bytes(page)
        self.old = Old(self.mirror, docs, self.work / "old-access.log")
        self.public, self.shadow = free_port(), free_port()
        self.edge: Service | None = None
        self._admin: AdminService | None = None

    async def start_admin(self, *, mirror: bool = True) -> None:
        """Start the admin side, or start it anew."""
        await self.stop_admin()
        given = {
            "DOCSREDIRECT_PURGE": f"varnish:http://127.0.0.1:{self.public}",
            "DOCSREDIRECT_PURGE_TOKEN": TOKEN,
            "DOCSREDIRECT_MIRROR": str(self.mirror) if mirror else "",
            "DOCSREDIRECT_EDGES": f"http://127.0.0.1:{self.edge.ops_port}" if self.edge else "",
        }
        self._admin = AdminService({**self._common(), **given}, self.work)
        await self._admin.until_ready()

    async def stop_admin(self) -> None:
        """End the admin side as an operator does, if it runs."""
        if self._admin is not None:
            await asyncio.to_thread(self._admin.stop)
            self._admin = None

    async def start_edge(self, rows: int) -> None:
        """Start an edge that answers the CDN alone, and wait until it has the table."""
        self.edge = Service({**self._common(), "DOCSREDIRECT_CDN_SECRET": SECRET})
        await asyncio.to_thread(self.edge.until_ready, rows)

    @property
    def edge_port(self) -> int:
        """Where the edge answers."""
        assert self.edge is not None
        return self.edge.port

    def _common(self) -> dict[str, str]:
        return {"DOCSREDIRECT_STORE": str(self.store), "DOCSREDIRECT_POLL_SECONDS": "0.2"}

    async def put(self, *, new: bool = False, **record: Any) -> None:
        """Write a record through the admin API."""
        assert self._admin is not None
        api, precondition = Api(self._admin.port), "If-None-Match" if new else "If-Match"
        path, body = f"{API}/projects/{record['project']}", json.dumps(record).encode()
        answer = await api.ask("PUT", path, headers={precondition: "*"}, body=body)
        assert answer is not None and answer.status in (200, 201), answer
        await api.close()

    async def reads(self, path: str, host: str = PYTHONHOSTED) -> tuple[int, str | None]:
        """Return what a reader gets."""
        return where(await ask(self.public, path, host=host, headers=_PROTO))

    async def until_read(self, path: str, answer: tuple[int, str | None]) -> None:
        """Wait until a reader gets an answer."""
        async with asyncio.timeout(10):
            while await self.reads(path) != answer:
                await asyncio.sleep(0.05)

    def shell(self) -> Shell:
        """Return the shell in which commands of the document run now."""
        ops = 0 if self._admin is None else self._admin.ports[1]
        public = f"http://127.0.0.1:{self.public}"
        environ = {
            **CLEAN, "PYTHON": sys.executable, "LC_ALL": "C.UTF-8", "VARNISH": str(self.configuration / "work"),
            "DOCSREDIRECT_STORE": str(self.store), "MIRROR": str(self.mirror), "PUBLIC": public,
            "OLD": f"http://127.0.0.1:{self.old.port}", "NEW": f"http://127.0.0.1:{self.shadow}",
        }  # fmt: skip
        stands_for = {
            "/etc/varnish": str(self.configuration),
            "https://packages.python.org": f"{public} --host packages.python.org",
            "http://127.0.0.1:9090": f"http://127.0.0.1:{ops}",
        }
        return Shell(self.work, environ, stands_for)

    async def end(self) -> None:
        """End whatever runs."""
        await self.stop_admin()
        if self.edge is not None:
            await asyncio.to_thread(self.edge.stop)
            self.edge._said.close()
        await self.old.stop()


@asynccontextmanager
async def running_cdn(move: Move) -> AsyncIterator[None]:
    """Run Varnish as the CDN of today, with a second socket for the shadow and the configuration that is shipped at
    hand. The server of the old pages runs beside it, and not with the old service."""
    assert move.edge is not None
    html = {"Content-Type": "text/html"}
    pages = Pages({f"/{name}/": Page(page, 200, html) for name, page in OLD_PAGES.items()})
    folder = move.configuration
    shutil.copy(varnish.SHIPPED, folder)
    (folder / "today.vcl").write_text(_TODAY.format(port=move.old.port), encoding="utf-8")
    words = [
        "-F", "-n", str(folder / "work"), "-j", "none", "-f", str(folder / "today.vcl"), "-s", "malloc,64m",
        "-a", f"public=127.0.0.1:{move.public}", "-a", f"shadow=127.0.0.1:{move.shadow}",
        "-p", f"vcl_path={folder}", "-p", "vsl_space=4M", "-p", f"cc_command={varnish._COMPILER}",
    ]  # fmt: skip
    environ = {"PATH": os.environ["PATH"], "DOCSREDIRECT_CDN_SECRET": SECRET, "DOCSREDIRECT_PURGE_TOKEN": TOKEN}
    async with pages.running():
        backends = varnish.backends([move.edge.port], pages.port, 0.1)
        (folder / "backends.vcl").write_text(backends, encoding="utf-8")
        with (folder / "log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *varnish._dying_with_us(), real_parts.path_of("varnishd"), *words, env=environ, stdout=log, stderr=log
            )
        told = Varnish(move.public, TOKEN, folder / "log")
        try:
            await varnish._until_answers(told, process)
            yield
        finally:
            await varnish._end(process)
        assert "died" not in told.told(), told.told()


@asynccontextmanager
async def moving() -> AsyncIterator[Move]:
    """Give what a move begins with: the old service, and nothing of ours."""
    # Not a folder of pytest's: Varnish limits the length of its working folder's path.
    with tempfile.TemporaryDirectory(prefix="move-") as folder:
        move = Move(Path(folder))
        try:
            yield move
        finally:
            await move.end()
