"""A worker process: serves on the socket that it inherits until it is told to stop, or its parent is gone.

Run by `docsredirect.edge.parent`, which says how the two speak with each other. No command of its own.
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Collection, Sequence
from contextlib import suppress
from io import TextIOWrapper

from docsredirect.cli import terminal
from docsredirect.domain import settings
from docsredirect.domain.settings import Settings
from docsredirect.edge import server
from docsredirect.edge.parent import KEEPER, PATIENT, SERVING
from docsredirect.store import open_store


def main(arguments: Sequence[str]) -> None:
    """Be a worker: of the descriptors of the socket, of the parent's life and of notices, and of what else it is."""
    listener, life, notices, *roles = arguments
    # The command that became the parent has told of slips and problems.
    loaded = settings.load(os.environ).settings
    # With PYTHONUNBUFFERED a line and its end are written one after the other, and those of other workers in between.
    if isinstance(sys.stderr, TextIOWrapper):
        sys.stderr.reconfigure(line_buffering=True, write_through=False)
    terminal.set_up_logging(loaded.log_level)
    terminal.run(_work(loaded, socket.socket(fileno=int(listener)), int(life), int(notices), roles))


async def _work(settings: Settings, listener: socket.socket, life: int, notices: int, roles: Collection[str]) -> None:
    stop, serves = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_reader(life, stop.set)  # nothing is ever written there: that it can be read means that it has ended

    async def serve() -> None:
        async with (
            open_store(settings.store) as store,
            server.running(settings, store, listener, keeper=KEEPER in roles, patient=PATIENT in roles),
        ):
            serves.set()
            _say_serving(notices)
            await stop.wait()

    serving, stopping = asyncio.create_task(serve()), asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    loop.remove_reader(life)
    if not serves.is_set():
        serving.cancel()
    with suppress(asyncio.CancelledError):
        await serving
    # A thread that hangs on a dead disk would keep the interpreter from ending. Everything of worth is on disk.
    sys.stderr.flush()
    os._exit(0)


def _say_serving(notices: int) -> None:
    with suppress(BrokenPipeError):  # the parent is gone, which ends this process by itself
        os.write(notices, SERVING)
    os.close(notices)


if __name__ == "__main__":
    main(sys.argv[1:])
