"""The command line. Each command is a module that is loaded when it is asked for: `resolve` starts without a server.

Data goes to standard output and words to standard error. Exit 0; 1 for a failure; 2 for wrong use.
"""

import importlib
from typing import Any

import click

from docsredirect import __version__
from docsredirect.cli import terminal

_COMMANDS = {
    "serve": "docsredirect.cli.serve:serve",
    "get": "docsredirect.cli.projects:get",
    "set": "docsredirect.cli.changes:set_",
    "delete": "docsredirect.cli.changes:delete",
    "list": "docsredirect.cli.projects:list_",
    "history": "docsredirect.cli.projects:history",
    "rollback": "docsredirect.cli.changes:rollback",
    "token": "docsredirect.cli.access:token",
    "invite": "docsredirect.cli.access:invite",
    "resolve": "docsredirect.cli.resolve:resolve",
    "import": "docsredirect.cli.imports:import_",
    "export": "docsredirect.cli.exports:export",
    "compare": "docsredirect.cli.compare:compare",
    "probe": "docsredirect.cli.probe:probe",
    "purge": "docsredirect.cli.purge:purge",
    "reconcile": "docsredirect.cli.repairs:reconcile",
    "restore": "docsredirect.cli.repairs:restore",
    "config": "docsredirect.cli.about:config",
    "version": "docsredirect.cli.about:version",
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        path = _COMMANDS.get(cmd_name)
        if path is None:
            return None
        module, _, name = path.partition(":")
        command: Any = getattr(importlib.import_module(module), name)
        return command if isinstance(command, click.Command) else None


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="docsredirect")
def main() -> None:
    """Answer legacy documentation URLs with a redirect to where each project's documentation lives now.

    The settings are environment variables, DOCSREDIRECT_…; `docsredirect config` shows them all.
    """
    terminal.set_up_logging("warning")
