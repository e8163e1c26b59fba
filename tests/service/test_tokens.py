"""Tokens and invitations: who is let in, what others see of a change and when, and what races and lost answers do.

Several `Tokens` over one store are several processes.
"""

import asyncio
import itertools
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from docsredirect.domain import tokens
from docsredirect.domain.errors import (
    Conflict,
    Damaged,
    DocsRedirectError,
    InvalidRecord,
    InvitationSpent,
    NoSuchInvitation,
    NoSuchToken,
    StoreUnavailable,
    TokenMissing,
    TokenRefused,
    TokenUnknown,
)
from docsredirect.domain.tokens import BOOTSTRAP, Identity, Scope, StoredToken
from docsredirect.service import known_tokens
from docsredirect.service.known_tokens import KnownTokens
from docsredirect.service.tokens import Created, Tokens
from docsredirect.store import DirectoryStore, Store, StoredObject
from docsredirect.store.s3 import S3Store
from tests.support import rgw
from tests.support.rgw import on_rgw
from tests.support.s3 import Moto, lead_to
from tests.support.stores import FakeStore

BOOTSTRAP_TEXT = "a-bootstrap-token-of-40-characters-here."
DAY = 86_400.0
NEVER_MADE = f"drd_{'9' * 12}_{'9' * 32}"

_NUMBERS = itertools.count(1)


def new_text(length: int) -> str:
    """Return text that no other call returns."""
    return f"{next(_NUMBERS):0{length}d}"


class TroubledStore(FakeStore):
    """A fake store that can hold back the next answer to an operation, or lose it."""

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[str, asyncio.Event] = {}
        self.lost: dict[str, Exception] = {}

    async def get(self, key: str, *, unless: str | None = None) -> StoredObject | None:
        """Return the object as it is now, and later where the answer is held."""
        stored = await super().get(key, unless=unless)
        await self._answer("get")
        return stored

    async def create(self, key: str, body: bytes) -> str:
        """Put a new object."""
        etag = await super().create(key, body)
        await self._answer("create")
        return etag

    async def replace(self, key: str, body: bytes, etag: str) -> str:
        """Replace an object: where it is held, once that ends."""
        if hold := self.held.pop("replace", None):
            await hold.wait()
        etag = await super().replace(key, body, etag)
        await self._answer("replace")
        return etag

    async def _answer(self, operation: str) -> None:
        if hold := self.held.pop(operation, None):
            await hold.wait()
        if error := self.lost.pop(operation, None):
            raise error


