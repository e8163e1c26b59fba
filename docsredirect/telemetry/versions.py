"""What is installed: the version of docsredirect and of what it stands on."""

import platform
from importlib.metadata import version as version_of

from docsredirect import __version__

_PARTS = ("aiohttp", "uvloop", "msgspec", "cachetools")


def versions() -> dict[str, str]:
    """Return the version of each part by its name."""
    found = {"docsredirect": __version__, "python": platform.python_version()}
    for part in _PARTS:
        try:
            found[part] = version_of(part)
        except ImportError:  # uvloop is not on every platform
            continue
    return found
