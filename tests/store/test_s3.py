"""The S3 store: the contract of every store, on moto and on a real Ceph RGW, and what only a bucket goes through.

Against moto what matters is what stands between: a front that lies or answers wrongly, a proxy that breaks off.
"""

import asyncio
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from docsredirect.domain.errors import Conflict, StoreError, StoreUnavailable, WritesRefused
from docsredirect.store import Store, open_store
from docsredirect.store.s3 import S3Store
from tests.store.contract import Connect, StoreContract, keys_of
from tests.support import rgw
from tests.support.faultproxy import FaultProxy, Mode
from tests.support.rgw import on_rgw
from tests.support.s3 import ANYBODY, Front, Moto, lead_to

REPOSITORY = Path(__file__).parents[2]

SECONDS = 3.0
"""Within which a store that cannot be reached, or does not answer a read, is known to be unavailable."""

Operation = Callable[[Store], Awaitable[Any]]

READS: dict[str, Operation] = {
    "get": lambda store: store.get("projects/six.json"),
    "get absent": lambda store: store.get("projects/other.json"),
    "get unless": lambda store: store.get("projects/six.json", unless="made-up"),
    "now": lambda store: store.now(),
}
WRITES: dict[str, Operation] = {
    "list": lambda store: keys_of(store, "projects/"),
    "create": lambda store: store.create("projects/new.json", b"x"),
    "replace": lambda store: store.replace("projects/six.json", b"x", "made-up"),
    "put": lambda store: store.put("projects/six.json", b"x"),
    "delete": lambda store: store.delete("projects/six.json"),
}
OPERATIONS = {**READS, **WRITES}


def xml(status: int, code: str, message: str = "") -> web.Response:
    """Return an error as S3 states it."""
    text = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return web.Response(status=status, text=text, content_type="application/xml")


async def outcomes(store: Store, operations: dict[str, Operation] = OPERATIONS) -> dict[str, object]:
    """Run operations at once and return what each came to."""
    results = await asyncio.gather(*(operation(store) for operation in operations.values()), return_exceptions=True)
    return dict(zip(operations, results, strict=True))


async def outcomes_in_turn(store: Store) -> None:
    """Run every operation, one after the other, whatever it comes to."""
    for operation in OPERATIONS.values():
        with suppress(StoreError):
            await operation(store)


async def assert_unavailable(store: Store, operations: dict[str, Operation] = OPERATIONS) -> list[str]:
    """Check that every operation says in time, and without a secret, that nothing is known. Returns the sentences."""
    begun = time.monotonic()
    results = await outcomes(store, operations)
    assert time.monotonic() - begun < SECONDS
    wrong = {name: result for name, result in results.items() if type(result) is not StoreUnavailable}
    assert wrong == {}
    sentences = [str(result) for result in results.values()]
    assert not any(secret in sentence for secret in ANYBODY[1:] for sentence in sentences)
    return sentences


@pytest.fixture
def moto() -> Moto:
    """moto's server with one empty bucket."""
    server = Moto.shared()
    server.reset()
    server.make_bucket("bucket")
    return server


@pytest_asyncio.fixture
async def front(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Front]:
    """A front before moto, which the environment leads to."""
    async with Front(moto.endpoint) as server:
        lead_to(monkeypatch, server.endpoint)
        yield server


@pytest_asyncio.fixture
async def proxy(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FaultProxy]:
    """A proxy before moto, which the environment leads to."""
    async with FaultProxy(moto.port) as server:
        lead_to(monkeypatch, f"http://127.0.0.1:{server.port}")
        yield server


