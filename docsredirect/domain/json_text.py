"""JSON text as the outside sends it: strict where Python's reader is not. Knows nothing of what the text means."""

import json
import math
from typing import Any

from docsredirect.domain.errors import MalformedText, shorten


def loads(text: bytes) -> Any:
    """Decode UTF-8 JSON (RFC 8259), with or without a byte order mark.

    Raises `MalformedText` for anything that is not JSON, for duplicate keys, for ``NaN`` and the like, for lone
    surrogates, and for nesting or numbers beyond reason.
    """
    try:
        decoded = text.decode("utf-8-sig")
        value = json.loads(decoded, object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_finite)
        if "\\u" in decoded:  # the only way in which half of a surrogate pair can come in
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeDecodeError as error:
        raise MalformedText(f"Not UTF-8: byte {error.start} cannot be decoded.") from error
    except UnicodeEncodeError as error:
        raise MalformedText("A text holds half of a surrogate pair, which is no character.") from error
    except json.JSONDecodeError as error:
        raise MalformedText(f"Not JSON: {error.msg} at line {error.lineno}, column {error.colno}.") from error
    except RecursionError as error:
        raise MalformedText("Nested too deeply.") from error
    except ValueError as error:
        raise MalformedText(f"Not JSON that can be used: {error}.") from error
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        keys = [key for key, _ in pairs]
        repeated = sorted({key for key in keys if keys.count(key) > 1}) if len(keys) < 100 else []
        named = f" ({shorten(', '.join(repeated))})" if repeated else ""
        raise MalformedText(f"An object has a key twice{named}. Keep one.")
    return value


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise MalformedText(f"{shorten(digits)} is a number beyond reason.")
    return number


def _refuse_constant(constant: str) -> Any:
    raise MalformedText(f"{constant} is not JSON.")
