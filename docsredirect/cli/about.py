"""`docsredirect config` and `docsredirect version`: what this installation is and how it is set."""

import os
import platform
from importlib.metadata import version as version_of

import click
import msgspec
from rich.console import Console
from rich.table import Table

from docsredirect import __version__
from docsredirect.cli import terminal
from docsredirect.domain.settings import SETTINGS

_PARTS = ("aiohttp", "uvloop", "msgspec", "cachetools")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@terminal.failures_shown
def config(as_json: bool) -> None:
    """Show every setting: its value, what it means and, in bold or as JSON, whether the environment says so.

    All problems are shown at once, and a variable that looks like a setting and is none is a warning.

    \b
      DOCSREDIRECT_EDGE=127.0.0.1:8000 docsredirect config
    """
    sources = terminal.load_settings().sources
    rows = [
        {
            "variable": setting.variable,
            "value": sources[setting.variable],
            "source": "environment" if os.environ.get(setting.variable, "").strip() else "default",
            "help": setting.help,
        }
        for setting in SETTINGS
    ]
    if as_json:
        terminal.write_out(msgspec.json.encode(rows) + b"\n")
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("Setting", no_wrap=True)
    table.add_column("Value", overflow="fold")
    table.add_column("Meaning")
    for row in rows:
        style = "bold" if row["source"] == "environment" else None
        table.add_row(row["variable"], row["value"] or "–", row["help"], style=style)
    Console(highlight=False, markup=False, emoji=False).print(table)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def version(as_json: bool) -> None:
    """Print the version of docsredirect and of what it stands on.

    \b
      docsredirect version --json
    """
    versions = {"docsredirect": __version__, "python": platform.python_version()}
    for part in _PARTS:
        try:
            versions[part] = version_of(part)
        except ImportError:  # uvloop is not on every platform
            continue
    if as_json:
        terminal.write_out(msgspec.json.encode(versions) + b"\n")
        return
    for name, number in versions.items():
        click.echo(f"{name} {number}")
