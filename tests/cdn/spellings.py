"""Legacy URLs in other spellings: those that must get the same answer, and those that only look alike."""

import random
import re
from typing import NamedTuple
from urllib.parse import urlsplit

from docsredirect.domain.hosts import OWN_HOSTS

SCHEMES = ("http", "https")
_SEPARATORS = ("-", "_", ".", "--", "-_.")
_PROSE = (".", ",", ";", ":", "!", ")", "]", "}", ">", "'", '"', "%2C", "%3b", "%29", "%5D", "%7d", "%3E", "%27", "%22")
_NAMES = (
    "six",
    "zope.interface",
    "robots.txt",
    "sitemap.xml",
    "favicon.ico",
    "packages",
    "-",
    "unknown",
    ".well-known",
)
_NO_NAMES = (
    "",
    ".",
    "..",
    "%2e%2E",
    "%2F",
    "a%2Fb",
    "%",
    "six%4",
    "six%zz",
    "a" * 129,
    "zope" + "-" * 120 + "interface",
    "_six",
    "six~",
    "%00",
    "six%0d%0a",
)
_RESTS = ("", "/", "/a", "/A", "/a/", "/a/index.html", "/a.html", "/a%2e.html", "/a/%2e%2e/b", "/./b", "/a%2Fb", "/~x",
          "/%7Ex", "/a|b", "/%41", "/gone", "/a:b", "/a;b", "/x.", "/x)", "/security.txt", "/health/ready")  # fmt: skip
_QUERIES = ("", "?", "?a", "?A", "?a=%41", "?a=A", "?part=1", "?a?b", "??", "?/x", "?a|b")
_FRAGMENTS = ("", "", "", "#", "#x", "#x?y")
_HOSTS = (*OWN_HOSTS, "PythonHosted.ORG", "pythonhosted.org:80", "www.pythonhosted.org.", "pythonhosted.org:",
          "pythonhosted.org:99999", "pythonhosted.org..", "legacy.example.org", "elsewhere.example.org")  # fmt: skip


class Asked(NamedTuple):
    """What goes over the wire: the ``Host``, and the target of the request line."""

    scheme: str
    host: str
    target: str


def as_written(url: str) -> Asked:
    """Return what a client sends for `url`."""
    scheme, host, *_ = urlsplit(url)
    target = url.removeprefix(f"{scheme}://{host}").partition("#")[0]
    return Asked(scheme, host, target if target.startswith("/") else "/" + target)


def respelled(url: str, dice: random.Random) -> Asked:
    """Return `url` in a spelling that people use, or may, for the same page: it gets the same answer."""
    path, mark, query = as_written(url).target.partition("?")
    _, slashes, name, rest = re.split(r"^(/+)([^/]*)", path) if path.strip("/") else ("", path, "", "")
    if name and name[0].isalnum() and name[-1].isalnum():
        name = _respelled_name(name, dice)
    if rest in ("", "/"):
        rest = dice.choice(("", "/"))
        if not rest and dice.random() < 0.2:
            name += dice.choice(_PROSE)
    else:
        rest = dice.choice((rest, rest, rest.replace("/", "//")))
    slashes = dice.choice(("/", "/", "//", slashes))
    return Asked(dice.choice(SCHEMES), dice.choice(OWN_HOSTS), slashes + name + rest + (mark and mark + query))


def strange(dice: random.Random) -> Asked:
    """Return a URL put together from what cache keys, names and paths stumble over."""
    name = dice.choice(_NO_NAMES) if dice.random() < 0.3 else _respelled_name(dice.choice(_NAMES), dice)
    parts = (
        dice.choice(("/", "/", "//", "///")),
        dice.choice(_NAMES) if dice.random() < 0.4 else name,
        dice.choice(_PROSE) if dice.random() < 0.2 else "",
        dice.choice(("", "", "/")),
        dice.choice(_RESTS),
        dice.choice(_QUERIES),
        dice.choice(_FRAGMENTS),
    )
    return Asked("http", dice.choice(_HOSTS), "".join(parts))


def _respelled_name(name: str, dice: random.Random) -> str:
    spelled = re.sub(r"[-_.]+", lambda _: dice.choice(_SEPARATORS), name)
    return "".join(_respelled_character(character, dice) for character in spelled)


def _respelled_character(character: str, dice: random.Random) -> str:
    if dice.random() < 0.1:
        return dice.choice(("%{:02X}", "%{:02x}")).format(ord(character))
    return character.upper() if dice.random() < 0.3 else character
