"""A process of `serve`: serves on the sockets that it inherits until it is told to stop, or its parent is gone.

Run by `docsredirect.cli.parent`, which says how the two speak with each other. No command of its own. What a worker
serves stands here; what the control does, in `docsredirect.cli.control`.
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from io import TextIOWrapper
from pathlib import Path

from docsredirect.cli import terminal
from docsredirect.cli.parent import CONTROL, KEEPER, PATIENT, SERVING, SOCKETS, remove_folder
from docsredirect.domain import settings
from docsredirect.domain.settings import Settings
from docsredirect.edge import server
from docsredirect.store import open_store
from docsredirect.telemetry import files
from docsredirect.telemetry.sampler import Place, sampling
from docsredirect.telemetry.stores import MeteredStore


def main(arguments: Sequence[str]) -> None:
    """Be a process: of the listening sockets, the descriptors of the parent's life and of notices, the seat, the role,
    and what else it is."""
    named, life, notices, seat, role, *duties = arguments
    # The command that became the parent has told of slips and problems.
    loaded = settings.load(os.environ).settings
    # With PYTHONUNBUFFERED a line and its end are written one after the other, and those of others in between.
    if isinstance(sys.stderr, TextIOWrapper):
        sys.stderr.reconfigure(line_buffering=True, write_through=False)
    terminal.set_up_logging(loaded.log_level)
    descriptors = {name: int(number) for name, number in (each.split("=") for each in named.split(","))}
    place = Place(Path(os.environ[files.VARIABLE]), int(seat), role)
    terminal.run(_live(_serving(loaded, descriptors, place, duties), place, int(life), int(notices)))


def _serving(
    settings: Settings, descriptors: dict[str, int], place: Place, duties: Collection[str]
) -> AbstractAsyncContextManager[None]:
    mine = [name for name in SOCKETS[place.role] if name in descriptors]
    listeners = {name: socket.socket(fileno=descriptors[name]) for name in mine}
    if place.role == CONTROL:
        from docsredirect.cli import control  # noqa: PLC0415 - a worker has no use for what it takes along

        return control.serving(settings, listeners, place, edge="edge" in descriptors)
    return _edge(settings, listeners["edge"], place, duties)


@asynccontextmanager
async def _edge(
    settings: Settings, listener: socket.socket, place: Place, duties: Collection[str]
) -> AsyncIterator[None]:
    """Answer legacy URLs on `listener` while the context lasts."""
    keeper, patient = KEEPER in duties, PATIENT in duties
    async with (
        sampling(place, stale_after=settings.stale_after) as (sampler, metrics),
        open_store(settings.store) as store,
        server.running(settings, MeteredStore(store, metrics), listener, keeper=keeper, patient=patient) as edge,
    ):
        sampler.watch(
            edge.replica,
            lookups=edge.lookups,
            statuses=edge.answers.by_status,
            asked=edge.asked,
            on_sample=edge.answers.turn,
        )
        yield


async def _live(serving: AbstractAsyncContextManager[None], place: Place, life: int, notices: int) -> None:
    stop, orphaned, serves = asyncio.Event(), asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)

    def lose_parent() -> None:
        orphaned.set()
        stop.set()

    loop.add_reader(life, lose_parent)  # nothing is ever written there: that it can be read means that it has ended

    async def serve() -> None:
        async with serving:
            serves.set()
            _say_serving(notices)
            await stop.wait()

    working, stopping = asyncio.create_task(serve()), asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    loop.remove_reader(life)
    if not serves.is_set():
        working.cancel()
    with suppress(asyncio.CancelledError):
        await working
    if orphaned.is_set():
        remove_folder(str(place.folder))  # which is what the parent would have done; the last process leaves nothing
    # A thread that hangs on a dead disk would keep the interpreter from ending. Everything of worth is on disk.
    sys.stderr.flush()
    os._exit(0)


def _say_serving(notices: int) -> None:
    with suppress(BrokenPipeError):  # the parent is gone, which ends this process by itself
        os.write(notices, SERVING)
    os.close(notices)


if __name__ == "__main__":
    main(sys.argv[1:])
