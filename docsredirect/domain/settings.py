"""The settings: what the environment may say, what each means, and what it is when nothing is said.

All problems are reported at once. A variable that begins like one of ours and is none is a warning, with the name
that was probably meant.
"""

import difflib
import re
from collections.abc import Callable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, NamedTuple

import msgspec

from docsredirect.domain.errors import InvalidSettings
from docsredirect.domain.hosts import HostRules

PREFIX = "DOCSREDIRECT_"

MASK = "********"
"""What is shown of a secret."""

MIN_SECRET = 32
"""The shortest secret in characters: too many to guess, if they are random."""

MAX_EDGES = 100
"""The most edges that are asked how they are."""

MAX_PURGED_SECONDS = 86_400
"""The longest that a CDN may keep an answer fresh: published tables are kept for as long, and tell what is to be purged
after an interruption."""

FASTLY, CLOUDFLARE, VARNISH = "fastly", "cloudflare", "varnish"

Network = IPv4Network | IPv6Network

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?\.?")
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):([0-9]{1,5})")
_S3_URL = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:/[A-Za-z0-9][A-Za-z0-9._-]*)*/?")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_FILE = re.compile(r"[^\x00]*[^/]/[A-Za-z0-9][A-Za-z0-9._-]*|/?[A-Za-z0-9][A-Za-z0-9._-]*")
_VISIBLE = re.compile(r"[!-~]+")
_LOG_LEVELS = ("debug", "info", "warning", "error")