class World:
    """A store, the time, and the processes that share them."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now = 1_700_000_000.0
        self.monotonic = 50.0
        self.made: list[str] = []
        self._processes: list[Tokens] = []

    def process(self, *, bootstrap: str | None = BOOTSTRAP_TEXT) -> Tokens:
        """Start one more process."""
        made = Tokens(
            self.store,
            clock=lambda: self.now,
            monotonic=lambda: self.monotonic,
            new_text=self._new_text,
            bootstrap=bootstrap,
        )
        self._processes.append(made)
        return made

    def _new_text(self, length: int) -> str:
        text = new_text(length)
        if length == tokens.SECRET_LENGTH:
            self.made.append(text)
        return text

    def pass_by(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        self.monotonic += seconds

    async def close(self) -> None:
        """End all processes, and what they have left to do."""
        await asyncio.gather(*(process.close() for process in self._processes))


class FakeWorld(World):
    """A world whose store is in memory."""

    store: TroubledStore

    def __init__(self) -> None:
        super().__init__(TroubledStore())

    def stored(self, id_: str) -> StoredToken:
        """Return what the store holds of a token."""
        return tokens.decode(self.store.objects[tokens.key_of(id_)].body, id_)


@pytest_asyncio.fixture
async def world() -> AsyncIterator[FakeWorld]:
    """An empty store, and no process yet."""
    made = FakeWorld()
    yield made
    await made.close()


async def make(process: Tokens, scope: Scope = ("six",), label: str | None = None) -> Created:
    """Make a token that lives for 90 days."""
    return await process.create(scope, created_by="a test", label=label)


async def outcome(process: Tokens, text: str | None) -> str:
    """Return the code of what refuses a token, or the name of who it lets in."""
    try:
        return (await process.identify(text)).name
    except DocsRedirectError as error:
        return error.code


async def settle() -> None:
    """Let everything go on that waits for nothing but its turn."""
    for _ in range(20):
        await asyncio.sleep(0)


def wrong_secret(text: str) -> str:
    """Return the text of a token with another secret."""
    return text[:-32] + "x" * 32


class TestWhoIsLetIn:
    async def test_a_token_says_who_holds_it(self, world: FakeWorld) -> None:
        """Its id, its name for the history, its scope; in every process."""
        process = world.process()
        plain, labelled = await make(process), await make(process, "admin", "a mirror")
        for each in (process, world.process()):
            assert await each.identify(plain.text) == Identity(plain.token.id, f"token {plain.token.id}", ("six",))
            name = f"a mirror ({labelled.token.id})"
            assert await each.identify(labelled.text) == Identity(labelled.token.id, name, "admin")

    @pytest.mark.parametrize(
        ("text", "refused"),
        [
            (None, TokenMissing),
            ("", TokenMissing),
            ("hello", TokenUnknown),
            ("drd_", TokenUnknown),
            (NEVER_MADE[:-1], TokenUnknown),
            (NEVER_MADE + " ", TokenUnknown),
            ("\ud800", TokenUnknown),
            ("x" * 100_000, TokenUnknown),
            (BOOTSTRAP_TEXT[:-1], TokenUnknown),
            (BOOTSTRAP_TEXT + "x", TokenUnknown),
            (tokens.digest(BOOTSTRAP_TEXT), TokenUnknown),
        ],
        ids=lambda value: ascii(value)[:40],
    )
    async def test_what_is_no_token_costs_no_request(
        self, world: FakeWorld, text: str | None, refused: type[TokenRefused]
    ) -> None:
        """The form alone tells, so not even a store that is down matters."""
        world.store.failing = ""
        with pytest.raises(refused) as error:
            await world.process().identify(text)
        assert type(error.value) is refused
        assert not world.store.requests

    @pytest.mark.parametrize("days", [0, 89.9, 90, 91, 1_000])
    @pytest.mark.parametrize("revoked", [False, True])
    @pytest.mark.parametrize("kind", ["token", "invitation", "never made"])
    @pytest.mark.parametrize("right", [True, False], ids=["right secret", "wrong secret"])
    async def test_every_state(self, world: FakeWorld, days: float, revoked: bool, kind: str, right: bool) -> None:
        """Only the right secret learns more than that it is unknown; revoked comes before expired."""
        process = world.process()
        text = NEVER_MADE
        if kind != "never made":
            made = await (make(process) if kind == "token" else process.invite("six", created_by="a test"))
            text = made.text if right else wrong_secret(made.text)
            if revoked:
                await process.revoke(made.token.id)
        world.pass_by(days * DAY)
        expected = "token-revoked" if revoked else "token-expired" if days >= 90 else f"token {text[4:16]}"
        expected = expected if kind == "token" and right else "token-unknown"
        for each in (process, world.process()):
            assert await outcome(each, text) == expected

    async def test_a_wrong_secret_is_answered_like_an_unknown_id(self, world: FakeWorld) -> None:
        """The same error and the same words: nobody learns which ids there are."""
        process = world.process()
        made = await make(process)
        invitation = await process.invite("six", created_by="a test")
        messages = set()
        for text in (NEVER_MADE, wrong_secret(made.text), invitation.text, "hello"):
            with pytest.raises(TokenUnknown) as refused:
                await process.identify(text)
            messages.add(str(refused.value))
        assert len(messages) == 1

    async def test_a_refusal_says_what_to_do_and_not_the_token(self, world: FakeWorld) -> None:
        """One or more sentences, with a date where there is one."""
        process = world.process()
        expired, revoked = await make(process), await make(process)
        await process.revoke(revoked.token.id)
        world.pass_by(90 * DAY)
        said = []
        for text in (None, NEVER_MADE, expired.text, revoked.text):
            with pytest.raises(TokenRefused) as refused:
                await process.identify(text)
            said.append(str(refused.value))
            assert text is None or text[-32:] not in said[-1]
        assert all(sentence.endswith(".") for sentence in said)
        assert "expired on 2024-02-12 22:13 UTC" in said[2]
        assert "revoked on 2023-11-14 22:13 UTC" in said[3]

    async def test_the_bootstrap_token_needs_no_store(self, world: FakeWorld) -> None:
        """So that an administrator gets in while the store is down, and on the first day."""
        world.store.failing = ""
        assert await world.process().identify(BOOTSTRAP_TEXT) == BOOTSTRAP
        assert not world.store.requests

    @pytest.mark.parametrize("bootstrap", [None, ""])
    async def test_without_a_bootstrap_token_nothing_is_one(self, world: FakeWorld, bootstrap: str | None) -> None:
        """Not even nothing."""
        process = world.process(bootstrap=bootstrap)
        assert await outcome(process, "") == "token-missing"
        assert await outcome(process, BOOTSTRAP_TEXT) == "token-unknown"

    async def test_a_bootstrap_token_that_looks_like_another(self, world: FakeWorld) -> None:
        """Any text may be the bootstrap token."""
        assert await world.process(bootstrap=NEVER_MADE).identify(NEVER_MADE) == BOOTSTRAP

    async def test_a_store_that_fails_says_nothing_about_a_token(self, world: FakeWorld) -> None:
        """Not that it is unknown; and once the store is back, the next request gets in."""
        process = world.process()
        made = await make(process)
        world.store.failing = "tokens/"
        for text in (made.text, NEVER_MADE):
            with pytest.raises(StoreUnavailable):
                await process.identify(text)
        world.store.failing = None
        assert await outcome(process, made.text) == f"token {made.token.id}"

    async def test_a_store_that_hangs_is_known_in_time(self, world: FakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
        """Also by who waits for its turn, and its turn comes again afterwards."""
        assert known_tokens.READ_SECONDS < 3
        monkeypatch.setattr(known_tokens, "READ_SECONDS", 0.05)
        process = world.process()
        world.store.gate.clear()
        texts = [f"drd_{n:012d}_{'9' * 32}" for n in range(50)]
        async with asyncio.timeout(2):
            assert await outcome(process, NEVER_MADE) == "store-unavailable"
            assert set(await asyncio.gather(*(outcome(process, text) for text in texts))) == {"store-unavailable"}
        world.store.gate.set()
        assert await outcome(process, texts[0]) == "token-unknown"

    async def test_a_damaged_token_is_not_an_unknown_one(self, world: FakeWorld) -> None:
        """Somebody has to look at the store; the message names the object."""
        process = world.process()
        made = await make(process)
        await world.store.put(tokens.key_of(made.token.id), b"{}")
        with pytest.raises(Damaged, match=f"tokens/{made.token.id}.json"):
            await process.identify(made.text)


class TestWhatIsKnown:
    @pytest.mark.parametrize("found", [True, False], ids=["a token", "an unknown id"])
    async def test_an_id_is_read_once_in_three_seconds(self, world: FakeWorld, found: bool) -> None:
        """Found or not; then again."""
        process = world.process()
        text = (await make(process)).text if found else NEVER_MADE
        await outcome(process, text)
        await settle()  # the use is noted: what was known of the token is read again anyway
        world.pass_by(3)
        world.store.requests.clear()
        for seconds, reads in ((0, 1), (1, 1), (1.9, 1), (0.2, 2), (2.9, 2), (0.2, 3)):
            world.pass_by(seconds)
            await outcome(process, text)
            assert world.store.count("get") == reads

    async def test_what_another_process_revoked_is_refused_within_five_seconds(self, world: FakeWorld) -> None:
        """Wherever in the life of what is known the revocation falls."""
        here, there = world.process(), world.process()
        for begun in (0.0, 0.5, 1.5, 2.9):
            made = await make(there)
            assert await outcome(here, made.text) == f"token {made.token.id}"
            world.pass_by(begun)
            await outcome(here, made.text)
            await there.revoke(made.token.id)
            world.pass_by(4.9)
            assert await outcome(here, made.text) == "token-revoked"

    async def test_what_was_revoked_here_is_refused_at_once(self, world: FakeWorld) -> None:
        """Although it was known a moment before."""
        process = world.process()
        made = await make(process)
        assert await outcome(process, made.text) == f"token {made.token.id}"
        await process.revoke(made.token.id)
        assert await outcome(process, made.text) == "token-revoked"

    async def test_an_answer_from_before_a_revocation_is_not_kept(self, world: FakeWorld) -> None:
        """A read that was under way while the token was revoked has nothing to say to those who come after."""
        process = world.process()
        made = await make(process)
        held = world.store.held["get"] = asyncio.Event()
        early = asyncio.create_task(outcome(process, made.text))
        await settle()
        await process.revoke(made.token.id)
        assert await outcome(process, made.text) == "token-revoked"
        held.set()
        await early
        assert await outcome(process, made.text) == "token-revoked"

    async def test_a_slow_answer_is_as_old_as_its_question(self, world: FakeWorld) -> None:
        """Three seconds count from when the read began: what it says may have changed ever since."""
        here, there = world.process(), world.process()
        made = await make(there)
        held = world.store.held["get"] = asyncio.Event()
        slow = asyncio.create_task(outcome(here, made.text))
        await settle()
        await there.revoke(made.token.id)
        world.pass_by(2.5)
        held.set()
        await slow
        world.pass_by(1)
        assert await outcome(here, made.text) == "token-revoked"

    async def test_many_who_ask_for_one_token_share_a_read(self, world: FakeWorld) -> None:
        """And one that gives up does not take it from the others."""
        process = world.process()
        made = await make(process)
        world.store.requests.clear()
        world.store.gate.clear()
        asking = [asyncio.create_task(process.identify(made.text)) for _ in range(50)]
        await settle()
        asking.pop(0).cancel()
        await settle()
        world.store.gate.set()
        assert {identity.id for identity in await asyncio.gather(*asking)} == {made.token.id}
        assert world.store.count("get") == 1

    async def test_sixteen_reads_at_once_and_a_bounded_queue(self, world: FakeWorld) -> None:
        """A scan of ids waits for itself; past the queue it is told at once that the store cannot be asked."""
        process = world.process()
        world.store.gate.clear()
        asking = [
            asyncio.create_task(outcome(process, f"drd_{n:012d}_{'9' * 32}")) for n in range(known_tokens.WAITING)
        ]
        await settle()
        assert world.store.count("get") == known_tokens.READS == 16
        assert await outcome(process, NEVER_MADE) == "store-unavailable"
        world.store.gate.set()
        assert set(await asyncio.gather(*asking)) == {"token-unknown"}
        assert await outcome(process, NEVER_MADE) == "token-unknown"

    async def test_a_scan_fills_no_memory(self, world: FakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
        """Absent ids push each other out."""
        monkeypatch.setattr(known_tokens, "ENTRIES", 100)
        known = KnownTokens(world.store, monotonic=lambda: 1.0)
        for n in range(300):
            assert await known.find(f"{n:012d}") is None
        assert len(known._entries) == 100
        assert not known._flights
        assert not known._tasks

    async def test_closing_stops_what_is_being_read(self, world: FakeWorld) -> None:
        """A store that hangs does not keep the process from ending."""
        process = world.process()
        world.store.gate.clear()
        asking = asyncio.create_task(process.identify(NEVER_MADE))
        await settle()
        await process.close()
        with pytest.raises(asyncio.CancelledError):
            await asking


class TestLastUse:
    async def test_it_is_noted_once_in_five_minutes(self, world: FakeWorld) -> None:
        """However often a token is shown, and in however many processes."""
        processes = [world.process() for _ in range(3)]
        made = await make(processes[0])
        written = []
        for _ in range(8):
            for process in processes:
                for _ in range(3):
                    await process.identify(made.text)
            await settle()
            written.append((world.store.count("replace"), world.stored(made.token.id).last_used))
            world.pass_by(100)
        times = [1_700_000_000.0, 1_700_000_300.0, 1_700_000_600.0]
        assert [time for _, time in written] == [times[0]] * 3 + [times[1]] * 3 + [times[2]] * 2
        # Three processes may try at once; two of them lose, and do not try again.
        assert written[-1][0] <= 3 * len(times)

    async def test_a_process_that_has_just_begun_believes_the_note(self, world: FakeWorld) -> None:
        """Restarts do not make it write more often."""
        made = await make(world.process())
        for seconds, written in ((0, 1), (299, 1), (1, 2)):
            world.pass_by(seconds)
            await world.process().identify(made.text)
            await settle()
            assert world.store.count("replace") == written

    async def test_nobody_waits_for_it(self, world: FakeWorld) -> None:
        """A store whose writes hang or fail lets tokens in all the same, and is not asked again for it."""
        process = world.process()
        hanging, failing = await make(process), await make(process)
        held = world.store.held["replace"] = asyncio.Event()
        assert await outcome(process, hanging.text) == f"token {hanging.token.id}"
        await settle()
        world.store.failing, world.store.failing_operations = "tokens/", ("replace",)
        with capture_logs() as logs:
            for _ in range(3):
                assert await outcome(process, failing.text) == f"token {failing.token.id}"
                await settle()
        assert world.store.count("replace", tokens.key_of(failing.token.id)) == 1
        assert [line["log_level"] for line in logs] == ["debug"]
        world.store.failing = None
        held.set()
        await process.close()
        assert world.stored(hanging.token.id).last_used == world.now
        assert world.stored(failing.token.id).last_used is None

    async def test_it_does_not_bring_back_what_was_revoked(self, world: FakeWorld) -> None:
        """The note was under way, on the state before the revocation, and loses."""
        here, there = world.process(), world.process()
        made = await make(there)
        held = world.store.held["replace"] = asyncio.Event()
        await here.identify(made.text)
        await settle()
        revoked = await there.revoke(made.token.id)
        held.set()
        await here.close()
        assert world.stored(made.token.id) == revoked
        assert revoked.revoked is not None

    async def test_a_refused_token_was_not_used(self, world: FakeWorld) -> None:
        """Neither an expired nor a revoked one, and a wrong secret is nobody's use."""
        process = world.process()
        revoked, expired = await make(process), await make(process)
        await outcome(process, wrong_secret(expired.text))
        await process.revoke(revoked.token.id)
        world.pass_by(90 * DAY)
        for made in (revoked, expired):
            await outcome(process, made.text)
        await process.close()
        assert world.stored(revoked.token.id).last_used is None
        assert world.stored(expired.token.id).last_used is None


