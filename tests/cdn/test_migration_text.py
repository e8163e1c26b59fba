"""What deploy/MIGRATION.md names is there: commands and their options, settings, metrics, codes, files, steps."""

import re
import shlex
from pathlib import Path

import click
import pytest

from docsredirect.cli import main
from docsredirect.domain.settings import SETTINGS
from docsredirect.telemetry.metrics import Metrics
from tests.bench.__main__ import BENCHMARKS
from tests.cdn import document
from tests.domain.test_fault_codes import codes_in_source

IN_BLOCKS = [words for block in document.blocks(document.TEXT) for words in document.commands(block)]
IN_SENTENCES = [shlex.split(text)[1:] for text in document.mentioned()]
OF_LINES = {"conflict", "malformed", "line-too-long"}
"""Codes that reading lines adds to those of records."""

OF_ROWS = {"missing", "type", "unknown-field"}


def options_of(words: list[str]) -> tuple[click.Command, dict[str, object]]:
    """Return the command that some words are, and what they set. Raises `click.UsageError` for what does not exist."""
    name, *arguments = words
    # With the settings of the whole: a command keeps the help option of the first context that it is used in.
    whole = click.Context(main, **main.context_settings)
    command = main.get_command(whole, name)
    assert command is not None, f"there is no docsredirect {name}"
    given, left, _ = command.make_parser(click.Context(command, parent=whole)).parse_args(arguments)
    assert not left, f"too many words: {left}"
    return command, given


@pytest.mark.parametrize("words", IN_BLOCKS, ids=" ".join)
def test_a_command_line_is_one(words: list[str]) -> None:
    """The command exists, with these options, and nothing that it needs is missing."""
    command, given = options_of(words)
    missing = [each.name for each in command.params if each.required and given.get(each.name or "") is None]
    assert missing == []


@pytest.mark.parametrize("words", IN_SENTENCES, ids=" ".join)
def test_a_command_in_a_sentence_exists(words: list[str]) -> None:
    """With its options. What it needs else may be left out there."""
    options_of(words)


def test_there_are_commands() -> None:
    """None of them is overlooked: every line of a block that names the program is one, and each step has some."""
    named = [line for block in document.blocks(document.TEXT) for line in block.splitlines()]
    assert len(IN_BLOCKS) == sum(bool(re.search(r"(?:^|[|&*] )docsredirect ", line)) for line in named) > 8
    assert {words[0] for words in IN_BLOCKS} == {"import", "compare", "probe", "export"}
    assert len(IN_SENTENCES) > 2


def test_a_misspelled_option_would_be_found() -> None:
    """The check is worth something."""
    with pytest.raises(click.UsageError):
        options_of(["probe", "--url", "http://localhost", "--samples", "3"])


def test_settings_and_metrics_exist() -> None:
    """An operator who sets or watches what does not exist is told nothing."""
    settings = {setting.variable for setting in SETTINGS}
    assert set(re.findall(r"DOCSREDIRECT_[A-Z_]+", document.TEXT)) <= settings
    metrics = {family.name + ("_total" if family.type == "counter" else "") for family in Metrics().registry.collect()}
    named = set(re.findall(r"docsredirect_\w+", document.TEXT))
    assert {"docsredirect_mirrorings_total", "docsredirect_mirror_lost"} <= named <= metrics
    assert set(re.findall(r"make bench ARGS=(\w+)", document.TEXT)) <= set(BENCHMARKS)


def test_every_code_of_a_line_is_explained() -> None:
    """All that can be wrong with a line of a redirects.txt, and nothing else."""
    of_records = {code for code in codes_in_source() if re.match(r"(?:url|base|name)\b", code)}
    assert document.codes() == of_records | OF_ROWS | OF_LINES


def test_files_and_steps_exist() -> None:
    """Links lead somewhere, and so do the names of files."""
    links = re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", document.TEXT)
    for file, anchor in links:
        text = (document.FOLDER / file).read_text(encoding="utf-8") if file else document.TEXT
        headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
        assert anchor in {re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in headings}
    named = re.findall(r"`((?:s3|fastly|varnish|kubernetes|tests)/[\w./-]*)`", document.TEXT)
    roots = (document.FOLDER, document.FOLDER.parent)
    assert [name for name in named if not any((Path(root) / name).exists() for root in roots)] == []
    assert len(links) > 5
    assert len(named) > 5