@asynccontextmanager
async def opened(url: str = "s3://bucket/prefix", *, used: bool = False) -> AsyncIterator[S3Store]:
    """Open a store; a `used` one has an object, has been probed, and so holds connections."""
    store = S3Store(url)
    try:
        if used:
            await store.create("projects/six.json", b"six")
        yield store
    finally:
        await store.close()


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time limits that a busy machine does not meet: the contract is not about time."""
    for limit in ("_READ_ANSWER_SECONDS", "_READ_SECONDS", "_WRITE_ANSWER_SECONDS", "_WRITE_SECONDS"):
        monkeypatch.setattr(f"docsredirect.store.s3_client.{limit}", 30.0)


@pytest.mark.usefixtures("patience")
class TestContractOnMoto(StoreContract):
    @pytest.fixture
    def connect(self, moto: Moto, monkeypatch: pytest.MonkeyPatch) -> Connect:
        """Open clients of a prefix in an empty bucket."""
        lead_to(monkeypatch, moto.endpoint)
        return lambda: S3Store("s3://bucket/deep/prefix/")


@on_rgw
@pytest.mark.usefixtures("patience")
class TestContractOnRgw(StoreContract):
    @pytest.fixture
    def connect(self, monkeypatch: pytest.MonkeyPatch) -> Connect:
        """Open clients of a whole new bucket."""
        gateway = rgw.shared()
        lead_to(monkeypatch, gateway.endpoint, gateway.owner)
        bucket = f"bucket-{uuid.uuid4().hex}"
        gateway.make_bucket(bucket)
        return lambda: S3Store(f"s3://{bucket}")


class TestPlace:
    """Where the store is, and how it is reached."""

    async def test_open_store_takes_an_s3_url(self) -> None:
        """A URL of S3 opens an S3 store, which touches nothing, and is named by it without a slash at the end."""
        for url in ("s3://bucket/a/b", "s3://bucket/a/b/"):
            async with open_store(url) as store:
                assert isinstance(store, S3Store)
                assert store.url == "s3://bucket/a/b"
        assert S3Store("s3://bucket/").url == "s3://bucket"

    @pytest.mark.parametrize(
        "url",
        [
            "s3://",
            "s3:///prefix",
            "s3://Bucket",
            "s3://bucket//a",
            "s3://bucket/../a",
            "s3://bucket/a b",
            "s3://u:p@bu",
        ],
    )
    def test_a_url_that_is_none_is_refused(self, url: str) -> None:
        """A URL without a bucket, or with a prefix that no key has, is a mistake."""
        with pytest.raises(ValueError, match="is not s3://bucket/prefix"):
            S3Store(url)

    async def test_prefixes_are_apart(self, moto: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
        """Stores in one bucket see nothing of each other, also where one prefix begins like the other."""
        lead_to(monkeypatch, moto.endpoint)
        async with opened("s3://bucket/a") as one, opened("s3://bucket/ab") as two:
            await one.create("k", b"1")
            await two.create("k", b"2")
            await two.create("only", b"2")
            assert await one.get("only") is None
            assert await keys_of(one, "") == ["k"]
            await one.delete("k")
            assert await keys_of(two, "") == ["k", "only"]

    async def test_what_is_no_object_of_ours_is_not_listed(self, front: Front, moto: Moto) -> None:
        """Folder markers, which consoles leave behind, and keys that no store takes are passed over."""
        async with opened() as store:
            await store.put("a/b.json", b"x")
            client = await store._s3._opened_client()
            for stray in ("prefix/", "prefix/a/", "prefix/a/.hidden", "prefix/a b"):
                await client.put_object(Bucket="bucket", Key=stray, Body=b"")
            assert await keys_of(store, "") == ["a/b.json"]

    @pytest.mark.parametrize(
        ("variables", "region"),
        [
            ({}, "us-east-1"),
            ({"AWS_DEFAULT_REGION": "eu-west-1"}, "eu-west-1"),
            ({"AWS_REGION": "eu-west-2", "AWS_DEFAULT_REGION": "eu-west-1"}, "eu-west-2"),
        ],
    )
    async def test_region_and_addressing(
        self, front: Front, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], region: str
    ) -> None:
        """Both names of the region are understood, an endpoint needs none, and its buckets are paths."""
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        scopes = []

        async def note(request: web.Request) -> None:
            scopes.append(request.headers["Authorization"].split("/")[2])

        front.answer = note
        async with opened() as store:
            await store.get("a")
        assert scopes == [region]
        assert front.requests[0][1].partition("?")[0] == "/bucket/prefix/a"

    async def test_the_general_endpoint_counts_too(self, front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
        """AWS_ENDPOINT_URL leads to the store where AWS_ENDPOINT_URL_S3 is not set."""
        monkeypatch.delenv("AWS_ENDPOINT_URL_S3")
        monkeypatch.setenv("AWS_ENDPOINT_URL", front.endpoint)
        async with opened() as store:
            assert await store.get("a") is None
        assert front.count("GET") == 1

    def test_a_directory_store_does_without_botocore(self) -> None:
        """Only who opens a bucket pays for the library."""
        code = "import sys, docsredirect.store; sys.exit('botocore' in sys.modules)"
        subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(REPOSITORY)}, timeout=30, check=True)

    @on_rgw
    async def test_one_connection_serves_one_after_the_other(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The client lives as long as the store: what is asked in turn goes over one connection."""
        gateway = rgw.shared()
        gateway.make_bucket("in-turn")
        async with FaultProxy(gateway.port) as proxy:
            lead_to(monkeypatch, f"http://127.0.0.1:{proxy.port}", gateway.owner)
            async with opened("s3://in-turn", used=True) as store:
                for _ in range(20):
                    await outcomes_in_turn(store)
        assert proxy.connections == 1

    async def test_closed_is_unavailable(self, front: Front) -> None:
        """A closed store does not open itself again; closing one that was never used, or twice, is fine."""
        store = S3Store("s3://bucket")
        await store.close()
        async with opened(used=True) as store:
            pass
        await store.close()
        for operation in OPERATIONS.values():
            with pytest.raises(StoreUnavailable, match="has been closed"):
                await operation(store)

    async def test_now_is_the_stores_clock(self, front: Front) -> None:
        """The time is what the store says it is, whatever this machine's clock says."""

        async def answer(request: web.Request) -> web.Response:
            return web.Response(headers={"Date": "Sun, 06 Nov 1994 08:49:37 GMT"})

        async with opened() as store:
            assert abs(await store.now() - time.time()) < 2
            front.answer = answer
            assert await store.now() == 784_111_777.0

    async def test_now_without_a_date_is_unavailable(self, front: Front) -> None:
        """An answer whose Date is none tells no time."""

        async def answer(request: web.Request) -> web.Response:
            return web.Response(headers={"Date": "soon"})

        front.answer = answer
        async with opened() as store:
            await assert_unavailable(store, {"now": OPERATIONS["now"]})


