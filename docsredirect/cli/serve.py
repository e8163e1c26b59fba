"""`docsredirect serve`: run the service until it is told to stop."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Coroutine
from importlib import resources
from typing import Any

import click
import structlog

from docsredirect import __version__
from docsredirect.cli import terminal
from docsredirect.cli.imports import make_registry
from docsredirect.domain.errors import StoreError
from docsredirect.domain.projects import PREFIX, Author, decode, name_of
from docsredirect.domain.settings import Settings
from docsredirect.domain.tables import TABLE_KEY
from docsredirect.edge import server
from docsredirect.formats.lines import read_batch
from docsredirect.store import Store, open_store

log = structlog.get_logger(__name__)

_SAMPLE = "data/sample.jsonl"
SAMPLE_AUTHOR = Author(by="sample")

_TRY = """\
docsredirect {version} answers legacy documentation URLs at {base}
The table is kept in {store}

Try, in another terminal:
  curl -i {base}/six/                              a project that moved
  curl -i {base}/pyenchant/download.html           a page that got another name
  curl -i {base}/Flask_SQLAlchemy/quickstart.html  a name in another spelling
  curl -i {base}/no-such-project/                  nothing is known
or open {base}/ in a browser. Ctrl-C stops.
"""


@click.command(short_help="Answer legacy URLs.")
@click.option("--sample", is_flag=True, help="Load a sample of real redirects first, if the store is empty.")
@terminal.failures_shown
def serve(sample: bool) -> None:
    """Answer legacy URLs on DOCSREDIRECT_EDGE from the table in DOCSREDIRECT_STORE.

    SIGTERM and Ctrl-C finish what is in flight, then exit 0.

    \b
      DOCSREDIRECT_EDGE=127.0.0.1:8080 docsredirect serve --sample
    """
    settings = terminal.load_settings().settings
    terminal.set_up_logging(settings.log_level)
    try:
        listener = server.listen(settings.edge)
    except OSError as error:
        raise click.ClickException(f"{error.strerror}. Set DOCSREDIRECT_EDGE to another host:port.") from error
    terminal.run(_serve(settings, listener, sample=sample))
    # A thread that hangs on a dead disk would keep the interpreter from ending. Everything of worth is on disk.
    sys.stderr.flush()
    os._exit(0)


async def _serve(settings: Settings, listener: socket.socket, *, sample: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with open_store(settings.store) as store:
        if sample:
            await _until_stopped(_load_sample(settings, store), stop)
        async with server.running(settings, store, listener):
            host, port = listener.getsockname()[:2]
            log.info("listening", host=host, port=port, store=store.url)
            if sample and not stop.is_set():
                click.echo(_TRY.format(version=__version__, base=_base(host, port), store=store.url), err=True)
            await stop.wait()
            log.info("stopping")


async def _until_stopped(work: Coroutine[Any, Any, None], stop: asyncio.Event) -> None:
    """Wait for `work`, but no longer than until `stop` is set."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    working.cancel()
    stopping.cancel()
    await asyncio.gather(working, stopping, return_exceptions=True)


async def _load_sample(settings: Settings, store: Store) -> None:
    """Import the bundled redirects of real projects where nobody has stored anything else, and nothing is published.
    An earlier load that broke off is finished."""
    try:
        if await store.get(TABLE_KEY) is not None or not await _holds_only(SAMPLE_AUTHOR, store):
            return
        with resources.files("docsredirect").joinpath(_SAMPLE).open("rb") as file:
            batch = read_batch(file, settings.host_rules)
        await make_registry(store).import_records(batch.records, SAMPLE_AUTHOR)
    except StoreError as error:
        log.warning("sample not loaded", reason=str(error))
    else:
        click.echo(f"The store was empty: {len(batch.records)} redirects of real projects were loaded.", err=True)


async def _holds_only(author: Author, store: Store) -> bool:
    """Tell whether the first project in `store`, if there is any, was last written by `author`."""
    async for listed in store.list_objects(PREFIX):
        stored = await store.get(listed.key)
        name = name_of(listed.key)
        return stored is not None and name is not None and decode(stored.body, name).history[0].author == author
    return True


def _base(host: str, port: int) -> str:
    shown = {"0.0.0.0": "localhost", "::": "localhost"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{shown}:{port}"
