"""Percent-encoding: the one normal form of a path, a query or a fragment. Decides nothing about where they lead.

Source: RFC 3986, sections 2 and 3.3 to 3.5, and section 6.2.2 for the normal form. Text is never decoded further
than its unreserved characters: every open redirect and header injection known in this kind of service began
with a decoded path.
"""

import itertools
import re

_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_PCHAR = r"A-Za-z0-9\-._~!$&'()*+,;=:@"
_PATH_TOKEN = re.compile(rf"%[0-9A-Fa-f]{{2}}|[^{_PCHAR}/]")
_QUERY_TOKEN = re.compile(rf"%[0-9A-Fa-f]{{2}}|[^{_PCHAR}/?]")
_SLASHES = re.compile(r"//+")
_ESCAPED_CONTROL = re.compile(r"%[01][0-9A-Fa-f]|%7[Ff]")
_CONTROL = re.compile(rf"[\x00-\x1f\x7f]|{_ESCAPED_CONTROL.pattern}")
_DOT_SEGMENT = re.compile(r"(?:^|/|%2F|%5C)\.\.?(?=/|%2F|%5C|\Z)")


def normalise_path(path: str) -> str:
    """Return `path` with its escapes in normal form. Slashes are left alone. Never raises; twice is once.

    Unreserved characters are decoded, the hex digits of what stays escaped are upper case, and whatever may
    not stand raw in a path (``?`` and ``#`` too) is escaped, other than ASCII as UTF-8.
    """
    return _PATH_TOKEN.sub(_normalise_token, path)


def normalise_query(query: str) -> str:
    """Return a query or fragment with its escapes in normal form. Never raises; twice is once."""
    return _QUERY_TOKEN.sub(_normalise_token, query)


def collapse_slashes(path: str) -> str:
    """Return `path` with each run of slashes as one."""
    return _SLASHES.sub("/", path) if "//" in path else path


def has_control(path: str) -> bool:
    """Tell whether `path` holds an ASCII control character, raw or escaped."""
    return _CONTROL.search(path) is not None


def has_escaped_control(path: str) -> bool:
    """Tell whether `path` holds an ASCII control character as an escape."""
    return _ESCAPED_CONTROL.search(path) is not None


def has_dot_segment(path: str) -> bool:
    """Tell whether a normalised `path` holds a ``.`` or ``..`` segment, counting escaped slashes as slashes.

    Servers behind the target may decode ``%2F`` and ``%5C`` before they resolve dot segments.
    """
    return _DOT_SEGMENT.search(path) is not None


def _normalise_token(match: re.Match[str]) -> str:
    token = match.group()
    return _NORMAL.get(token) or "".join(f"%{byte:02X}" for byte in utf8(token))


def utf8(text: str) -> bytes:
    """Encode any text at all: bytes that a reader of text has smuggled in come out as they were (PEP 383)."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _normal_tokens() -> dict[str, str]:
    """Return the normal form of every escape, in any case of its digits, and of every raw ASCII character.

    Looked up, not computed: a hostile 8 KiB of characters that must be escaped costs a fifth.
    """
    tokens = {chr(code): f"%{code:02X}" for code in range(128)}
    for code in range(256):
        normal = chr(code) if chr(code) in _UNRESERVED else f"%{code:02X}"
        for high, low in itertools.product(*({digit, digit.lower()} for digit in f"{code:02X}")):
            tokens[f"%{high}{low}"] = normal
    return tokens


_NORMAL = _normal_tokens()