class TestComingAndGoing:
    async def test_what_is_stored_of_a_new_token(self, world: FakeWorld) -> None:
        """Who made it, when, until when, and the hash of its whole text."""
        process = world.process()
        made = await make(process, ("six", "zope"), "a mirror")
        assert made.token == world.stored(made.token.id) == await process.get(made.token.id)
        assert made.token == StoredToken(
            id=made.text[4:16],
            kind="token",
            scope=("six", "zope"),
            label="a mirror",
            hash=tokens.digest(made.text),
            created=world.now,
            created_by="a test",
            expires=world.now + 90 * DAY,
        )

    async def test_a_token_lives_as_long_as_it_is_told(self, world: FakeWorld) -> None:
        """To the second."""
        process = world.process()
        made = await process.create("admin", created_by="a test", expires=world.now + 10)
        world.pass_by(9.5)
        assert await outcome(process, made.text) == f"token {made.token.id}"
        world.pass_by(0.5)
        assert await outcome(process, made.text) == "token-expired"

    async def test_a_token_that_never_expires(self, world: FakeWorld) -> None:
        """A time beyond what a date can state is stored as the last that one can: the token can be read back."""
        process = world.process()
        made = await process.create("admin", created_by="a test", expires=tokens.LAST_TIME + 43_200)
        assert made.token.expires == tokens.LAST_TIME
        assert await process.get(made.token.id) == made.token
        assert await outcome(process, made.text) == f"token {made.token.id}"

    async def test_a_new_token_that_was_asked_for_before_it_was_made(self, world: FakeWorld) -> None:
        """That there was none is forgotten."""
        process = world.process()
        number = next(_NUMBERS)
        await outcome(process, f"drd_{number + 1:012d}_{'9' * 32}")
        made = await make(process)
        assert made.token.id == f"{number + 1:012d}"
        assert await outcome(process, made.text) == f"token {made.token.id}"

    async def test_a_taken_id_is_left_alone(self, world: FakeWorld) -> None:
        """Another is drawn."""
        process = world.process()
        taken = tokens.key_of(f"{next(_NUMBERS) + 1:012d}")
        await world.store.put(taken, b"somebody's")
        made = await make(process)
        assert tokens.key_of(made.token.id) != taken
        assert world.store.objects[taken].body == b"somebody's"
        assert await outcome(process, made.text) == f"token {made.token.id}"

    async def test_random_text_that_never_changes_is_reported(self, world: FakeWorld) -> None:
        """Instead of trying for ever."""
        process = Tokens(
            world.store, clock=lambda: 0.0, monotonic=lambda: 0.0, new_text=lambda n: "0" * n, bootstrap=None
        )
        await make(process)
        world.store.objects[tokens.key_of("0" * 12)] = StoredObject(b"another", "1")
        with pytest.raises(Conflict, match="all taken"):
            await make(process)

    async def test_a_creation_whose_answer_was_lost_is_recognised(self, world: FakeWorld) -> None:
        """A second attempt finds an object there: its own."""
        process = world.process()
        world.store.lost["create"] = Conflict("lost")
        made = await make(process)
        assert await outcome(process, made.text) == f"token {made.token.id}"
        assert len(world.store.objects) == 1

    async def test_a_revocation_stays_as_it_was_first(self, world: FakeWorld) -> None:
        """The second changes nothing, not even the time."""
        process = world.process()
        made = await make(process)
        first = await process.revoke(made.token.id)
        assert first == msgspec.structs.replace(made.token, revoked=world.now)
        world.pass_by(60)
        assert await world.process().revoke(made.token.id) == first == await process.get(made.token.id)

    async def test_a_revocation_that_another_process_was_first_with_holds_here_at_once(self, world: FakeWorld) -> None:
        """Whoever is told that a token is revoked can rely on it, also in the three seconds of what was known."""
        here, there = world.process(), world.process()
        made = await make(there)
        for _ in range(2):
            await here.identify(made.text)
            await settle()
        await there.revoke(made.token.id)
        assert await outcome(here, made.text) == f"token {made.token.id}"
        await here.revoke(made.token.id)
        assert await outcome(here, made.text) == "token-revoked"

    async def test_a_revocation_whose_answer_was_lost_is_recognised(self, world: FakeWorld) -> None:
        """It finds the token revoked."""
        process = world.process()
        made = await make(process)
        world.store.lost["replace"] = Conflict("lost")
        assert (await process.revoke(made.token.id)).revoked == world.now
        assert await outcome(process, made.text) == "token-revoked"

    async def test_a_revocation_that_was_not_answered_is_looked_for(self, world: FakeWorld) -> None:
        """The caller learns that it is not known; what was known of the token is not believed any more."""
        process = world.process()
        made = await make(process)
        await process.identify(made.text)
        await settle()
        await process.identify(made.text)
        world.store.lost["replace"] = StoreUnavailable("no answer")
        with pytest.raises(StoreUnavailable):
            await process.revoke(made.token.id)
        assert await outcome(process, made.text) == "token-revoked"

    async def test_a_revocation_wins_against_every_note_of_use(self, world: FakeWorld) -> None:
        """It reads again as often as it loses."""
        processes = [world.process() for _ in range(10)]
        made = await make(processes[0])
        for process in processes:
            await process.identify(made.text)
        revoked = await asyncio.gather(*(process.revoke(made.token.id) for process in processes[:3]))
        assert all(each.revoked is not None for each in revoked)
        await world.close()
        assert world.stored(made.token.id).revoked is not None

    @pytest.mark.parametrize("act", [Tokens.get, Tokens.revoke], ids=["get", "revoke"])
    async def test_ids_of_no_token(self, world: FakeWorld, act: Callable[[Tokens, str], Awaitable[object]]) -> None:
        """What cannot be an id costs no request and is not repeated: it may be a whole token."""
        process = world.process()
        made = await make(process)
        world.store.requests.clear()
        for id_ in ("", "short", "../projects/six", "x" * 13, "\u0661" * 12, made.text):
            with pytest.raises(NoSuchToken) as refused:
                await act(process, id_)
            assert not id_ or id_ not in str(refused.value)
        assert not world.store.requests
        with pytest.raises(NoSuchToken, match="no token 999999999999"):
            await act(process, "9" * 12)
        world.store.failing = "tokens/"
        with pytest.raises(StoreUnavailable):
            await act(process, "9" * 12)

    async def test_pages_are_in_the_order_of_ids(self, world: FakeWorld) -> None:
        """Every token once, invitations too; a cursor only where there is more."""
        process = world.process()
        made = [await make(process) for _ in range(5)] + [await process.invite("six", created_by="a test")]
        ids = sorted(each.token.id for each in made)
        for limit in (1, 2, 4, 5, 6, 7):
            pages, after = [], ""
            while True:
                page, cursor = await process.page(after, limit)
                pages.append([token.id for token in page])
                if cursor is None:
                    break
                after = cursor
            assert pages == [ids[n : n + limit] for n in range(0, 6, limit)]
        assert await world.process().page("z", 10) == ([], None)

    async def test_pages_stay_right_while_others_write(self, world: FakeWorld) -> None:
        """What was there all the time is seen once, whatever comes and goes between two pages."""
        process, other = world.process(), world.process()
        there = [(await make(process)).token.id for _ in range(12)]
        for n in range(12):  # in between and before them
            await world.store.put(tokens.key_of(f"{there[n][:-1]}{'Az'[n % 2]}"), b"{}")
        seen: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            page, cursor = await process.page(cursor, 3)
            seen += [token.id for token in page]
            await make(other)
            await other.revoke(there[-1])
            await world.store.delete(tokens.key_of(f"{there[0][:-1]}A"))
        assert [id_ for id_ in seen if id_ in there] == there
        assert len(seen) == len(set(seen))

    async def test_what_is_damaged_or_foreign_is_left_out_of_a_page(self, world: FakeWorld) -> None:
        """A damaged token is logged; other objects are none of ours; one that went meanwhile is gone."""
        process = world.process()
        made = [await make(process) for _ in range(3)]
        await world.store.put(tokens.key_of(made[1].token.id), b"{}")
        await world.store.put("tokens/readme.txt", b"hello")
        with capture_logs() as logs:
            page, cursor = await process.page("", 10)
        assert [token.id for token in page] == [made[0].token.id, made[2].token.id]
        assert cursor is None
        assert [(line["event"], line["token"]) for line in logs] == [("damaged token", made[1].token.id)]
        assert await process.page("", 2) == ([made[0].token], made[1].token.id)


