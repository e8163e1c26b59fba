"""`docsredirect serve`: open the port, then become the parent of the workers that serve on it."""

import os
import signal
import socket
import sys
from importlib import resources
from typing import NoReturn

import click
import structlog

from docsredirect import __version__
from docsredirect.cli import terminal
from docsredirect.cli.writers import make_registry
from docsredirect.domain.errors import StoreError
from docsredirect.domain.projects import PREFIX, Author, decode, name_of
from docsredirect.domain.settings import Settings
from docsredirect.domain.tables import TABLE_KEY
from docsredirect.edge import parent
from docsredirect.edge.listening import listen
from docsredirect.formats.lines import read_batch
from docsredirect.store import Store, open_store

log = structlog.get_logger(__name__)

_WORKER = "docsredirect.cli.worker"
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

    DOCSREDIRECT_WORKERS processes share the port. SIGHUP replaces them one by one without dropping a request;
    SIGTERM and Ctrl-C finish what is in flight, then exit 0.

    \b
      DOCSREDIRECT_EDGE=127.0.0.1:8080 docsredirect serve --sample
    """
    settings = terminal.load_settings().settings
    terminal.set_up_logging(settings.log_level)
    try:
        listener = listen(settings.edge)
    except OSError as error:
        raise click.ClickException(f"{error.strerror}. Set DOCSREDIRECT_EDGE to another host:port.") from error
    _stop_at_once_on_signals()
    # Before there are workers, so that it happens once; in this process, because the parent is small all the same:
    # becoming it lets go of everything that was imported for this.
    if sample:
        terminal.run(_load_sample(settings))
    host, port = listener.getsockname()[:2]
    log.info("listening", host=host, port=port, store=settings.store, workers=settings.workers)
    if sample:
        click.echo(_TRY.format(version=__version__, base=_base(host, port), store=settings.store), err=True)
    _become_parent(settings, listener)


def _stop_at_once_on_signals() -> None:
    """Until there are workers, nothing is in flight: whatever is under way is as safe as from a loss of power."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))


def _become_parent(settings: Settings, listener: socket.socket) -> NoReturn:
    """Put the parent in the place of this process, with the same number."""
    signal.pthread_sigmask(signal.SIG_BLOCK, parent.SIGNALS)  # until it can obey them
    listener.set_inheritable(True)
    sys.stdout.flush()
    sys.stderr.flush()
    # Workers import what this process would, wherever it was started from and however it was installed.
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    worker = (sys.executable, "-P", "-m", _WORKER)
    arguments = (listener.fileno(), settings.workers, settings.shutdown_seconds, settings.log_level, *worker)
    command = [sys.executable, "-P", "-S", parent.__file__, *map(str, arguments)]
    os.execve(sys.executable, command, environ)  # noqa: S606 - no shell is wanted


async def _load_sample(settings: Settings) -> None:
    async with open_store(settings.store) as store:
        await _fill_with_sample(settings, store)


async def _fill_with_sample(settings: Settings, store: Store) -> None:
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
