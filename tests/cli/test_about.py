"""`docsredirect config`, `version`, `--help`, and what every command says to wrong use."""

import json
import platform
import re

import click
import pytest

from docsredirect import __version__
from docsredirect.cli import main
from docsredirect.domain.settings import SETTINGS
from tests.cli.commands import Cli, invoke

COMMANDS = [
    "serve", "get", "set", "delete", "list", "history", "rollback", "token", "invite", "resolve", "import", "export",
    "compare", "probe", "purge", "reconcile", "restore", "config", "version",
]  # fmt: skip


def test_config_shows_every_setting(cli: Cli) -> None:
    """Every setting is shown by its variable, with its value and its meaning, on a narrow terminal too."""
    for columns in ("80", "200"):
        done = cli("config", env={"DOCSREDIRECT_EDGE": "127.0.0.1:9", "COLUMNS": columns})
        assert all(setting.variable in done.out.decode() for setting in SETTINGS)
        assert "127.0.0.1:9" in done.out.decode()
        assert done.err == ""


def test_config_as_json(cli: Cli) -> None:
    """As JSON, each setting is an object that says where its value came from; blank means default."""
    env = {"DOCSREDIRECT_EDGE": " 127.0.0.1:9 ", "DOCSREDIRECT_HOSTS": "  ", "DOCSREDIRECT_POLL_SECONDS": "0.5"}
    rows = cli("config", "--json", env=env).json
    assert [row["variable"] for row in rows] == [setting.variable for setting in SETTINGS]
    assert all(set(row) == {"variable", "value", "source", "help"} for row in rows)
    values = {row["variable"]: (row["value"], row["source"]) for row in rows}
    assert values["DOCSREDIRECT_EDGE"] == ("127.0.0.1:9", "environment")
    assert values["DOCSREDIRECT_STORE"] == (str(cli.store), "environment")
    assert values["DOCSREDIRECT_HOSTS"] == ("", "default")
    assert values["DOCSREDIRECT_POLL_SECONDS"] == ("0.5", "environment")
    assert values["DOCSREDIRECT_STALE_AFTER"] == ("60", "default")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DOCSREDIRECT_EDGE", "[::]:8080"),
        ("DOCSREDIRECT_EDGE", "[fe80::1]:8080"),
        ("DOCSREDIRECT_STORE", "/srv/[red]x"),
        ("DOCSREDIRECT_STORE", "/srv/[/x]"),
        ("DOCSREDIRECT_STORE", "/srv/:smile:"),
        ("DOCSREDIRECT_STORE", "file:///srv/caf%C3%A9"),
        ("DOCSREDIRECT_HOSTS", "*, old.example.com"),
        ("DOCSREDIRECT_ADMIN_URL", "https://[::1]:8081/"),
        ("DOCSREDIRECT_SECURITY_TXT", r"Contact: mailto:a@example.org\nExpires: [never]"),
    ],
)
def test_config_shows_a_value_as_it_is(variable: str, value: str) -> None:
    """No value is taken for markup: what the environment says is what is shown."""
    result = invoke("config", env={variable: value})
    assert result.exception is None
    assert value in result.stdout


BAD = {
    "DOCSREDIRECT_STORE": "ftp://example.org/x",
    "DOCSREDIRECT_EDGE": "8080",
    "DOCSREDIRECT_HOSTS": "ok.example.org, no_good",
    "DOCSREDIRECT_POLL_SECONDS": "nan",
    "DOCSREDIRECT_STALE_AFTER": "soon",
    "DOCSREDIRECT_ADMIN_URL": "example.org",
    "DOCSREDIRECT_LOG_LEVEL": "LOUD",
    "DOCSREDIRECT_BROWSER_MAX_AGE": "-1",
    "DOCSREDIRECT_RETRY_AFTER": "1.5",
}


@pytest.mark.parametrize("command", [["config"], ["config", "--json"], ["export"], ["resolve", "/x"], ["serve"]])
def test_all_problems_at_once(command: list[str]) -> None:
    """All problems of the environment are told at once, each with its value and what would do, and it is exit 2."""
    result = invoke(*command, env=BAD)
    assert result.exit_code == 2
    assert result.stdout == ""
    told = result.stderr.splitlines()[1:]
    assert len(told) == len(BAD)
    for variable, value in BAD.items():
        (line,) = (line for line in told if variable in line)
        assert repr(value) in line
        assert " Give " in line, "what would be accepted"
        assert line.endswith(".")


