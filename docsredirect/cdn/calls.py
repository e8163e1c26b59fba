"""One HTTP call of a CDN, tried again where that may help. Knows no CDN."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import aiohttp
import stamina
from yarl import URL

from docsredirect.domain.errors import PurgeFailed, shorten

SECONDS: Final = 5.0
"""How long one attempt may take. Purges are answered in about 0.1 s."""

_ATTEMPTS: Final = 4
_ALL_SECONDS: Final = 12.0
_FIRST_PAUSE, _LONGEST_PAUSE, _JITTER = 0.1, 2.0, 0.3

_MAX_ANSWER: Final = 64 * 1024
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})

# It would log each retry with all arguments, and count in a registry that is not ours.
stamina.instrumentation.set_on_retry_hooks([])


class Calls:
    """Calls over `session`."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def call(
        self, method: str, url: str, headers: Mapping[str, str], json: Mapping[str, Any] | None = None
    ) -> bytes:
        """Return the body of an answer 200. `url` is sent as it is, and no redirect is followed.

        Raises `PurgeFailed`, where it may help only after some tries.
        """
        async for attempt in stamina.retry_context(
            on=_may_help,
            attempts=_ATTEMPTS,
            timeout=_ALL_SECONDS,
            wait_initial=_FIRST_PAUSE,
            wait_max=_LONGEST_PAUSE,
            wait_jitter=_JITTER,
        ):
            with attempt:
                return await self._once(method, url, headers, json)
        raise AssertionError("the last attempt returns or raises")

    async def _once(self, method: str, url: str, headers: Mapping[str, str], json: Mapping[str, Any] | None) -> bytes:
        where = str(URL(url).origin())
        try:
            async with self._session.request(
                method,
                URL(url, encoded=True),
                headers={**headers, "Accept-Encoding": "identity"},
                json=json,
                allow_redirects=False,
            ) as response:
                body = await _read(response)
        except TimeoutError as error:
            raise PurgeFailed(f"{where} did not answer within {SECONDS:g} seconds.", again=True) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise PurgeFailed(f"{where} cannot be reached: {error}.", again=True) from error
        if response.status != 200:
            again = response.status in _AGAIN
            after = _seconds(response.headers.get("Retry-After", "")) if again else None
            said = shorten(body.decode("utf-8", "replace"), 200)
            raise PurgeFailed(f"{where} answered {response.status} to a purge: {said}.", again=again, after=after)
        return body


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """Return the body, up to `_MAX_ANSWER`: one `read` gives only what has come so far."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) >= _MAX_ANSWER:
            break
    return bytes(body)


def batches(keys: Sequence[str], *, count: int, size: int) -> Iterator[list[str]]:
    """Give `keys` in batches of at most `count`, and of at most `size` characters with a blank between them."""
    batch: list[str] = []
    length = 0
    for key in keys:
        if batch and (len(batch) == count or length + len(key) > size):
            yield batch
            batch, length = [], 0
        batch.append(key)
        length += len(key) + 1
    if batch:
        yield batch


def _may_help(error: Exception) -> bool | float:
    """Tell whether to try again, or after how many seconds the CDN wants it."""
    if not isinstance(error, PurgeFailed):
        return False
    if error.again and error.after is not None:
        return min(error.after, _LONGEST_PAUSE)
    return error.again


def _seconds(text: str) -> float | None:
    """Return the seconds that a ``Retry-After`` asks for (RFC 9110, section 10.2.3); of a date, None."""
    return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else None
