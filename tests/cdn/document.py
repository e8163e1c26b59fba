"""deploy/MIGRATION.md as tests read it: its sections, its blocks of code, and the commands in them."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

FOLDER = Path(__file__).parents[2] / "deploy"
TEXT = (FOLDER / "MIGRATION.md").read_text(encoding="utf-8")

_OPERATOR = re.compile(r"[|&;<>()]+")
_TIMES = re.compile(r"^(?:[*/0-9]+ ){5}")
_COMMAND = "docsredirect"


def sections() -> dict[str, str]:
    """Return the text below each heading; what stands before the first is below ``""``."""
    parts = re.split(r"^## (.+)\n", TEXT, flags=re.MULTILINE)
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


def blocks(text: str) -> list[str]:
    """Return the blocks of code in a text, without their indentation."""
    return [dedent(each) for each in re.findall(r"(?:^ {4,}\S.*\n)+", text, re.MULTILINE)]


def block(section: str, containing: str) -> str:
    """Return the one block of a section that holds a text."""
    (found,) = {each for each in blocks(sections()[section]) if containing in each}
    return found


def inline(section: str, code: str) -> str:
    """Return a command that stands in the text of a section as it is given."""
    assert f"`{code}`" in sections()[section], f"{section} does not say `{code}`"
    return code


def codes() -> set[str]:
    """Return the codes of faults that the table of lines that cannot go in explains."""
    rows = re.findall(r"^\| (`[a-z`, -]+`) \| [^|]+ \| [^|]+ \|$", sections()["0. Before"], re.MULTILINE)
    return {code for row in rows for code in re.findall(r"[a-z-]+", row)}


def commands(text: str) -> Iterator[list[str]]:
    """Return the words of each command line of ours in some lines of a shell, or of a crontab."""
    for line in text.splitlines():
        lexer = shlex.shlex(_TIMES.sub("", line), posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        command: list[str] = []
        for word in (*lexer, ";"):
            if not _OPERATOR.fullmatch(word):
                command.append(word)
                continue
            if command[:1] == [_COMMAND]:
                yield command[1:]
            command = []


def mentioned() -> list[str]:
    """Return each command line of ours that stands in the text between backticks."""
    return re.findall(rf"`({_COMMAND} [^`]+)`", TEXT)
