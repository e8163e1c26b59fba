"""One request and its answer over HTTP, bounded in time and size, and words for what goes wrong with them. Knows
nothing of what is asked, and repeats nothing.
"""

import os
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

import aiohttp
import click
import msgspec
from yarl import URL

from docsredirect.cli.refusals import problem_of
from docsredirect.cli.terminal import printable
from docsredirect.domain.errors import shorten

JSON = "application/json"

MAX_BODY = 64 * 1024 * 1024
"""The largest answer in bytes that is read into memory."""

_LOOK = "Look whether it runs, and whether DOCSREDIRECT_URL is its address"
_NEXT = re.compile(r'<([^>]*)>\s*;\s*rel="?next"?')
_SECONDS = re.compile(r"[0-9]{1,9}")

T = TypeVar("T")


class NotOurs(click.ClickException):
    """Something answered that does not speak this API."""

    def __init__(self, url: URL, what: str) -> None:
        super().__init__(
            f"{url.origin()} {printable(what)}, which the admin side of docsredirect does not. Look whether "
            "DOCSREDIRECT_URL is its address."
        )


class NoAnswer(click.ClickException):
    """Nobody answered, or not to the end. `sent`: the request may have arrived; `again`: the next one may do better."""

    def __init__(self, url: URL, why: str, *, sent: bool, again: bool) -> None:
        super().__init__(f"{url.origin()} {printable(why)}.")
        self.sent = sent
        self.again = again


class Answer(NamedTuple):
    """An answer: where from, its status, its headers, and its body."""

    url: URL
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def media(self) -> str:
        """Its content type without parameters."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    @property
    def etag(self) -> str | None:
        """The `ETag`, in quotes."""
        return self.headers.get("ETag")

    @property
    def retry_after(self) -> float | None:
        """In how many seconds it may be asked again, if it says so in seconds (RFC 9110, section 10.2.3)."""
        text = self.headers.get("Retry-After", "").strip()
        return float(text) if _SECONDS.fullmatch(text) else None

    def read(self, kind: type[T]) -> T:
        """Return the body as `kind`. Raises `NotOurs` where it is something else."""
        if self.media != JSON:
            raise self.not_ours()
        return self.read_part(self.body, kind)

    def read_part(self, text: bytes | msgspec.Raw, kind: type[T]) -> T:
        """Return a part of the body, as it came, as `kind`. Raises `NotOurs` where it is something else."""
        try:
            return msgspec.json.decode(text, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise NotOurs(self.url, f"sent JSON that is something else ({error})") from error

    def next_cursor(self) -> str | None:
        """Return where the next page of a list begins (RFC 8288), or None. The link itself is not followed."""
        match = _NEXT.search(self.headers.get("Link", ""))
        try:
            return None if match is None else URL(match.group(1)).query.get("cursor")
        except ValueError:
            return None

    def checked(self) -> "Answer":
        """Return the answer where it says that all is well. Raises `Problem` where it tells of one, and `NotOurs`."""
        if 200 <= self.status < 300:
            return self
        if problem := problem_of(self.body, self.media, self.etag, self.retry_after):
            raise problem
        if 300 <= self.status < 400:
            to = shorten(self.headers.get("Location", ""))
            raise NotOurs(self.url, f"sent this on to {to}, where no token is taken,")
        raise self.not_ours()

    def not_ours(self) -> NotOurs:
        """Return an error that says what this is instead of one of our answers."""
        return NotOurs(self.url, f"answered {self.status} with {shorten(self.media) if self.media else 'nothing'}")


async def receive(response: aiohttp.ClientResponse) -> Answer:
    """Return a whole answer and let its connection go. Raises `NoAnswer`, and `NotOurs` where it has no end."""
    body = bytearray()
    async with response:
        if "Content-Encoding" in response.headers:
            raise NotOurs(response.url, "sent what was not asked for, a compressed answer,")
        with told(response.url):
            async for piece in response.content.iter_any():
                body += piece
                if len(body) > MAX_BODY:
                    raise NotOurs(response.url, f"sent more than {MAX_BODY >> 20} MiB")
        return Answer(response.url, response.status, response.headers, bytes(body))


@contextmanager
def told(url: URL) -> Iterator[None]:
    """Turn what the HTTP library raises into `NoAnswer`. Its own words are not shown: some repeat what was sent."""
    try:
        yield
    except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError) as error:
        raise NoAnswer(url, f"cannot be trusted: {_tls(error)}", sent=False, again=False) from None
    except aiohttp.ClientConnectorError as error:
        is_name = isinstance(error.os_error, socket.gaierror)
        raise NoAnswer(
            url, f"cannot be reached: {_reason(error.os_error)}. {_LOOK}", sent=False, again=not is_name
        ) from None
    except aiohttp.ConnectionTimeoutError:
        raise NoAnswer(url, f"cannot be reached: no connection in time. {_LOOK}", sent=False, again=True) from None
    except TimeoutError:
        raise NoAnswer(url, "did not answer in time", sent=True, again=False) from None
    except aiohttp.ClientResponseError:
        raise NotOurs(url, "answered with what is no HTTP") from None
    except aiohttp.ClientPayloadError:
        raise NoAnswer(url, "broke off in the middle of its answer", sent=True, again=True) from None
    except (aiohttp.ClientError, OSError):
        raise NoAnswer(url, "closed the connection without an answer", sent=True, again=True) from None


def _tls(error: aiohttp.ClientConnectorError | aiohttp.ClientConnectorCertificateError) -> str:
    cause = error.certificate_error if isinstance(error, aiohttp.ClientConnectorCertificateError) else error.os_error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate was refused ({cause.verify_message})"
    return f"no TLS connection came about ({getattr(cause, 'reason', None) or 'no reason given'})"


def _reason(error: OSError) -> str:
    is_name = isinstance(error, socket.gaierror)
    return os.strerror(error.errno) if error.errno and not is_name else error.strerror or "for no reason that it gives"