class TestInvitations:
    async def test_an_invitation_is_redeemed_for_a_token_of_its_project(self, world: FakeWorld) -> None:
        """The label goes over, and the new token says where it comes from."""
        process = world.process()
        invitation = await process.invite("Zope.Interface", created_by="token 1", label="a maintainer")
        assert (invitation.token.kind, invitation.token.scope) == ("invitation", ("zope-interface",))
        assert invitation.token.expires == world.now + 72 * 3_600
        world.pass_by(3_600)
        created = await world.process().redeem(invitation.text)
        assert created.token == StoredToken(
            id=created.text[4:16],
            kind="token",
            scope=("zope-interface",),
            label="a maintainer",
            hash=tokens.digest(created.text),
            created=world.now,
            created_by=f"invitation {invitation.token.id} by token 1",
            expires=world.now + 90 * DAY,
        )
        assert (await process.identify(created.text)).may_write("zope.interface")
        spent = await process.get(invitation.token.id)
        assert (spent.used, spent.used_for) == (world.now, created.token.id)

    async def test_an_invitation_is_for_a_project(self, world: FakeWorld) -> None:
        """Of a name that a project can have."""
        with pytest.raises(InvalidRecord):
            await world.process().invite("a b", created_by="a test")
        assert not world.store.objects

    async def test_looking_changes_nothing(self, world: FakeWorld) -> None:
        """Mail programs and chats fetch a link before anybody follows it."""
        process = world.process()
        invitation = await process.invite("six", created_by="a test")
        before = dict(world.store.objects)
        for _ in range(3):
            assert await process.look_at(invitation.text) == invitation.token
            world.pass_by(3_600)
        await process.close()
        assert world.store.objects == before

    @pytest.mark.parametrize("act", [Tokens.look_at, Tokens.redeem], ids=["look at", "redeem"])
    async def test_texts_of_no_invitation(
        self, world: FakeWorld, act: Callable[[Tokens, str], Awaitable[object]]
    ) -> None:
        """A token is none, nor is a wrong secret; all are told the same, and nothing is made."""
        process = world.process()
        texts = [wrong_secret((await process.invite("six", created_by="a test")).text), (await make(process)).text]
        before = dict(world.store.objects)
        said = set()
        for text in ("", "hello", NEVER_MADE, BOOTSTRAP_TEXT, "\ud800", *texts):
            with pytest.raises(NoSuchInvitation) as refused:
                await act(process, text)
            said.add(str(refused.value))
        assert len(said) == 1
        assert world.store.objects == before
        world.store.failing = "tokens/"
        with pytest.raises(StoreUnavailable):
            await act(world.process(), NEVER_MADE)

    @pytest.mark.parametrize("act", [Tokens.look_at, Tokens.redeem], ids=["look at", "redeem"])
    @pytest.mark.parametrize(
        ("end", "said"), [("use", "was used on"), ("revoke", "was revoked on"), ("wait", "expired on")]
    )
    async def test_spent_invitations(
        self, world: FakeWorld, act: Callable[[Tokens, str], Awaitable[object]], end: str, said: str
    ) -> None:
        """Used, taken back, or too old: each is told which, and no token is made."""
        process, other = world.process(), world.process()
        invitation = await process.invite("six", created_by="a test", seconds=60)
        if end == "use":
            await other.redeem(invitation.text)
        elif end == "revoke":
            await other.revoke(invitation.token.id)
        world.pass_by(60 if end == "wait" else 5)
        objects = len(world.store.objects)
        with pytest.raises(InvitationSpent, match=f"{said} 2023-11-14"):
            await act(process, invitation.text)
        assert len(world.store.objects) == objects

    async def test_an_invitation_that_was_revoked_a_moment_ago_elsewhere_makes_no_token(self, world: FakeWorld) -> None:
        """What is believed for three seconds is enough to look at, and not to redeem."""
        here, there = world.process(), world.process()
        invitation = await there.invite("six", created_by="a test")
        await here.look_at(invitation.text)
        await there.revoke(invitation.token.id)
        with pytest.raises(InvitationSpent, match="was revoked"):
            await here.redeem(invitation.text)
        await here.close()
        assert all(token.revoked is not None for token in (await there.page("", 10))[0])

    @pytest.mark.parametrize("error", [Conflict("lost"), StoreUnavailable("no answer")], ids=lambda error: error.code)
    async def test_a_redemption_whose_answer_was_lost_is_recognised(self, world: FakeWorld, error: Exception) -> None:
        """The invitation says for which token it was spent: the maintainer is let in, not turned away."""
        process = world.process()
        invitation = await process.invite("six", created_by="a test")
        world.store.lost["replace"] = error
        created = await process.redeem(invitation.text)
        await process.close()
        assert await outcome(world.process(), created.text) == f"token {created.token.id}"

    async def test_a_redemption_that_fails_leaves_the_invitation_and_no_token(self, world: FakeWorld) -> None:
        """The next attempt succeeds; what the first had made is revoked."""
        process = world.process()
        invitation = await process.invite("six", created_by="a test")
        world.store.failing, world.store.failing_operations = tokens.key_of(invitation.token.id), ("replace",)
        with pytest.raises(StoreUnavailable):
            await process.redeem(invitation.text)
        world.store.failing = None
        created = await process.redeem(invitation.text)
        await process.close()
        page, _ = await process.page("", 10)
        assert [token.id for token in page if token.kind == "token" and token.revoked is None] == [created.token.id]
        assert len(page) == 3

    async def test_no_secret_is_logged_or_stored(self, world: FakeWorld) -> None:
        """Through a whole life, with failures: not in the store, not in a log, not in what represents a new token."""
        process = world.process()
        with capture_logs() as logs:
            made = await make(process, "admin")
            invitation = await process.invite("six", created_by="a test")
            await process.identify(made.text)
            world.store.failing, world.store.failing_operations = "tokens/", ("replace",)
            with pytest.raises(StoreUnavailable):
                await process.redeem(invitation.text)
            await process.close()
        assert len(world.made) == 3
        assert len(logs) >= 1
        shown = [
            repr(made),
            repr(invitation),
            repr(logs),
            *(str(stored.body) for stored in world.store.objects.values()),
        ]
        assert not [secret for secret in world.made for text in shown if secret in text]


