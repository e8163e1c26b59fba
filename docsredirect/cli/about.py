"""`docsredirect config` and `docsredirect version`: what this installation is and how it is set."""

import click
import msgspec

from docsredirect.cli import terminal
from docsredirect.domain.settings import MASK, SETTINGS, Setting, Source
from docsredirect.telemetry.versions import versions


@click.command(short_help="Show every setting and what it means.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@terminal.failures_shown
def config(as_json: bool) -> None:
    """Show every setting: its value, whether the environment says so, and what it means.

    All problems are shown at once, and a variable that looks like a setting and is none is a warning.

    \b
      DOCSREDIRECT_EDGE=127.0.0.1:8000 docsredirect config
    """
    sources = terminal.load_settings().sources
    if as_json:
        rows = [
            {
                "variable": setting.variable,
                "value": _shown(setting, sources[setting.variable]),
                "source": "environment" if sources[setting.variable].given else "default",
                "help": setting.help,
            }
            for setting in SETTINGS
        ]
        terminal.write_out(msgspec.json.encode(rows) + b"\n")
        return
    for setting in SETTINGS:
        source = sources[setting.variable]
        click.echo(f"{setting.variable}={_shown(setting, source)}{'' if source.given else '  (default)'}")
        click.echo(f"    {setting.help}")


def _shown(setting: Setting, source: Source) -> str:
    return MASK if setting.secret and source.given else source.text


@click.command(short_help="Print what is installed.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@terminal.failures_shown
def version(as_json: bool) -> None:
    """Print the version of docsredirect and of what it stands on.

    \b
      docsredirect version --json
    """
    installed = versions()
    if as_json:
        terminal.write_out(msgspec.json.encode(installed) + b"\n")
        return
    for name, number in installed.items():
        click.echo(f"{name} {number}")
