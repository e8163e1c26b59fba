"""The S3 store: objects in a bucket, on AWS or on whatever speaks its protocol.

An ETag is the store's own without its quotes. Before the first write the store is probed: some stores ignore the
conditions of a PUT and overwrite in silence, and those are never written to; some compare ``If-Match`` with the bare
ETag (Ceph RGW 16 and 18), although RFC 9110 section 8.8.3 wants it quoted.
"""

import asyncio
import re
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from docsredirect.domain.errors import Conflict, NotModified, StoreError, StoreUnavailable, WritesRefused
from docsredirect.store.protocol import Listed, StoredObject, check_key, check_prefix, is_key
from docsredirect.store.s3_client import S3Connection, is_no_such_key, said, status, whole_body

if TYPE_CHECKING:
    from types_aiobotocore_s3.type_defs import (
        GetObjectRequestTypeDef,
        ListObjectsV2RequestTypeDef,
        PutObjectRequestTypeDef,
    )

_PLACE = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*?))?/?")
_ETAG = re.compile(r"[!#-)+\--~]+")  # visible, but nothing that means more in If-Match: quote, asterisk, comma
_NO_ETAG = "00000000000000000000000000000000"

_TIDY_SECONDS = 0.5
"""For removing what a probe has put."""

_Form = Callable[[str], str]
"""How a store wants the ETag of ``If-Match``."""


def _quoted(etag: str) -> str:
    return f'"{etag}"'


