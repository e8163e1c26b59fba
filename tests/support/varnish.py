"""A real Varnish with the configuration that is shipped, in front of edges on loopback ports."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from tests.support import real_parts
from tests.support.http import Response, exchange, free_port

SHIPPED = Path(__file__).parent.parent.parent / "deploy" / "varnish" / "default.vcl"
NEEDED = [pytest.mark.real_part(part) for part in ("varnishd", "libvmod_xkey.so")]
"""The marks of tests that run it, for a whole module."""

TOKEN = "a-purge-token-of-the-tests"
_START_SECONDS = 20.0
_STOP_SECONDS = 5.0
_COMPILER = "exec gcc -std=gnu99 -O0 -pthread -fpic -shared -Wl,-x -o %o %s"
"""Without optimising, a start takes a third of the time."""

_LIVE = b"GET /-/ HTTP/1.1\r\nHost: localhost\r\n\r\n"
"""Varnish answers this itself."""

_PROBE = """
probe ready {{
    .url = "/-/health/ready"; .interval = {probe_seconds}s; .timeout = {probe_seconds}s;
    .window = 3; .threshold = 2; .initial = 3;
}}
"""


_Test = TypeVar("_Test", bound=Callable[..., object])


def on_varnish(test: _Test) -> _Test:
    """Mark a test as one that runs Varnish."""
    for mark in NEEDED:
        test = mark(test)
    return test


class Varnish:
    """A Varnish that answers on `port` of loopback."""

    def __init__(self, port: int, token: str, log: Path) -> None:
        self.port = port
        self._token = token
        self._log = log

    async def purge(self, *keys: str, hard: bool = False) -> Response:
        """Purge what carries one of `keys`, softly unless `hard`, as the service does."""
        name = "Xkey-Purge" if hard else "Xkey-Softpurge"
        head = (
            f"PURGE / HTTP/1.1\r\nHost: localhost\r\nX-Purge-Token: {self._token}\r\n{name}: {' '.join(keys)}\r\n\r\n"
        )
        response = await exchange(self.port, head.encode())
        assert response is not None, self.told()
        assert response.status == 200, f"{response}\n{self.told()}"
        return response

    def told(self) -> str:
        """Return what Varnish has said of the death of its child, or the end of what it has said."""
        text = self._log.read_text(encoding="utf-8", errors="replace")
        at = text.find("died signal")
        return text[-4_000:] if at < 0 else text[at - 100 :][:4_000]


@asynccontextmanager
async def running_varnish(
    edges: Sequence[int],
    *,
    old_docs: int | None = None,
    environ: Mapping[str, str | None] | None = None,
    probe_seconds: float = 0.1,
    parameters: Mapping[str, str] | None = None,
    memory: str = "64m",
) -> AsyncIterator[Varnish]:
    """Run Varnish in front of `edges` and, with a port of one, a server of old pages.

    `environ` holds its secrets; the purge token is `TOKEN` where it says nothing, and None unsets it. `parameters` are
    those of ``-p``. Fails at the end where the child has died meanwhile.
    """
    # Not a folder of pytest's: Varnish limits the length of its working folder's path.
    folder = Path(tempfile.mkdtemp(prefix="varnish-"))
    (folder / "backends.vcl").write_text(backends(edges, old_docs, probe_seconds), encoding="utf-8")
    given: dict[str, str | None] = {"DOCSREDIRECT_PURGE_TOKEN": TOKEN, **(environ or {})}
    secrets = {name: secret for name, secret in given.items() if secret is not None}
    varnish = Varnish(free_port(), secrets.get("DOCSREDIRECT_PURGE_TOKEN", ""), folder / "log")
    words = [
        "-F", "-n", str(folder / "work"), "-a", f"127.0.0.1:{varnish.port}", "-T", "none", "-j", "none",
        "-f", str(SHIPPED), "-s", f"malloc,{memory}", "-p", f"vcl_path={folder}", "-p", "vsl_space=4M",
        "-p", "thread_pool_min=10", "-p", f"cc_command={_COMPILER}",
        *(f"-p{name}={value}" for name, value in (parameters or {}).items()),
    ]  # fmt: skip
    try:
        with (folder / "log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *_dying_with_us(), real_parts.path_of("varnishd"), *words,
                env={"PATH": os.environ.get("PATH", os.defpath), **secrets}, stdout=log, stderr=log,
            )  # fmt: skip
        try:
            await _until_answers(varnish, process)
            yield varnish
        finally:
            await _end(process)
        assert "died signal" not in varnish.told(), varnish.told()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def backends(edges: Sequence[int], old_docs: int | None, probe_seconds: float) -> str:
    """Return a backends.vcl for servers on loopback."""
    ports = {f"edge_{number}": port for number, port in enumerate(edges, 1)}
    lines = [_PROBE.format(probe_seconds=probe_seconds)]
    lines += [
        f'backend {name} {{ .host = "127.0.0.1"; .port = "{port}"; .probe = ready; }}' for name, port in ports.items()
    ]
    added = " ".join(f"edges.add_backend({name});" for name in ports)
    lines.append(f"sub vcl_init {{ new edges = directors.round_robin(); {added} }}")
    address = "none;" if old_docs is None else f'{{ .host = "127.0.0.1"; .port = "{old_docs}"; }}'
    return "\n".join([*lines, f"backend old_docs {address}", ""])


async def compile_with(text: str) -> None:
    """Compile the shipped configuration with `text` as its backends.vcl. Fails with what the compiler says."""
    with tempfile.TemporaryDirectory(prefix="varnish-") as folder:
        (Path(folder) / "backends.vcl").write_text(text, encoding="utf-8")
        process = await asyncio.create_subprocess_exec(
            real_parts.path_of("varnishd"), "-C", "-f", str(SHIPPED), "-p", f"vcl_path={folder}",
            "-n", f"{folder}/n", "-j", "none", "-p", f"cc_command={_COMPILER}",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        out, _ = await process.communicate()
        assert process.returncode == 0, out.decode(errors="replace")[-4_000:]


def _dying_with_us() -> tuple[str, ...]:
    return ("setpriv", "--pdeathsig", "TERM") if shutil.which("setpriv") else ()


async def _until_answers(varnish: Varnish, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(_START_SECONDS):
        while True:
            assert process.returncode is None, varnish.told()
            try:
                if await exchange(varnish.port, _LIVE) is not None:
                    return
            except OSError:
                pass
            await asyncio.sleep(0.01)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