class Everywhere:
    """What holds on every store, between processes. A subclass gives the fixture ``store``."""

    @pytest_asyncio.fixture
    async def world(self, store: Store) -> AsyncIterator[World]:
        """Processes over the store."""
        made = World(store)
        yield made
        await made.close()
        await store.close()

    async def test_a_token_comes_and_goes(self, world: World) -> None:
        """Made here, used there, revoked here, refused there."""
        here, there = world.process(), world.process()
        made = await make(here)
        assert await outcome(there, made.text) == f"token {made.token.id}"
        await there.close()
        assert (await here.get(made.token.id)).last_used == world.now
        revoked = await here.revoke(made.token.id)
        assert revoked.last_used == world.now
        assert await here.revoke(made.token.id) == revoked
        assert await outcome(here, made.text) == "token-revoked"
        world.pass_by(4)
        assert await outcome(there, made.text) == "token-revoked"
        assert await here.page("", 10) == ([revoked], None)

    async def test_of_all_who_redeem_an_invitation_at_once_one_succeeds(self, world: World) -> None:
        """Two in each of four processes: the others are told so, and what was made for them lets nobody in."""
        processes = [world.process() for _ in range(4)] * 2
        invitation = await processes[0].invite("six", created_by="a test")
        results = await asyncio.gather(*(each.redeem(invitation.text) for each in processes), return_exceptions=True)
        await world.close()
        [created] = [result for result in results if isinstance(result, Created)]
        assert [type(result) for result in results].count(InvitationSpent) == 7
        world.pass_by(5)
        page, _ = await processes[0].page("", 100)
        # Each secret is drawn right after its id: both are numbers.
        texts = [f"drd_{int(secret) - 1:012d}_{secret}" for secret in world.made]
        made = {token.hash: token for token in page}
        assert {tokens.digest(text) for text in texts} == set(made)
        outcomes = [await outcome(processes[0], text) for text in texts if made[tokens.digest(text)].kind == "token"]
        assert outcomes.count(f"token {created.token.id}") == 1
        assert outcomes.count("token-revoked") == len(outcomes) - 1
        with pytest.raises(InvitationSpent):
            await processes[1].redeem(invitation.text)

    async def test_a_revocation_among_many_uses_holds(self, world: World) -> None:
        """Whoever notes a use meanwhile loses."""
        processes = [world.process() for _ in range(5)]
        made = await make(processes[0])
        await asyncio.gather(
            *(outcome(process, made.text) for process in processes), processes[0].revoke(made.token.id)
        )
        await world.close()
        assert (await processes[0].get(made.token.id)).revoked == world.now