class Address(msgspec.Struct, frozen=True):
    """Where a listener listens. Port 0 takes any that is free."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Lifetimes(msgspec.Struct, frozen=True):
    """How long answers may be kept, in seconds: by browsers, and by the CDN in front."""

    browser: int
    browser_temporary: int
    browser_absent: int
    browser_stale: int
    cdn: int
    cdn_purged: int
    cdn_absent: int
    cdn_absent_stale: int
    cdn_stale_if_error: int
    cdn_absent_stale_if_error: int
    pages: int


class Purge(msgspec.Struct, frozen=True):
    """Which CDN is purged: its kind, and what it calls our service (Fastly), our zone (Cloudflare), or where each
    instance is (Varnish)."""

    kind: str
    places: tuple[str, ...]


class Settings(msgspec.Struct, frozen=True):
    """Everything that the environment decides."""

    store: str
    state_dir: str | None
    edge: Address
    admin: Address
    ops: Address
    hosts: tuple[str, ...]
    deny_file: str | None
    workers: int
    poll_seconds: float
    stale_after: float
    keep_alive_seconds: float
    shutdown_seconds: float
    retry_after: int
    admin_url: str | None
    admin_token: str | None
    secret: str | None
    index_url: str | None
    trusted_proxies: tuple[Network, ...]
    edges: tuple[str, ...]
    purge: Purge | None
    purge_token: str | None
    purge_api: str | None
    cdn_secret: tuple[str, ...]
    mirror: str | None
    reconcile_seconds: float
    url: str
    token: str | None
    security_txt: str | None
    log_level: str
    lifetimes: Lifetimes

    @property
    def admin_base(self) -> str | None:
        """The public address of the admin side, without a slash at its end; None where none is set."""
        url = self.admin_url
        return None if url is None or url.lower().startswith("mailto:") else url.rstrip("/")

    @property
    def host_rules(self) -> HostRules:
        """The hosts that are ours."""
        return HostRules.of(self.hosts)


class Setting(NamedTuple):
    """One variable: its field in `Settings` (or ``lifetimes.…``), its default as text, and what it means."""

    field: str
    default: str
    help: str
    parse: Callable[[str], Any]
    secret: bool = False
    """Whether its value is shown to nobody."""

    @property
    def variable(self) -> str:
        """The environment variable."""
        group, _, field = self.field.rpartition(".")
        return PREFIX + field.upper() + ("_MAX_AGE" if group else "")


class Source(NamedTuple):
    """The text of a setting, and whether the environment says it."""

    text: str
    given: bool


class Loaded(NamedTuple):
    """The settings, what each came from (by variable), and what looks like a slip."""

    settings: Settings
    sources: dict[str, Source]
    warnings: list[str]


def _store(text: str) -> str:
    if "://" not in text or _S3_URL.fullmatch(text):
        return text
    if not text.startswith("file:///") or "%00" in text:
        raise ValueError("Give s3://bucket/prefix, file:///path, or the path of a folder.")
    return text


def _path(text: str) -> str | None:
    return text or None


def _address(text: str) -> Address:
    match = _ADDRESS.fullmatch(text)
    if match is None or int(match.group(2)) > 65_535:
        raise ValueError("Give host:port, such as 127.0.0.1:8080 or [::]:8080.")
    return Address(match.group(1).strip("[]"), int(match.group(2)))


def _networks(text: str) -> tuple[Network, ...]:
    networks = []
    for part in text.replace(",", " ").split():
        try:
            networks.append(ip_network(part))
        except ValueError as error:
            raise ValueError(f"{part!r} is no IP address or network. Give some separated by commas.") from error
    return tuple(networks)


def _secret(text: str) -> str | None:
    if text and (len(text) < MIN_SECRET or not _VISIBLE.fullmatch(text)):
        raise ValueError(f"Give at least {MIN_SECRET} visible ASCII characters.")
    return text or None


def _token(text: str) -> str | None:
    if text and not _VISIBLE.fullmatch(text):
        raise ValueError("Give visible ASCII characters.")
    return text or None


def _secrets(text: str) -> tuple[str, ...]:
    secrets = tuple(text.replace(",", " ").split())
    if any(len(secret) < MIN_SECRET or not _VISIBLE.fullmatch(secret) for secret in secrets):
        raise ValueError(f"Give at least {MIN_SECRET} visible ASCII characters; more than one separated by commas.")
    return secrets


def _base_url(text: str) -> str:
    url = _url(text)
    if url is None or url.lower().startswith("mailto:") or "?" in url or "#" in url:
        raise ValueError("Give an absolute http(s) URL without ? and #.")
    return url.rstrip("/")


def _base_urls(text: str) -> tuple[str, ...]:
    urls = dict.fromkeys(text.replace(",", " ").split())
    if len(urls) > MAX_EDGES:
        raise ValueError(f"These are {len(urls)} addresses. Give at most {MAX_EDGES}.")
    try:
        return tuple(map(_base_url, urls))
    except ValueError as error:
        raise ValueError("Give absolute http(s) URLs without ? and #, separated by commas.") from error


def _purge(text: str) -> Purge | None:
    if not text:
        return None
    kind, _, place = text.partition(":")
    if kind in (FASTLY, CLOUDFLARE) and _ID.fullmatch(place):
        return Purge(kind, (place,))
    if kind == VARNISH and (urls := _base_urls(place)):
        return Purge(kind, urls)
    raise ValueError("Give fastly:SERVICE_ID, cloudflare:ZONE_ID, or varnish: and the URL of each instance.")


def _mirror(text: str) -> str | None:
    if not text:
        return None
    known = "://" not in text or text.startswith("file:///") or _S3_URL.fullmatch(text)
    if not known or not _FILE.fullmatch(text):
        raise ValueError("Give s3://bucket/prefix/redirects.txt, file:///path/redirects.txt, or the path of a file.")
    return text


def _hosts(text: str) -> tuple[str, ...]:
    hosts = tuple(text.replace(",", " ").split())
    for host in hosts:
        if host != "*" and not _HOST.fullmatch(host):
            raise ValueError(f"{host!r} is not a host name. Give names separated by commas, or * for any.")
    return hosts


def _between(low: float, high: float, number: Callable[[str], float]) -> Callable[[str], Any]:
    def parse(text: str) -> float:
        try:
            value = number(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            raise ValueError(f"Give a number from {low:g} to {high:g}.")
        return value

    return parse


_seconds = _between(0, 31_536_000, int)


def _url(text: str) -> str | None:
    if not text:
        return None
    if not re.fullmatch(r"(https?://|mailto:)[!#-;=?-\[\]_a-z~]+", text, re.IGNORECASE):
        raise ValueError("Give an absolute http(s) URL, or mailto: and an address.")
    return text


def _index(text: str) -> str | None:
    return _base_url(text) if text else None


def _level(text: str) -> str:
    if text not in _LOG_LEVELS:
        raise ValueError(f"Give one of {', '.join(_LOG_LEVELS)}.")
    return text


def _text(text: str) -> str | None:
    return text.replace("\\n", "\n").rstrip("\n") + "\n" if text else None


SETTINGS: tuple[Setting, ...] = (
    Setting("store", "./docsredirect-data", "Where targets are kept: s3://bucket/prefix, file:///path, or a folder.",
            _store),
    Setting("state_dir", "", "Where an edge keeps its last good table. On S3: $XDG_STATE_HOME/docsredirect.", _path),
    Setting("edge", "0.0.0.0:8080", "Where legacy URLs are answered, as host:port.", _address),
    Setting("admin", "127.0.0.1:8081", "Where maintainers set targets, as host:port.", _address),
    Setting("ops", "127.0.0.1:9090", "Where metrics and the status are read, as host:port.", _address),
    Setting("hosts", "", "More hosts that are ours, separated by commas; * answers for any.", _hosts),
    Setting("deny_file", "", "File of projects, one a line, that answer 410 at once; re-read on change.", _path),
    Setting("workers", "1", "Processes that share the edge's port.", _between(1, 256, int)),
    Setting("poll_seconds", "2", "Seconds between two looks for a new table (±20 %).", _between(0.05, 3_600, float)),
    Setting("stale_after", "60", "Seconds without a successful poll until answers count as stale.",
            _between(1, 604_800, float)),
    Setting("keep_alive_seconds", "75", "Seconds that an idle connection, or half a request, may stay.",
            _between(1, 3_600, float)),
    Setting("shutdown_seconds", "6", "Seconds that requests in flight have to finish on SIGTERM.",
            _between(0, 600, float)),
    Setting("retry_after", "30", "Retry-After of 503, in seconds.", _seconds),
    Setting("admin_url", "", "Public address of the admin side, whose host it answers; or mailto: for pages.", _url),
    Setting("admin_token", "", "A token of at least 32 characters that may do everything.", _secret,
            secret=True),
    Setting("secret", "", "What signs the sessions of the pages, of 32 characters or more. None: a new one each start.",
            _secret, secret=True),
    Setting("index_url", "", "Address of the package index, for links to a project's page there. None: none.", _index),
    Setting("trusted_proxies", "", "Networks whose X-Forwarded-For the admin side believes, separated by commas.",
            _networks),
    Setting("edges", "", "Ops addresses of edges elsewhere, as URLs separated by commas: for the overview, and for "
            "purging.", _base_urls),
    Setting("purge", "", "The CDN that changes are purged from: fastly:SERVICE_ID, cloudflare:ZONE_ID, varnish:URL,…",
            _purge),
    Setting("purge_token", "", "The token that the CDN asks for when it is purged.", _token, secret=True),
    Setting("purge_api", "", "Address of the CDN's API, where it is not the usual one.", _index),
    Setting("cdn_secret", "", "What the CDN shows the edge in X-CDN-Secret; several, separated by commas, while it is "
            "changed. None: the edge answers anybody.", _secrets, secret=True),
    Setting("mirror", "", "A redirects.txt of the old service that each publication rewrites: s3://…/redirects.txt, "
            "file:///…, or a path.", _mirror),
    Setting("reconcile_seconds", "300", "Seconds between two looks for what was committed and not published.",
            _between(1, 86_400, float)),
    Setting("url", "http://127.0.0.1:8081", "The admin side that the command line speaks to.", _base_url),
    Setting("token", "", "The token that the command line shows there.", _path, secret=True),
    Setting("security_txt", "", "What /.well-known/security.txt says; \\n is a new line. None: 404.", _text),
    Setting("log_level", "info", "Least level that is logged: debug, info, warning or error.", _level),
    Setting("lifetimes.browser", "3600", "Browser lifetime of 301, 308 and 410.", _seconds),
    Setting("lifetimes.browser_temporary", "300", "Browser lifetime of 302 and 307.", _seconds),
    Setting("lifetimes.browser_absent", "60", "Browser lifetime of 404.", _seconds),
    Setting("lifetimes.browser_stale", "60", "Browser lifetime of any answer while the table is stale.", _seconds),
    Setting("lifetimes.cdn", "300", "CDN lifetime of redirects and 410 without a working purger.", _seconds),
    Setting("lifetimes.cdn_purged", "86400", "The same while the CDN is purged on change.",
            _between(0, MAX_PURGED_SECONDS, int)),
    Setting("lifetimes.cdn_absent", "300", "CDN lifetime of 404.", _seconds),
    Setting("lifetimes.cdn_absent_stale", "30", "CDN lifetime of 404 while the table is stale.", _seconds),
    Setting("lifetimes.cdn_stale_if_error", "604800", "How long the CDN may serve redirects and 410 stale.", _seconds),
    Setting("lifetimes.cdn_absent_stale_if_error", "86400", "How long the CDN may serve 404 stale.", _seconds),
    Setting("lifetimes.pages", "3600", "Lifetime of robots.txt, the sitemap and the front page.", _seconds),
)  # fmt: skip


def load(environ: Mapping[str, str]) -> Loaded:
    """Read the settings from `environ`. Raises `InvalidSettings` with all problems at once."""
    values: dict[str, Any] = {}
    lifetimes: dict[str, Any] = {}
    sources: dict[str, Source] = {}
    problems: list[str] = []
    for setting in SETTINGS:
        given = environ.get(setting.variable, "").strip()
        text = given or setting.default
        sources[setting.variable] = Source(text, bool(given))
        group, _, field = setting.field.rpartition(".")
        try:
            (lifetimes if group else values)[field] = setting.parse(text)
        except ValueError as error:
            shown = MASK if setting.secret else repr(text)
            problems.append(f"{setting.variable} is {shown}. {error}")
    if values.get("purge") is not None and not values.get("purge_token"):
        problems.append(f"{PREFIX}PURGE needs {PREFIX}PURGE_TOKEN: the token that the CDN asks for.")
    # A folder needs no second one beside it: who removes it means to begin anew, and an edge must not hold him up.
    if not problems and values["state_dir"] is None and values["store"].startswith("s3://"):
        values["state_dir"] = _default_state_dir(environ)
    if problems:
        raise InvalidSettings([*problems, *_slips(environ)])
    return Loaded(Settings(**values, lifetimes=Lifetimes(**lifetimes)), sources, _slips(environ))


def _default_state_dir(environ: Mapping[str, str]) -> str | None:
    """Return where a user's programs keep their state (XDG base directories, version 0.8), or None for nobody's."""
    base = environ.get("XDG_STATE_HOME", "").strip()
    if not base and (home := environ.get("HOME", "").strip()):
        base = f"{home}/.local/state"
    return f"{base}/docsredirect" if base else None


def _slips(environ: Mapping[str, str]) -> list[str]:
    known = [setting.variable for setting in SETTINGS]
    warnings = []
    for variable in sorted(environ):
        if variable.startswith(PREFIX) and variable not in known:
            near = difflib.get_close_matches(variable, known, 1)
            meant = f" Did you mean {near[0]}?" if near else ""
            warnings.append(f"{variable} is not a setting.{meant}")
    return warnings
