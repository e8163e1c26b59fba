"""From any legacy URL to its page in one hop: over http and https, on each host, with a slash and without."""

import asyncio
import json
from pathlib import Path

import pytest

from docsredirect.domain.hosts import OWN_HOSTS
from tests.cdn.stage import corpus, on_stage
from tests.support import real_parts, varnish
from tests.support.http import free_port
from tests.support.nginx import make_certificate, running_nginx

pytestmark = [*varnish.NEEDED, *(pytest.mark.real_part(part) for part in ("nginx", "openssl", "curl"))]

TARGET = "https://six.readthedocs.io/en/latest/"
SERVERS = """
upstream varnish {{ server 127.0.0.1:{varnish}; keepalive 8; }}
server {{
  listen 127.0.0.1:{http};
  listen 127.0.0.1:{https} ssl;
  ssl_certificate {certificate}; ssl_certificate_key {key};
  location / {{
    proxy_pass http://varnish; proxy_http_version 1.1;
    proxy_set_header Connection ""; proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-Proto $scheme;
  }}
}}
"""
PATHS = {"/six/": TARGET, "/six": TARGET, "//SIX": TARGET, "/six/a?b=c": f"{TARGET}a?b=c"}


async def test_every_way_in_is_one_hop(tmp_path: Path) -> None:
    """TLS ends in a real nginx, in front of Varnish; a real curl follows redirects as long as they stay with us."""
    ports = {"http": free_port(), "https": free_port()}
    certificate, key = make_certificate(tmp_path, *OWN_HOSTS)
    async with on_stage(corpus()) as stage:
        servers = SERVERS.format(varnish=stage.varnish.port, certificate=certificate, key=key, **ports)
        async with running_nginx(tmp_path, servers):
            hops = {
                f"{scheme}://{host}{path}": await _hops(f"{scheme}://{host}{path}", ports[scheme], certificate)
                for scheme in ports
                for host in OWN_HOSTS
                for path in PATHS
            }
    print(f"\nhops over {len(hops)} ways in: {sorted({len(each) for each in hops.values()})}")
    assert len(hops) == 24
    for url, locations in hops.items():
        assert locations == [PATHS[url.partition(".org")[2]]], url


async def _hops(url: str, port: int, certificate: Path) -> list[str]:
    """Return the Locations on the way from `url` until one is not ours."""
    locations: list[str] = []
    while url.partition("://")[2].partition("/")[0] in OWN_HOSTS:
        status, location, headers = await _curl(url, port, certificate)
        assert status == 301, url
        assert "strict-transport-security" not in headers
        locations.append(location)
        url = location
        assert len(locations) < 10
    return locations


async def _curl(url: str, port: int, certificate: Path) -> tuple[int, str, dict[str, list[str]]]:
    process = await asyncio.create_subprocess_exec(
        real_parts.path_of("curl"), "--silent", "--path-as-is", "--max-time", "10", "--cacert", str(certificate),
        "--connect-to", f"::127.0.0.1:{port}", "--output", "/dev/null", "--write-out", "%{json}\n%{header_json}", url,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await process.communicate()
    told, _, headers = out.decode().partition("\n")
    return json.loads(told)["http_code"], json.loads(told)["redirect_url"], json.loads(headers)
