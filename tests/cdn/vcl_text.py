"""Reads a VCL file as text: its subroutines, what stands in them, and whether they are put together properly.

Fastly's compiler is not to be had here. What this reads is the part of its dialect that our file uses.
"""

import re
from typing import NamedTuple

_TOKEN = re.compile(
    r"""(?P<macro>^\#FASTLY\ \w+$) | (?P<comment>\#[^\n]*) | (?P<blank>\s+)
      | (?P<long>\{"(?s:.*?)"\}) | (?P<short>"[^"\n]*")
      | (?P<word>[A-Za-z0-9_][\w.:-]*%?) | (?P<sign>&&|\|\||==|!=|<=|>=|!~|\+=|[-{}();,~<>!=.+])""",
    re.VERBOSE | re.MULTILINE,
)
_SIMPLE = {"set", "unset", "call", "error", "synthetic", "return", "restart", "import", "include", "new"}


class Token(NamedTuple):
    """A word, a sign, a string (as ``short`` or ``long``) or a macro, and the line that it is in."""

    kind: str
    text: str
    line: int


class Sub(NamedTuple):
    """A subroutine: its tokens without the outer braces."""

    name: str
    body: list[Token]

    def strings(self) -> list[str]:
        """Return the contents of its strings, in order."""
        return [_content(token) for token in self.body if token.kind in ("short", "long")]

    def after(self, *words: str) -> list[str]:
        """Return what follows each place where just these tokens stand."""
        texts = [token.text for token in self.body]
        width = len(words)
        return [texts[at + width] for at in range(len(texts) - width) if tuple(texts[at : at + width]) == words]


def _content(token: Token) -> str:
    return token.text[2:-2] if token.kind == "long" else token.text[1:-1]


def tokens(text: str) -> list[Token]:
    """Take a file apart. Raises `ValueError` for what is no token."""
    found, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        line = text.count("\n", 0, at) + 1
        if match is None or match.lastgroup is None:
            raise ValueError(f"line {line}: {text[at : at + 20]!r} is nothing")
        if match.lastgroup not in ("blank", "comment"):
            found.append(Token(match.lastgroup, match.group(), line))
        at = match.end()
    return found


def subs(text: str) -> dict[str, Sub]:
    """Return the subroutines of a file by name. Raises `ValueError` where one is not put together properly."""
    found, words, at = {}, tokens(text), 0
    while at < len(words):
        if words[at].text == "sub":
            end = _closing(words, at + 2)
            found[words[at + 1].text] = Sub(words[at + 1].text, words[at + 3 : end])
            _check_block(words[at + 3 : end])
            at = end
        at += 1
    return found


def _closing(words: list[Token], at: int) -> int:
    """Return where the brace or bracket at `at` is closed."""
    opening, depth = words[at].text, 0
    closing = {"{": "}", "(": ")"}[opening]
    for position in range(at, len(words)):
        depth += (words[position].text == opening) - (words[position].text == closing)
        if not depth:
            return position
    raise ValueError(f"line {words[at].line}: {opening} is not closed")


def _check_block(words: list[Token]) -> None:
    """Statements end in a semicolon; conditions stand in brackets and blocks in braces."""
    at, conditional = 0, False
    while at < len(words):
        token = words[at]
        if token.text in ("if", "elsif", "else"):
            if token.text != "if" and not conditional:
                raise ValueError(f"line {token.line}: {token.text} follows no if")
            opens = at + 1 if token.text == "else" else _closing(words, at + 1) + 1
            end = _closing(words, opens)
            _check_block(words[opens + 1 : end])
        elif token.kind == "macro":
            end = at
        elif token.text in _SIMPLE or token.text.startswith(("var.", "xkey.", "edges.", "hash_data")):
            end = next((place for place in range(at, len(words)) if words[place].text == ";"), len(words))
            inside = {word.text for word in words[at + 1 : end]}
            allowed = {"restart", "error"} if token.text == "return" else set()
            if end == len(words) or (inside - allowed) & {"if", "{", "}", *_SIMPLE}:
                raise ValueError(f"line {token.line}: {token.text} does not end in a semicolon")
        else:
            raise ValueError(f"line {token.line}: {token.text} is no statement")
        conditional = token.text in ("if", "elsif")
        at = end + 1
