"""`docsredirect serve`: open the ports, then become the parent of the processes that serve on them."""

import os
import resource
import signal
import socket
import sys
from contextlib import suppress
from importlib import resources
from typing import NoReturn

import click
import structlog

from docsredirect import __version__
from docsredirect.cli import bootstrap, parent, run_folder, terminal
from docsredirect.domain.errors import StoreError
from docsredirect.domain.projects import PREFIX, Author, decode, name_of
from docsredirect.domain.settings import Address, Settings
from docsredirect.domain.tables import TABLE_KEY
from docsredirect.edge.listening import listen
from docsredirect.formats.lines import read_batch
from docsredirect.service.writers import make_registry
from docsredirect.store import Store, open_store

log = structlog.get_logger(__name__)

_WORKER = "docsredirect.cli.worker"
_SAMPLE = "data/sample.jsonl"
_RUN_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""As `docsredirect.telemetry.files` reads it; named here so that this command need not import the metrics."""
SAMPLE_AUTHOR = Author(by="sample")

_TRY = """\
docsredirect {version} answers legacy documentation URLs at {base}
The table is kept in {store}

Try, in another terminal:
  curl -i {base}/six/                              a project that moved
  curl -i {base}/pyenchant/download.html           a page that got another name
  curl -i {base}/Flask_SQLAlchemy/quickstart.html  a name in another spelling
  curl -i {base}/no-such-project/                  nothing is known
or open {base}/ in a browser.
"""
_ADMIN = "Maintainers set targets at {base}/ in a browser, or through the API at {base}/-/api/v1\n"
_OPS = """\
The status is at {base}/-/status, metrics at {base}/-/metrics
Ctrl-C stops.
"""

_MADE = """\
This is the first token. It may do everything, signs in to the admin pages, and is kept in {path}:
  {token}
It is shown only now. DOCSREDIRECT_ADMIN_TOKEN would replace it.
"""

_Listeners = dict[str, socket.socket]
"""The listening sockets by name, which is also that of their setting."""


@click.command(short_help="Answer legacy URLs, and let maintainers set targets.")
@click.option("--sample", is_flag=True, help="Load a sample of real redirects first, if the store is empty.")
@click.option("--edge-only", is_flag=True, help="Answer legacy URLs and ops, not maintainers.")
@click.option("--admin-only", is_flag=True, help="Answer maintainers and ops, not legacy URLs.")
@terminal.failures_shown
def serve(sample: bool, edge_only: bool, admin_only: bool) -> None:
    """Answer legacy URLs on DOCSREDIRECT_EDGE from the table in DOCSREDIRECT_STORE, maintainers on DOCSREDIRECT_ADMIN,
    and whoever asks how the service is on DOCSREDIRECT_OPS.

    DOCSREDIRECT_WORKERS processes share the edge's port; one more has the other two. SIGHUP replaces them one by one
    without dropping a request; SIGTERM and Ctrl-C finish what is in flight, then exit 0.

    \b
      DOCSREDIRECT_EDGE=127.0.0.1:8080 docsredirect serve --sample
      docsredirect serve --edge-only
    """
    if edge_only and admin_only:
        raise click.UsageError("--edge-only and --admin-only exclude each other.")
    settings = terminal.load_settings().settings
    terminal.set_up_logging(settings.log_level)
    if not edge_only and settings.store.startswith("s3://"):
        bootstrap.required_admin_token(settings)
    listeners = {name: _listen(settings, name) for name in _names(edge_only=edge_only, admin_only=admin_only)}
    _stop_at_once_on_signals()
    # Before there are workers, so that it happens once; in this process, because the parent is small all the same:
    # becoming it lets go of everything that was imported for this.
    if "admin" in listeners:
        _make_admin_token(settings, required=admin_only)
    if sample:
        terminal.run(_load_sample(settings))
    signal.pthread_sigmask(signal.SIG_BLOCK, parent.SIGNALS)  # until the parent, which removes the folder, can obey
    folder = run_folder.make()
    _allow_many_connections()
    for name, listener in listeners.items():
        host, port = listener.getsockname()[:2]
        log.info("listening", face=name, host=host, port=port, store=settings.store, workers=settings.workers)
    if sample:
        _say_where(listeners, settings.store)
    _become_parent(settings, listeners, folder)


def _names(*, edge_only: bool, admin_only: bool) -> list[str]:
    return ["edge"] * (not admin_only) + ["admin"] * (not edge_only) + ["ops"]


def _listen(settings: Settings, name: str) -> socket.socket:
    address: Address = getattr(settings, name)
    try:
        return listen(address)
    except OSError as error:
        variable = f"DOCSREDIRECT_{name.upper()}"
        raise click.ClickException(f"{error.strerror}. Set {variable} to another host:port.") from error


def _make_admin_token(settings: Settings, *, required: bool) -> None:
    """Make sure that there is a bootstrap token. A store that cannot be used now does not keep the service from
    serving, and a file that holds none does not keep the edge from it: tokens that were issued are good without."""
    try:
        token, made_in = bootstrap.admin_token(settings)
    except terminal.WrongUse as error:
        if required:
            raise
        log.warning("no bootstrap token", reason=error.message)
        return
    except OSError as error:
        log.warning("no bootstrap token was made", reason=f"{settings.store}: {error.strerror}")
        return
    if made_in is not None:
        click.echo(_MADE.format(path=made_in, token=token), err=True, nl=False)


def _allow_many_connections() -> None:
    """Let the processes hold as many connections as the system allows: the usual 1,024 descriptors would be taken up
    by as many clients that keep theirs open."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # where no limit is a limit that cannot be set, what there is has to do
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _stop_at_once_on_signals() -> None:
    """Until there are workers, nothing is in flight: whatever is under way is as safe as from a loss of power."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))


def _become_parent(settings: Settings, listeners: _Listeners, folder: str) -> NoReturn:
    """Put the parent in the place of this process, with the same number."""
    for listener in listeners.values():
        listener.set_inheritable(True)
    sys.stdout.flush()
    sys.stderr.flush()
    # Processes import what this one would, wherever it was started from and however it was installed.
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), _RUN_FOLDER: folder}
    named = ",".join(f"{name}={listener.fileno()}" for name, listener in listeners.items())
    posts = [parent.WORKER] * (settings.workers if "edge" in listeners else 0) + [parent.CONTROL]
    arguments = (named, ",".join(posts), settings.shutdown_seconds, folder, settings.log_level)
    child = (sys.executable, "-P", "-m", _WORKER)
    command = [sys.executable, "-P", "-S", parent.__file__, *map(str, arguments), *child]
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


def _say_where(listeners: _Listeners, store: str) -> None:
    """Tell a person what there is to try, and where."""
    for name, text in (("edge", _TRY), ("admin", _ADMIN), ("ops", _OPS)):
        if name in listeners:
            base = _base(*listeners[name].getsockname()[:2])
            click.echo(text.format(version=__version__, base=base, store=store), err=True, nl=False)


def _base(host: str, port: int) -> str:
    shown = {"0.0.0.0": "localhost", "::": "localhost"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{shown}:{port}"
