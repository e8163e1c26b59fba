"""Which admin side the command line speaks to, and with which token. Sends nothing."""

from ipaddress import ip_address
from typing import NamedTuple

from yarl import URL

from docsredirect.cli import terminal
from docsredirect.cli.bootstrap import existing_admin_token
from docsredirect.cli.terminal import WrongUse
from docsredirect.domain.settings import SETTINGS, Loaded, Settings

_URL, _TOKEN = "DOCSREDIRECT_URL", "DOCSREDIRECT_TOKEN"
_parse_url = next(setting.parse for setting in SETTINGS if setting.variable == _URL)

_NO_TOKEN = f"""\
There is no token to show to {{url}}.
Set {_TOKEN} to the one you were given, and {_URL} to the address that came with it. Administrators make tokens with
`docsredirect token create`."""


class Server(NamedTuple):
    """An admin side, and the token that is shown there."""

    url: URL
    token: str

    def __repr__(self) -> str:
        return f"Server({str(self.url)!r})"


def find_server(url: str | None = None, loaded: Loaded | None = None) -> Server:
    """Return the admin side of the settings, or that at `url`, an argument of the user. `loaded` are the settings,
    where they have been read already.

    Where neither a token nor an address is set, the token is the one in the folder of the store on this machine.
    Raises `WrongUse` where an address or a token is missing or unfit: a token goes over plain http to this machine
    only.
    """
    loaded = loaded or terminal.load_settings()
    address = _checked(loaded.settings.url, _URL) if url is None else _given(url)
    token = loaded.settings.token
    if token is None and url is None and not loaded.sources[_URL].given:
        token = _token_of_this_machine(loaded)
    if token is None:
        raise WrongUse(_NO_TOKEN.format(url=address))
    if not (token.isascii() and token.isprintable() and " " not in token):
        raise WrongUse(f"{_TOKEN} holds a blank or a character that no token has. Copy it again, whole.")
    return Server(address, token)


def _given(url: str) -> URL:
    try:
        return _checked(_parse_url(url), "--url")
    except ValueError as error:
        raise WrongUse(f"--url is {url!r}. {error}") from error


def _checked(text: str, name: str) -> URL:
    try:
        url = URL(text)
    except ValueError as error:
        raise WrongUse(f"{name} is no URL. {error}.") from error
    if url.user is not None or url.password is not None:
        raise WrongUse(f"{name} holds a user or a password. Leave them out: the token says who you are.")
    if not url.host:
        raise WrongUse(f"{name} is {text!r}. It names no host.")
    if url.scheme == "http" and not _is_this_machine(url.host):
        raise WrongUse(
            f"{name} is {text!r}. Over plain http, whoever is in between could read the token, so it is sent so to "
            "this machine only. Give an https URL."
        )
    return url


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _token_of_this_machine(loaded: Loaded) -> str | None:
    settings: Settings = loaded.settings
    if settings.store.startswith("s3://"):
        return None
    try:
        return existing_admin_token(settings)
    except OSError as error:
        raise WrongUse(f"The token in {settings.store} cannot be read: {error.strerror}. Set {_TOKEN}.") from error
