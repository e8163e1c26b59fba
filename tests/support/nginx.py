"""A real nginx on loopback, with the servers that a test writes; and a certificate for it, made on the spot."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support import real_parts

_START_SECONDS = 10.0
_CONF = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  large_client_header_buffers 4 16k;
  {servers}
}}
"""


@asynccontextmanager
async def running_nginx(folder: Path, servers: str) -> AsyncIterator[None]:
    """Run nginx with `servers`, what stands in the ``http`` block of its configuration, and its files in `folder`."""
    conf, pid, errors = folder / "nginx.conf", folder / "nginx.pid", folder / "error.log"
    conf.write_text(_CONF.format(folder=folder, servers=servers), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        real_parts.path_of("nginx"), "-c", str(conf), "-e", str(errors), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(_START_SECONDS):
            while not pid.exists() or not pid.read_text(encoding="utf-8"):
                assert process.returncode is None, errors.read_text(encoding="utf-8")
                await asyncio.sleep(0.02)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def make_certificate(folder: Path, *hosts: str) -> tuple[Path, Path]:
    """Return the files of a new certificate for `hosts`, which signs itself, and of its key."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    names = ",".join(f"DNS:{host}" for host in hosts)
    subprocess.run(
        [
            real_parts.path_of("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
            "-nodes", "-days", "2", "-subj", f"/CN={hosts[0]}", "-addext", f"subjectAltName={names}",
            "-keyout", str(key), "-out", str(certificate),
        ],
        check=True, capture_output=True, timeout=30,
    )  # fmt: skip
    return certificate, key