ANSWERS: dict[str, Callable[[], web.Response]] = {
    "301": lambda: xml(301, "PermanentRedirect", "Use another endpoint."),
    "400": lambda: xml(400, "AuthorizationHeaderMalformed", "The region is wrong."),
    "401": lambda: web.Response(status=401),
    "403": lambda: xml(403, "AccessDenied", "Access Denied"),
    "404 of a bucket": lambda: xml(404, "NoSuchBucket", "The specified bucket does not exist"),
    "404 of a proxy": lambda: web.Response(status=404, text="<html>no such place</html>", content_type="text/html"),
    "404 without a body": lambda: web.Response(status=404),
    "405": lambda: xml(405, "MethodNotAllowed"),
    "429": lambda: web.Response(status=429),
    "500": lambda: xml(500, "InternalError", "We encountered an internal error."),
    "503": lambda: xml(503, "SlowDown", "Please reduce your request rate."),
    "200 of a proxy": lambda: web.Response(text="<html>sign in</html>", content_type="text/html"),
    "200 without a body": web.Response,
}


class TestUnavailable:
    """Whatever is neither yes nor no is unavailable: never absent, never empty, and never later than 3 seconds."""

    @pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
    async def test_answers(self, front: Front, answer: Callable[[], web.Response]) -> None:
        """An answer that says nothing about the object is unavailable, in every operation."""

        async def answering(request: web.Request) -> web.Response:
            return answer()

        async with opened(used=True) as store:
            front.answer = answering
            # A body is not needed to know the time, nor that something was removed.
            silent = {} if answer().status != 200 else {"now", "delete"}
            asked = {name: operation for name, operation in OPERATIONS.items() if name not in silent}
            sentences = await assert_unavailable(store, asked)
        assert all(sentence.startswith("s3://bucket/prefix could not ") for sentence in sentences)

    async def test_the_sentence_says_what_the_store_said(self, front: Front) -> None:
        """The operation, the key, the status, the store's code and its message are in the sentence."""

        async def answer(request: web.Request) -> web.Response:
            return xml(403, "AccessDenied", "Not you.")

        front.answer = answer
        async with opened() as store:
            (sentence,) = await assert_unavailable(store, {"get": OPERATIONS["get"]})
        told = "the store answered 403 AccessDenied Not you."
        assert sentence == f"s3://bucket/prefix could not read projects/six.json: {told}"

    async def test_501_refuses_a_conditional_write(self, front: Front) -> None:
        """A store that stops knowing conditions is not merely unavailable: it is refused for writing."""

        async def answer(request: web.Request) -> web.Response:
            return xml(501, "NotImplemented", "A header you provided implies functionality")

        async with opened(used=True) as store:
            front.answer = answer
            results = await outcomes(store)
        kinds = {name: type(result) for name, result in results.items()}
        refused = dict.fromkeys(("create", "replace"), WritesRefused)
        assert kinds == {**dict.fromkeys(OPERATIONS, StoreUnavailable), **refused}

    async def test_nobody_listens(self, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> None:
        """A refused connection is unavailable."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        lead_to(monkeypatch, f"http://127.0.0.1:{port}")
        async with opened() as store:
            await assert_unavailable(store)

    async def test_connecting_hangs(self, monkeypatch: pytest.MonkeyPatch, full_listener: int) -> None:
        """Where packets vanish (here a full queue of a listener that accepts nobody) it is known as soon."""
        lead_to(monkeypatch, f"http://127.0.0.1:{full_listener}")
        async with opened() as store:
            sentences = await assert_unavailable(store)
        assert all("did not answer in time" in sentence for sentence in sentences)

    @pytest.mark.parametrize("mode", ["reset", "cut", "short"])
    async def test_connections_break(self, proxy: FaultProxy, mode: Mode) -> None:
        """A connection that is reset, or ends within the header of an answer, is unavailable."""
        async with opened(used=True) as store:
            proxy.mode = mode
            await assert_unavailable(store)

    @pytest.mark.parametrize("mode", ["cut", "short"])
    async def test_a_body_breaks_off(self, proxy: FaultProxy, mode: Mode) -> None:
        """An object of which a part arrives is unavailable, and never a shorter object."""
        async with opened(used=True) as store:
            await store.put("projects/other.json", os.urandom(200_000))
            proxy.mode, proxy.keep = mode, 150_000
            await assert_unavailable(store, {"get": OPERATIONS["get absent"]})

    async def test_reads_vanish(self, proxy: FaultProxy) -> None:
        """A store that goes silent on connections that were fine is unavailable to reads as soon."""
        async with opened(used=True) as store:
            proxy.mode = "blackhole"
            await assert_unavailable(store, READS)

    async def test_writes_vanish(self, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> None:
        """Writes and listings, which have more time (here less), end too."""
        monkeypatch.setattr("docsredirect.store.s3_client._WRITE_SECONDS", 1.0)
        async with opened(used=True) as store:
            proxy.mode = "blackhole"
            await assert_unavailable(store, WRITES)

    async def test_a_body_that_drips(self, front: Front) -> None:
        """A body of which a byte arrives now and then is not waited for: silence is not the only way to be slow."""

        async def answer(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Length": "1000", "ETag": '"e"'})
            await response.prepare(request)
            for _ in range(15):
                await response.write(b"x")
                await asyncio.sleep(0.3)
            return response

        front.answer = answer
        async with opened() as store:
            await assert_unavailable(store, {"get": OPERATIONS["get"]})

    async def test_it_works_again(self, proxy: FaultProxy) -> None:
        """What was unavailable is used again as soon as it answers, by the same store."""
        async with opened(used=True) as store:
            proxy.mode = "reset"
            await assert_unavailable(store, {"get": OPERATIONS["get"]})
            proxy.mode = None
            assert await store.get("projects/six.json") is not None

    @pytest.mark.parametrize("announced", [True, False], ids=["announced", "chunked"])
    async def test_a_body_beyond_bounds(self, front: Front, monkeypatch: pytest.MonkeyPatch, announced: bool) -> None:
        """An object that is larger than anything of ours is not taken into memory, whether it says so or not."""
        monkeypatch.setattr("docsredirect.store.s3_client.MAX_BODY", 1_000)

        async def answer(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"ETag": '"e"'})
            if announced:
                response.content_length = 1_001
            else:
                response.enable_chunked_encoding()
            await response.prepare(request)
            await response.write(b"x" * 1_001)
            return response

        front.answer = answer
        async with opened() as store:
            (sentence,) = await assert_unavailable(store, {"get": OPERATIONS["get"]})
        assert "larger than 1000 bytes" in sentence

    async def test_a_listing_that_stops_in_the_middle(self, front: Front) -> None:
        """A page that announces another one, and does not say which, is no end of a listing."""

        async def answer(request: web.Request) -> web.Response:
            return web.Response(text="<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>")

        front.answer = answer
        async with opened() as store:
            (sentence,) = await assert_unavailable(store, {"list": OPERATIONS["list"]})
        assert "has no NextContinuationToken" in sentence

    async def test_the_endpoints_password_is_not_told(self, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> None:
        """An endpoint that holds a user and a password is named without them, whatever goes wrong with it."""
        for port in ("1", "0", "99999", "x"):
            lead_to(monkeypatch, f"http://someone:hunter2@127.0.0.1:{port}")
            async with opened() as store:
                sentences = await assert_unavailable(store)
            assert not any("hunter2" in sentence for sentence in sentences)

    async def test_no_credentials(self, front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
        """An environment without credentials is told as what it is."""
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        async with opened() as store:
            sentences = await assert_unavailable(store)
        assert all("Unable to locate credentials" in sentence for sentence in sentences)


@pytest.fixture
def full_listener() -> Iterator[int]:
    """The port of a listener whose queue is full: whoever connects from now on hears nothing."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        yield server.getsockname()[1]
        for client in waiting:
            client.close()


class TestAttempts:
    """How often and how long the store is asked."""

    async def test_two_attempts(self, front: Front) -> None:
        """A store that answers 503 is asked twice, not more."""

        async def answer(request: web.Request) -> web.Response:
            return xml(503, "SlowDown")

        front.answer = answer
        async with opened() as store:
            await assert_unavailable(store, {"get": OPERATIONS["get"]})
        assert front.count("GET") == 2

    async def test_a_slow_read_is_asked_again(self, front: Front) -> None:
        """A read that hangs once, as one of many does, is answered by its second attempt."""

        async def answer(request: web.Request) -> None:
            if front.count("GET") == 1:
                await asyncio.sleep(5)

        async with opened(used=True) as store:
            front.answer = answer
            begun = time.monotonic()
            assert await store.get("projects/six.json") is not None
        assert time.monotonic() - begun < SECONDS
        assert front.count("GET") == 2

    async def test_a_slow_write_is_waited_for(self, front: Front) -> None:
        """A write, or a listing, that takes longer than a read may is sent once and succeeds."""

        async def answer(request: web.Request) -> None:
            await asyncio.sleep(1.5)

        async with opened(used=True) as store:
            front.answer = answer
            front.requests.clear()
            await asyncio.gather(store.put("a", b"x"), keys_of(store, ""))
        assert len(front.requests) == 2

    async def test_many_at_once_wait_their_turn(self, front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
        """Waiting behind others of this process is no fault of the store, and does not count in a read's time."""
        monkeypatch.setattr("docsredirect.store.s3_client._READS_AT_ONCE", 4)
        monkeypatch.setattr("docsredirect.store.s3_client._READ_SECONDS", 1.0)

        async def answer(request: web.Request) -> None:
            await asyncio.sleep(0.2)

        async with opened(used=True) as store:
            front.answer = answer
            found = await asyncio.gather(*(store.get("projects/six.json") for _ in range(28)))
        assert all(found)
        assert front.count("GET") == 28

    async def test_writes_hold_no_read_back(self, front: Front) -> None:
        """Reads do not queue behind the writes of a bulk import."""

        async def answer(request: web.Request) -> None:
            if request.method == "PUT":
                await asyncio.sleep(1)

        async with opened(used=True) as store:
            front.answer = answer
            writing = [asyncio.create_task(store.put(f"a/{number}", b"x")) for number in range(64)]
            await asyncio.sleep(0.2)
            begun = time.monotonic()
            await store.get("projects/six.json")
            assert time.monotonic() - begun < 0.8
            await asyncio.gather(*writing)


def puts_of_probes(front: Front) -> int:
    """Return how many PUTs of probe objects came."""
    return sum(method == "PUT" and "/probes/" in path for method, path in front.requests)


class TestConditions:
    """What the conditions of writes come to, and stores that do not keep them."""

    async def test_probed_once(self, front: Front) -> None:
        """The first of many writes probes, for all of them, and leaves no object behind."""
        async with opened() as store:
            await asyncio.gather(*(store.create(f"a/{number}", b"x") for number in range(20)))
            assert await keys_of(store, "probes/") == []
        assert puts_of_probes(front) == 4

    async def test_reads_never_write(self, front: Front) -> None:
        """Whoever only reads sends GET and HEAD."""
        async with opened() as store:
            await outcomes(store, {**READS, "list": OPERATIONS["list"]})
        assert {method for method, _ in front.requests} == {"GET", "HEAD"}

    async def test_moto_takes_the_etag_quoted(self, front: Front) -> None:
        """A store that follows RFC 9110 is given the ETag in quotes."""
        async with opened() as store:
            form = await store._form()
        assert form("e") == '"e"'

    @on_rgw
    async def test_rgw_takes_the_etag_bare(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """RGW 16 refuses the ETag in quotes, and the probe finds that it takes it without."""
        gateway = rgw.shared()
        lead_to(monkeypatch, gateway.endpoint, gateway.owner)
        gateway.make_bucket("probed")
        async with opened("s3://probed") as store:
            form = await store._form()
            assert await keys_of(store, "") == []
        assert form("e") == "e"

    @pytest.mark.parametrize(
        ("header", "deed"),
        [
            ("if-none-match", "overwrote an object although it was told to create it only if absent"),
            ("if-match", "overwrote an object although it was told to replace only another state of it"),
        ],
    )
    async def test_a_store_that_overwrites_is_not_written_to(self, front: Front, header: str, deed: str) -> None:
        """A store that ignores a condition is read as ever, and never written to; the message says what it did."""
        async with opened(used=True) as store:
            pass
        front.deaf_to = {header}
        async with opened() as store:
            results = await outcomes(store)
            assert [name for name, result in results.items() if isinstance(result, WritesRefused)] == list(WRITES)[1:]
            assert deed in str(results["put"])
            assert results["list"] == ["projects/six.json"]
            probes = puts_of_probes(front)
            with pytest.raises(WritesRefused, match=deed):
                await store.create("projects/new.json", b"x")
            assert puts_of_probes(front) == probes
            assert await keys_of(store, "") == ["projects/six.json"]

    @pytest.mark.parametrize("header", ["If-None-Match", "If-Match"])
    async def test_a_store_without_conditions_is_not_written_to(self, front: Front, header: str) -> None:
        """A store that says 501 to a condition is not written to; the message names the answer."""

        async def answer(request: web.Request) -> web.Response | None:
            refuses = request.method == "PUT" and header in request.headers
            return xml(501, "NotImplemented", "No such header.") if refuses else None

        front.answer = answer
        async with opened() as store:
            with pytest.raises(WritesRefused, match="answered 501 NotImplemented"):
                await store.put("a", b"x")
            assert await keys_of(store, "") == []

    async def test_a_store_that_never_replaces_is_not_written_to(self, front: Front) -> None:
        """A store that takes an ETag in no form is not written to."""

        async def answer(request: web.Request) -> web.Response | None:
            refuses = request.method == "PUT" and "If-Match" in request.headers
            return xml(412, "PreconditionFailed") if refuses else None

        front.answer = answer
        async with opened() as store:
            with pytest.raises(WritesRefused, match="did not replace an object although it was given its ETag"):
                await store.put("a", b"x")

    async def test_a_probe_without_an_answer_decides_nothing(self, front: Front) -> None:
        """A probe that could not be finished leaves the write unavailable, and the next write probes again."""

        async def answer(request: web.Request) -> web.Response:
            return xml(503, "SlowDown")

        async with opened() as store:
            front.answer = answer
            await assert_unavailable(store, {"put": OPERATIONS["put"]})
            front.answer = None
            await store.put("a", b"x")

    @pytest.mark.parametrize("header", ["If-None-Match", "If-Match"])
    async def test_a_probe_whose_answer_was_lost_decides_nothing(self, front: Front, header: str) -> None:
        """A probe's PUT that succeeded and is refused when sent again says nothing about the store."""
        lost: list[web.Response] = []

        async def answer(request: web.Request) -> web.Response | None:
            if header not in request.headers or lost or (header == "If-Match" and "000" in request.headers[header]):
                return None
            lost.append(await front.forward(request))
            return xml(500, "InternalError")

        front.answer = answer
        async with opened() as store:
            await assert_unavailable(store, {"put": OPERATIONS["put"]})
            await store.put("a", b"x")
        assert lost[0].status == 200

    async def test_409_is_a_lost_race(self, front: Front) -> None:
        """Stores say 409 where two conditional writes met; it is the same as 412."""

        async def answer(request: web.Request) -> web.Response | None:
            return xml(409, "ConditionalRequestConflict") if request.method == "PUT" else None

        async with opened(used=True) as store:
            front.answer = answer
            with pytest.raises(Conflict):
                await store.create("a", b"x")
            with pytest.raises(Conflict):
                await store.replace("projects/six.json", b"x", "made-up")
            with pytest.raises(StoreUnavailable):
                await store.put("a", b"x")

    async def test_a_create_sent_again_is_a_conflict(self, front: Front) -> None:
        """A PUT that succeeded, and whose answer was lost, comes back as a conflict: the writer has to look."""
        answered: list[int] = []

        async def answer(request: web.Request) -> web.Response | None:
            if request.method != "PUT" or answered:
                return None
            answered.append((await front.forward(request)).status)
            return xml(500, "InternalError")

        async with opened(used=True) as store:
            front.answer = answer
            with pytest.raises(Conflict):
                await store.create("a", b"mine")
            stored = await store.get("a")
        assert answered == [200]
        assert stored is not None
        assert stored.body == b"mine"

    async def test_an_unreadable_etag_is_unavailable(self, front: Front) -> None:
        """A write whose answer names no ETag is not known to have been done."""

        async def answer(request: web.Request) -> web.Response:
            return web.Response()

        async with opened(used=True) as store:
            front.answer = answer
            with pytest.raises(StoreUnavailable, match="has no ETag"):
                await store.put("a", b"x")