class TestInMemory(Everywhere):
    @pytest.fixture
    def store(self) -> Store:
        """A store in memory."""
        return FakeStore()


class TestOnADirectory(Everywhere):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        """A store in a folder."""
        return DirectoryStore(tmp_path / "store")


class TestOnMoto(Everywhere):
    @pytest.fixture
    def store(self, monkeypatch: pytest.MonkeyPatch) -> Store:
        """A store in an empty bucket of moto's."""
        server = Moto.shared()
        server.reset()
        server.make_bucket("bucket")
        lead_to(monkeypatch, server.endpoint)
        return S3Store("s3://bucket/prefix")


@on_rgw
class TestOnRgw(Everywhere):
    @pytest.fixture
    def store(self, monkeypatch: pytest.MonkeyPatch) -> Store:
        """A store in a new bucket of Ceph's."""
        gateway = rgw.shared()
        lead_to(monkeypatch, gateway.endpoint, gateway.owner)
        bucket = f"bucket-{uuid.uuid4().hex}"
        gateway.make_bucket(bucket)
        return S3Store(f"s3://{bucket}")


async def test_a_redemption_that_nobody_waited_for_leaves_the_invitation_good() -> None:
    """The store was too slow, and whoever opened the link was told to try again: then it works."""
    store = TroubledStore()
    service = Tokens(store, clock=lambda: 1_000.0, monotonic=lambda: 0.0, new_text=new_text, bootstrap=None)
    invitation = (await service.invite("six", created_by="x")).text
    store.gate.clear()
    redeeming = asyncio.create_task(service.redeem(invitation))
    await asyncio.sleep(0.01)
    redeeming.cancel()
    await asyncio.gather(redeeming, return_exceptions=True)
    store.gate.set()
    await service.close()
    later = Tokens(store, clock=lambda: 1_010.0, monotonic=lambda: 10.0, new_text=new_text, bootstrap=None)
    created = await later.redeem(invitation)
    assert (await later.identify(created.text)).scope == ("six",)
    found, _ = await later.page("", 10)
    good = [token for token in found if token.kind == "token" and token.revoked is None]
    assert [token.id for token in good] == [created.token.id]
    await later.close()


@pytest.mark.parametrize("steps", range(1, 12))
async def test_a_redemption_may_be_cut_off_anywhere(steps: int) -> None:
    """After any number of steps of the store: the next try succeeds, and one token is good."""
    store = TroubledStore()
    service = Tokens(store, clock=lambda: 1_000.0, monotonic=lambda: 0.0, new_text=new_text, bootstrap=None)
    invitation = (await service.invite("six", created_by="x")).text
    redeeming = asyncio.create_task(service.redeem(invitation))
    for _ in range(steps):
        await asyncio.sleep(0)
    if redeeming.done():
        pytest.skip("it was faster")
    redeeming.cancel()
    await asyncio.gather(redeeming, return_exceptions=True)
    await service.close()
    later = Tokens(store, clock=lambda: 1_010.0, monotonic=lambda: 10.0, new_text=new_text, bootstrap=None)
    created = await later.redeem(invitation)
    found, _ = await later.page("", 10)
    assert [token.id for token in found if token.kind == "token" and token.revoked is None] == [created.token.id]
    await later.close()