class S3Store:
    """A store in a bucket: ``s3://bucket/prefix``. Endpoint, region and credentials come from the standard ``AWS_*``
    variables, which are read at first use."""

    def __init__(self, url: str) -> None:
        match = _PLACE.fullmatch(url)
        if match is None or (match[2] and not is_key(match[2])):
            raise ValueError(f"{url!r} is not s3://bucket/prefix")
        self._bucket = match[1]
        self._prefix = f"{match[2]}/" if match[2] else ""
        self._s3 = S3Connection(self.url)
        self._probe: asyncio.Task[_Form] | None = None

    @property
    def url(self) -> str:
        """The bucket and the prefix as an S3 URL."""
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    async def get(self, key: str, *, unless: str | None = None) -> StoredObject | None:
        """Return the object, or None where there is none. Raises `NotModified` where its ETag is `unless`."""
        request: GetObjectRequestTypeDef = {"Bucket": self._bucket, "Key": self._prefix + check_key(key)}
        if unless is not None and _ETAG.fullmatch(unless):
            request["IfNoneMatch"] = _quoted(unless)
        async with self._s3.asking(f"read {key}", self._s3.reading) as (client, deadline):
            try:
                answer = await client.get_object(**request)
            except ClientError as error:
                if status(error) == 304:
                    raise NotModified(key) from None
                if is_no_such_key(error):
                    return None
                raise
            return StoredObject(await whole_body(answer, deadline), _etag_of(answer))

    async def create(self, key: str, body: bytes) -> str:
        """Put a new object and return its ETag. Raises `Conflict` where there is one already."""
        check_key(key)
        await self.check_writes()
        return await self._put(key, body, if_none_match="*")

    async def replace(self, key: str, body: bytes, etag: str) -> str:
        """Replace the object whose ETag is `etag`. Raises `Conflict` where it has another, or is gone."""
        check_key(key)
        form = await self._form()
        if not _ETAG.fullmatch(etag):
            raise Conflict(f"{key} cannot have the ETag {etag!r}, which no store gives.")
        return await self._put(key, body, if_match=form(etag))

    async def put(self, key: str, body: bytes) -> str:
        """Put an object whatever is there, and return its ETag."""
        check_key(key)
        await self.check_writes()
        return await self._put(key, body)

    async def delete(self, key: str) -> None:
        """Remove an object, if there is one."""
        check_key(key)
        await self.check_writes()
        await self._remove(key)

    async def list_objects(self, prefix: str) -> AsyncIterator[Listed]:
        """Go through the objects whose keys begin with `prefix`, in the order of their keys."""
        token: str | None = None
        while True:
            page, token = await self._page(check_prefix(prefix), token)
            for listed in page:
                # A console leaves folder markers and other things behind that are no objects of ours.
                if is_key(listed.key):
                    yield listed
            if token is None:
                return

    async def now(self) -> float:
        """Return the time by the store's own clock: the Date of an answer, in whole seconds since the epoch."""
        async with self._s3.asking("tell the time", self._s3.reading) as (client, _):
            answer = await client.head_bucket(Bucket=self._bucket)
            return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"]).timestamp()

    async def close(self) -> None:
        """Close the connections. The store is of no use afterwards."""
        if self._probe is not None:
            self._probe.cancel()
            await asyncio.wait([self._probe])
        await self._s3.close()

    async def check_writes(self) -> None:
        """Find out, once, whether the store keeps the conditions of writes. Every write asks this first. Raises
        `WritesRefused` where it does not keep them, now and ever after: a store that was mended needs a new process.
        """
        await self._form()

    async def _form(self) -> _Form:
        """Return how the store wants the ETag of ``If-Match``. Raises as `check_writes` does."""
        if self._probe is None or not _decided(self._probe):
            self._probe = asyncio.create_task(self._find_form(), name="probe of the store")
        return await asyncio.shield(self._probe)

    async def _find_form(self) -> _Form:
        key = f"probes/{uuid.uuid4().hex}"
        try:
            etag = await self._put(key, b"created", if_none_match="*")
            return await self._form_for(key, etag)
        except Conflict as error:
            raise StoreUnavailable(f"{self.url} could not be probed: an answer was lost.") from error

    async def _form_for(self, key: str, etag: str) -> _Form:
        try:
            told = "to create it only if absent (If-None-Match: *)"
            await self._expect_conflict(key, told, if_none_match="*")
            for form in (_quoted, str):
                told = "to replace only another state of it (If-Match)"
                await self._expect_conflict(key, told, if_match=form(_NO_ETAG))
                with suppress(Conflict):
                    await self._put(key, b"replaced", if_match=form(etag))
                    return form
            await self._expect_state(key, etag)
            raise self._refused("did not replace an object although it was given its ETag (If-Match)")
        finally:
            # What stays for want of rights, or of an answer, is a few bytes that nobody reads.
            with suppress(StoreError, TimeoutError):
                async with asyncio.timeout(_TIDY_SECONDS):
                    await self._remove(key)

    async def _expect_conflict(
        self, key: str, told: str, *, if_match: str | None = None, if_none_match: str | None = None
    ) -> None:
        try:
            await self._put(key, b"overwritten", if_match=if_match, if_none_match=if_none_match)
        except Conflict:
            return
        raise self._refused(f"overwrote an object although it was told {told}")

    async def _expect_state(self, key: str, etag: str) -> None:
        """Raise `Conflict` where a PUT that was answered with a conflict had gone through at its first attempt: then
        that answer says nothing about the store."""
        stored = await self.get(key)
        if stored is None or stored.etag != etag:
            raise Conflict(f"{key} has been replaced.")

    def _refused(self, what: str) -> WritesRefused:
        return WritesRefused(f"{self.url} is not written to: the store {what}. Use one with conditional writes.")

    async def _put(
        self, key: str, body: bytes, *, if_match: str | None = None, if_none_match: str | None = None
    ) -> str:
        request: PutObjectRequestTypeDef = {"Bucket": self._bucket, "Key": self._prefix + key, "Body": body}
        if if_match is not None:
            request["IfMatch"] = if_match
        if if_none_match is not None:
            request["IfNoneMatch"] = if_none_match
        conditional = len(request) > 3
        async with self._s3.asking(f"write {key}", self._s3.writing, size=len(body)) as (client, _):
            try:
                return _etag_of(await client.put_object(**request))
            except ClientError as error:
                if conditional and (status(error) in {409, 412} or is_no_such_key(error)):
                    raise Conflict(f"{key} is not what the writer believed it to be.") from error
                if conditional and status(error) == 501:
                    raise self._refused(f"does not know conditional writes ({said(error)})") from error
                raise

    async def _remove(self, key: str) -> None:
        async with self._s3.asking(f"remove {key}", self._s3.writing) as (client, _):
            try:
                await client.delete_object(Bucket=self._bucket, Key=self._prefix + key)
            except ClientError as error:
                if not is_no_such_key(error):
                    raise

    async def _page(self, prefix: str, token: str | None) -> tuple[list[Listed], str | None]:
        """Return a page of a listing, and what asks for the next one; None after the last."""
        request: ListObjectsV2RequestTypeDef = {"Bucket": self._bucket, "Prefix": self._prefix + prefix}
        if token is not None:
            request["ContinuationToken"] = token
        async with self._s3.asking(f"list {prefix!r}", self._s3.writing) as (client, _):
            answer = await client.list_objects_v2(**request)
            # Without this field it is no listing, and must not be taken for an empty one.
            token = answer["NextContinuationToken"] if answer["IsTruncated"] else None
            return [self._listed(entry) for entry in answer.get("Contents", [])], token

    def _listed(self, entry: Any) -> Listed:
        key = entry["Key"].removeprefix(self._prefix)
        return Listed(key, _etag_of(entry), entry["LastModified"].timestamp())


def _decided(probe: "asyncio.Task[_Form]") -> bool:
    """Tell whether a probe goes on, or has said what the store is like; one that was not answered says nothing."""
    if not probe.done():
        return True
    return not probe.cancelled() and isinstance(probe.exception(), WritesRefused | None)


def _etag_of(answer: Any) -> str:
    etag: str = answer["ETag"].strip('"')
    if not _ETAG.fullmatch(etag):
        raise ValueError(f"the store gave the ETag {etag!r}")
    return etag
