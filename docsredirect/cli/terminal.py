"""What the commands share: settings, errors and words for people."""

import asyncio
import functools
import json
import logging
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

import click
import structlog

from docsredirect.domain import settings
from docsredirect.domain.errors import DocsRedirectError, Fault, InvalidSettings
from docsredirect.domain.tables import Row
from docsredirect.formats.lines import Refusal
from docsredirect.service.replica import published_rows
from docsredirect.store import open_store

P = ParamSpec("P")
T = TypeVar("T")

SHOWN_LINES = 20
SHOWN_FAULTS = 10
"""How many refused lines a person is shown, and how many faults of each. The JSON form has them all."""


class WrongUse(click.ClickException):
    """Settings or arguments that cannot be used: exit 2."""

    exit_code = 2


def load_settings() -> settings.Loaded:
    """Return the settings, with warnings for what looks like a slip. Raises `WrongUse` with all problems."""
    try:
        loaded = settings.load(os.environ)
    except InvalidSettings as error:
        raise WrongUse("The settings cannot be used:\n" + "\n".join(f"  {p}" for p in error.problems)) from error
    for warning in loaded.warnings:
        click.echo(f"Warning: {warning}", err=True)
    return loaded


def set_up_logging(level: str) -> None:
    """Log to standard error from `level` up: lines for people on a terminal, JSON anywhere else."""
    on_terminal = sys.stderr.isatty()
    # Without the local variables of a traceback, which hold tokens and credentials.
    for_people = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([] if on_terminal else [structlog.processors.format_exc_info]),
            for_people if on_terminal else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )


def failures_shown(command: Callable[P, T]) -> Callable[P, T]:
    """Make a command end with one plain sentence and exit 1 where the domain raises, or a file or output fails."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            result = command(*args, **kwargs)
            sys.stdout.flush()
        except DocsRedirectError as error:
            raise click.ClickException(str(error)) from error
        except BrokenPipeError:  # whoever read our output has enough
            _let_go_of_output()
            sys.exit(1)
        except OSError as error:
            _let_go_of_output()
            where = f"{error.filename}: " if error.filename else ""
            raise click.ClickException(f"{where}{error.strerror or error}.") from error
        return result

    return run


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` on an event loop: uvloop's where it exists."""
    with new_runner() as runner:
        return runner.run(main)


def new_runner() -> asyncio.Runner:
    """Return what runs coroutines one after the other on one event loop."""
    return asyncio.Runner(loop_factory=_loop_factory())


async def published(url: str, otherwise: str = "") -> list[Row]:
    """Return the rows that the store at `url` has published, sorted by name. Where there are none, a person is told
    what to do, or `otherwise`."""
    async with open_store(url) as store:
        rows = await published_rows(store)
        if rows is None:
            raise click.ClickException(f"Nothing is published in {store.url}. Import something first{otherwise}.")
    return rows


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def say_refusals(refusals: list[Refusal], hint: str = "") -> None:
    """Tell a person which lines were refused and why, and with `hint` how to see those that are not shown."""
    for refusal in refusals[:SHOWN_LINES]:
        for fault in refusal.errors[:SHOWN_FAULTS]:
            click.echo(f"line {refusal.line}: {printable(_where(fault) + fault.detail)}", err=True)
        if len(refusal.errors) > SHOWN_FAULTS:
            click.echo(f"line {refusal.line}: and {len(refusal.errors) - SHOWN_FAULTS} more faults{hint}.", err=True)
    if len(refusals) > SHOWN_LINES:
        click.echo(f"… and {len(refusals) - SHOWN_LINES} more lines{hint}.", err=True)


def write_out(chunk: bytes) -> None:
    """Write bytes to standard output."""
    sys.stdout.buffer.write(chunk)


def write_json(text: bytes) -> None:
    """Write JSON to standard output as it is; for a terminal, with what that would obey in JSON's own escapes."""
    write_out(escaped_json(text) if sys.stdout.isatty() else text)


def escaped_json(text: bytes) -> bytes:
    """Return JSON that means the same, with every character that a terminal would obey as an escape (RFC 8259)."""
    spaced = text.decode("utf-8", "replace").translate({ord("\r"): " ", ord("\t"): " "})  # of no meaning outside texts
    return "".join(char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in spaced).encode()


def printable(text: str) -> str:
    """Return `text` with what a terminal would obey as its escape."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def _let_go_of_output() -> None:
    """Point standard output at nothing, so that what could not be written is not tried again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _where(fault: Fault) -> str:
    return f"{fault.pointer}: " if fault.pointer else ""