@pytest.mark.parametrize(
    ("variable", "suggestion"),
    [
        ("DOCSREDIRECT_STROE", "DOCSREDIRECT_STORE"),
        ("DOCSREDIRECT_HOST", "DOCSREDIRECT_HOSTS"),
        ("DOCSREDIRECT_BROWSER_MAXAGE", "DOCSREDIRECT_BROWSER_MAX_AGE"),
        ("DOCSREDIRECT_", None),
        ("DOCSREDIRECT_XYZZY_PLUGH_FROTZ_GNUSTO_REZROV_BLORB", None),
    ],
)
def test_slip_is_a_warning(variable: str, suggestion: str | None) -> None:
    """A variable that begins like a setting and is none is a warning, with the one that was probably meant."""
    result = invoke("config", "--json", env={variable: "x"})
    assert result.exit_code == 0
    assert result.stderr.startswith(f"Warning: {variable} is not a setting.")
    assert suggestion is None or result.stderr.endswith(f"Did you mean {suggestion}?\n")
    assert len(json.loads(result.stdout)) == len(SETTINGS)


def test_slip_does_not_stop_a_command(cli: Cli) -> None:
    """A slip is told on standard error, and the command does its work."""
    done = cli("config", env={"DOCSREDIRECT_STROE": "x"})
    assert done.err.startswith("Warning: DOCSREDIRECT_STROE is not a setting. Did you mean DOCSREDIRECT_STORE?\n")


def test_version(cli: Cli) -> None:
    """The version command says its own version and those of what it stands on, for people and as JSON."""
    versions = cli("version", "--json").json
    assert (versions["docsredirect"], versions["python"]) == (__version__, platform.python_version())
    assert {"aiohttp", "msgspec", "cachetools"} <= set(versions)
    text = cli("version").out.decode()
    assert text == "".join(f"{name} {number}\n" for name, number in versions.items())
    assert cli("--version").out.decode() == f"docsredirect, version {__version__}\n"


def command_of(name: str) -> click.Command:
    """Return a command by its name."""
    assert isinstance(main, click.Group)
    command = main.get_command(click.Context(main), name)
    assert command is not None
    return command


def test_help_of_the_whole(cli: Cli) -> None:
    """The help lists every command with one line, and nothing else is needed to get it: no store, no settings."""
    done = cli("--help", env={"DOCSREDIRECT_STORE": "ftp://bad"})
    listed = re.findall(r"^  (\w+)  +\S", done.out.decode().partition("Commands:")[2], re.MULTILINE)
    assert listed == COMMANDS == list(main.list_commands(click.Context(main)))
    assert cli("-h").out == done.out


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command(name: str) -> None:
    """The help of every command says its use and every option, whatever the settings are."""
    result = invoke(name, "--help", env={"DOCSREDIRECT_STORE": "ftp://bad"})
    assert result.exit_code == 0
    assert result.stderr == ""
    assert result.stdout.startswith(f"Usage: docsredirect {name} [OPTIONS]")
    assert invoke(name, "-h").stdout == result.stdout
    for parameter in command_of(name).params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name
            assert all(spelling in result.stdout for spelling in parameter.opts)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_ends_in_an_example(name: str) -> None:
    """The text of every command's help ends with an example that can be typed as it stands."""
    help_text = (command_of(name).help or "").rstrip()
    last = help_text.splitlines()[-1].strip()
    assert re.match(rf"(\S+ \| )?(DOCSREDIRECT_\S+ )*docsredirect {name}\b", last), last
    assert last in invoke(name, "--help").stdout


WRONG = {
    "unknown command": ["purge-everything"],
    "command in capitals": ["Serve"],
    "unknown option": ["--no-such-option"],
    "option of another command": ["version", "--dry-run"],
    "argument too many": ["config", "extra"],
}


@pytest.mark.parametrize("words", WRONG.values(), ids=WRONG)
def test_wrong_use_is_exit_2(words: list[str]) -> None:
    """A command or an option that there is not is exit 2, and says where help is."""
    result = invoke(*words)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "--help" in result.stderr
    assert "Error: " in result.stderr


def test_unknown_command_is_exit_2_for_real(cli: Cli) -> None:
    """A command that there is not is named in one line, through a real process too."""
    done = cli("purge-everything", fails=True)
    assert done.status == 2
    assert "'purge-everything'" in done.err
