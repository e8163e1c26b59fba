"""The whole service as processes: what it prints, what SIGTERM does, and what it says when it cannot start."""

import asyncio
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tests.support.edges import publish, record, running_edge
from tests.support.http import Connection
from tests.support.stores import FakeStore

SERVE = (sys.executable, "-m", "docsredirect", "serve")


@asynccontextmanager
async def serving(
    folder: Path, *arguments: str, **environ: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """Run `serve` over a store in `folder` and give its process, the parent of all others, and its edge's port."""
    variables = {
        **os.environ, "DOCSREDIRECT_EDGE": "127.0.0.1:0", "DOCSREDIRECT_ADMIN": "127.0.0.1:0",
        "DOCSREDIRECT_OPS": "127.0.0.1:0", "DOCSREDIRECT_STORE": str(folder / "store"), **environ,
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        *SERVE, *arguments, env=variables, start_new_session=True,
        stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        async with asyncio.timeout(20):
            while not (found := re.search(rb'"port": (\d+)', await process.stderr.readline())):
                assert not process.stderr.at_eof(), "the process ended"
        yield process, int(found.group(1))
    finally:
        if process.returncode is None:
            process.kill()
        # To the end of the workers, which hold these pipes too.
        async with asyncio.timeout(10):
            await process.communicate()


async def test_the_sample_is_loaded_once_and_served(tmp_path: Path) -> None:
    """`serve --sample` fills an empty store and leaves one that is not empty alone."""
    for _ in range(2):
        async with serving(tmp_path, "--sample") as (_, port):
            connection = await Connection.open(port)
            response = await connection.get("/Six/x", host="127.0.0.1")
            assert response.header("location") == "https://six.readthedocs.io/en/latest/x"
            await connection.close()
    assert '"revision":1' in (tmp_path / "store/projects/six.json").read_text()


async def test_what_is_in_flight_at_the_end_is_answered() -> None:
    """A request that waits for the store when the edge is told to stop gets its whole answer."""
    store = FakeStore()
    await publish(store, [record("six")])
    del store.objects["table.json"]
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(running_edge(store))
        store.gate.clear()
        connection = await Connection.open(port)
        connection.send(b"GET /six/ HTTP/1.1\r\nHost: pythonhosted.org\r\n\r\n")
        async with asyncio.timeout(5):
            while store.count("get", "projects/six") == 0:
                await asyncio.sleep(0.005)
        ending = asyncio.create_task(stack.aclose())
        await asyncio.sleep(0.05)
        assert not ending.done()
        store.gate.set()
        response = await connection.receive()
        assert response is not None
        assert response.header("location") == "https://six.example.org/"
        await ending
        assert await connection.is_closed()
        await connection.close()


async def test_an_edge_ends_in_time_also_where_the_store_never_answers() -> None:
    """DOCSREDIRECT_SHUTDOWN_SECONDS bounds how long requests in flight are waited for."""
    store = FakeStore()
    async with asyncio.timeout(5):
        async with running_edge(store, {"DOCSREDIRECT_SHUTDOWN_SECONDS": "0.2"}) as port:
            store.gate.clear()
            connection = await Connection.open(port)
            connection.send(b"GET /six/ HTTP/1.1\r\nHost: pythonhosted.org\r\n\r\n")
            while store.count("get", "projects/six") == 0:
                await asyncio.sleep(0.005)
        assert await connection.is_closed()
        await connection.close()


async def test_sigterm_ends_the_process_with_0(tmp_path: Path) -> None:
    """Idle connections are closed, new ones are refused, exit 0 in time."""
    async with serving(tmp_path, "--sample") as (process, port):
        idle = await Connection.open(port)
        assert (await idle.get("/six/")).status == 301
        process.send_signal(signal.SIGTERM)
        assert await idle.is_closed()
        async with asyncio.timeout(10):
            assert await process.wait() == 0
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0
        await idle.close()


async def test_ctrl_c_ends_all_processes_in_order(tmp_path: Path) -> None:
    """A terminal sends it to the parent and the workers alike: exit 0, no traceback."""
    async with serving(tmp_path, DOCSREDIRECT_WORKERS="2") as (process, port):
        connection = await Connection.open(port)
        assert (await connection.get("/-/health/live")).status == 200
        await connection.close()
        os.killpg(process.pid, signal.SIGINT)
        async with asyncio.timeout(10):
            _, errors = await process.communicate()
        assert process.returncode == 0
        assert b"Traceback" not in errors
        assert errors.count(b'"worker ended"') == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_service_also_before_it_serves(tmp_path: Path, number: signal.Signals) -> None:
    """Right after the port is open there may be no worker yet, or one that still loads: exit 0 all the same."""
    async with serving(tmp_path) as (process, port):
        process.send_signal(number)
        async with asyncio.timeout(10):
            assert await process.wait() == 0
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0


async def test_an_address_that_is_taken_is_a_plain_sentence(tmp_path: Path) -> None:
    """No traceback, the address, and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        process = await asyncio.create_subprocess_exec(
            *SERVE, env={**os.environ, "DOCSREDIRECT_EDGE": address, "DOCSREDIRECT_STORE": str(tmp_path)},
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        _, errors = await process.communicate()
    assert process.returncode == 1
    assert errors.decode() == (
        f"Error: Cannot listen on {address}: Address already in use. Set DOCSREDIRECT_EDGE to another host:port.\n"
    )


async def test_a_store_that_cannot_be_used_does_not_keep_the_edge_from_starting(tmp_path: Path) -> None:
    """Live, not ready, 503; and it serves as soon as the store can be used."""
    (tmp_path / "store").write_text("not a folder")
    async with serving(tmp_path, DOCSREDIRECT_POLL_SECONDS="0.05") as (_, port):
        connection = await Connection.open(port)
        assert (await connection.get("/-/health/live")).status == 200
        assert (await connection.get("/-/health/ready")).status == 503
        assert (await connection.get("/six/")).status == 503
        (tmp_path / "store").unlink()
        async with asyncio.timeout(5):
            while (await connection.get("/-/health/ready")).status != 200:
                await asyncio.sleep(0.02)
            # A name that could not be read is asked for again only after a moment.
            while (await connection.get("/six/")).status != 404:
                await asyncio.sleep(0.02)
        await connection.close()
