"""The one client of an S3 store: how long it waits, how often it asks, and what went wrong, in words.

It knows nothing of keys, ETags and conditions.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from aiohttp import ClientError as TransportError
from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, ReadTimeoutError

from docsredirect.domain.errors import StoreUnavailable

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_s3.type_defs import GetObjectOutputTypeDef

MAX_BODY = 256 * 1024 * 1024
"""Bytes. No object of ours comes near it: what is larger is somebody else's, and would not fit the memory."""

_CHUNK = 1024 * 1024

_CONNECT_SECONDS = 0.7
"""For one attempt to connect: under the second after which a lost SYN is sent again, so that a second attempt fits."""

_READ_ANSWER_SECONDS = 1.0
"""How long a read may be silent. S3's slowest of 100 GETs takes 0.1 s, and a second attempt is usually fast."""

_WRITE_ANSWER_SECONDS = 4.0
"""How long a write or a page of a listing may be silent: a busy store can be seconds behind with its disks, and
giving up on a write does not undo it, it only leaves the writer to find out."""

_READ_SECONDS = 2.8
"""For a read with its retry and all that it waits for: with this, a request that needs the store ends within 3 s."""

_WRITE_SECONDS = 10.0
"""For a write or a page of a listing, with the retry. Where the store cannot be connected to it is under 3 s."""

_BYTES_PER_SECOND = 256 * 1024
"""What a body may take longer for: the slowest transfer that still counts as one."""

_READS_AT_ONCE, _WRITES_AT_ONCE = 64, 32
"""Each kind has connections of its own, so a bulk import holds no read back. Waiting for one's turn is no fault of
the store, and is not counted in the times above."""

_USER_INFO = re.compile(r"//[^/@\s]*@")

# After the first two, what botocore and aiohttp let through: a body cut short, a malformed endpoint, an answer without
# the header or the field that says what it is.
_FAILURES = (ClientError, BotoCoreError, TransportError, TimeoutError, OSError, ValueError, KeyError)
_TIMEOUTS = (TimeoutError, ConnectTimeoutError, ReadTimeoutError)


class Lane(NamedTuple):
    """Requests of one kind: whose turn it is, and how many seconds each may take."""

    turn: asyncio.Semaphore
    seconds: float


class S3Connection:
    """A client that is opened at first use, with endpoint, region and credentials from the ``AWS_*`` variables as
    they are then, and lives until it is closed. `place` is what messages call the store."""

    def __init__(self, place: str) -> None:
        self.reading = Lane(asyncio.Semaphore(_READS_AT_ONCE), _READ_SECONDS)
        self.writing = Lane(asyncio.Semaphore(_WRITES_AT_ONCE), _WRITE_SECONDS)
        self._place = place
        self._session = get_session()
        self._client: S3Client | None = None
        self._opened = AsyncExitStack()
        self._opening = asyncio.Lock()
        self._closed = False

    @asynccontextmanager
    async def asking(
        self, what: str, lane: Lane, *, size: int = 0
    ) -> "AsyncIterator[tuple[S3Client, asyncio.Timeout]]":
        """Give the client in turn and for a time, and turn whatever is neither yes nor no into `StoreUnavailable`;
        `size` is that of a body that is sent."""
        async with lane.turn:
            try:
                async with asyncio.timeout(lane.seconds + size / _BYTES_PER_SECOND) as deadline:
                    yield await self._opened_client(), deadline
            except _FAILURES as error:
                raise StoreUnavailable(f"{self._place} could not {what}: {said(error)}.") from error

    async def close(self) -> None:
        """Close the connections. It does not open again."""
        self._closed = True
        async with self._opening:
            self._client = None
            await self._opened.aclose()

    async def _opened_client(self) -> "S3Client":
        if self._client is None:
            async with self._opening:
                if self._closed:
                    raise StoreUnavailable(f"{self._place} has been closed.")
                if self._client is None:
                    self._client = await self._open()
        return self._client

    async def _open(self) -> "S3Client":
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        # botocore itself reads only the second of these names.
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        opening = self._session.create_client(
            "s3",
            region_name=region or self._session.get_config_variable("region") or ("us-east-1" if endpoint else None),
            config=AioConfig(
                connect_timeout=_CONNECT_SECONDS,
                read_timeout=_WRITE_ANSWER_SECONDS,
                retries={"mode": "standard", "total_max_attempts": 2},
                max_pool_connections=_READS_AT_ONCE + _WRITES_AT_ONCE,
                # Stores other than AWS refuse or ignore the newer checksums.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                # Only AWS can be relied on for a host name per bucket.
                s3={"addressing_style": "path"} if endpoint else None,
            ),
        )
        client = await self._opened.enter_async_context(opening)
        for operation in ("GetObject", "HeadBucket"):
            client.meta.events.register(f"before-call.s3.{operation}", _hurry)
        client.meta.events.register("before-call.s3.HeadBucket", _stay)
        return client


def _hurry(context: dict[str, Any], **_: object) -> None:
    """Let a read be silent for less long than the client's own setting, which is made for writes."""
    context["read_timeout"] = _READ_ANSWER_SECONDS


def _stay(context: dict[str, Any], **_: object) -> None:
    """Keep botocore from following a redirect of the HEAD with which it looks for where a redirect leads: a store
    that redirects everything, and says nowhere to, would have it do that until the stack is full."""
    context.setdefault("s3_redirect", {})["redirected"] = True


async def whole_body(answer: "GetObjectOutputTypeDef", deadline: asyncio.Timeout) -> bytes:
    """Read a body, with more time for a larger one. Raises where it ends before its announced length."""
    announced = answer.get("ContentLength", 0)
    chunks, size = [], 0
    async with answer["Body"] as body:
        _check_size(announced)
        until = deadline.when()
        if until is not None:
            deadline.reschedule(until + announced / _BYTES_PER_SECOND)
        async for chunk in body.iter_chunks(_CHUNK):
            size += len(chunk)
            _check_size(size)
            chunks.append(chunk)
    return b"".join(chunks)


def _check_size(size: int) -> None:
    if size > MAX_BODY:
        raise ValueError(f"the object is larger than {MAX_BODY} bytes")


def status(error: ClientError) -> int:
    """Return the HTTP status of an answer."""
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)


def is_no_such_key(error: ClientError) -> bool:
    """Tell whether the store says that there is no such object. A 404 alone may also be a missing bucket, or a proxy
    that knows no such place."""
    return status(error) == 404 and error.response.get("Error", {}).get("Code") == "NoSuchKey"


def said(error: BaseException) -> str:
    """Return what the store said, or what became of the request. Botocore's own texts may hold the endpoint, and
    that a user and a password."""
    if isinstance(error, ClientError):
        told = error.response.get("Error", {})
        text = f"the store answered {status(error)} {told.get('Code') or ''} {told.get('Message') or ''}"
    elif isinstance(error, _TIMEOUTS):
        text = "the store did not answer in time"
    elif isinstance(error, KeyError):
        text = f"the answer of the store has no {error.args[0]}"
    else:
        text = str(getattr(error, "kwargs", {}).get("error", error)) or type(error).__name__
    return _USER_INFO.sub("//", " ".join(text.split()))[:300].rstrip(". ")
