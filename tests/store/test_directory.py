"""The directory store: the contract of every store, and what only a folder on a disk can go through."""

import asyncio
import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from docsredirect.domain.errors import StoreUnavailable
from docsredirect.store import DirectoryStore, Store, open_store
from docsredirect.store.threads import SHARE, THREADS
from tests.store.contract import Connect, StoreContract, increment, keys_of
from tests.store.processes import crash_body

REPOSITORY = Path(__file__).parents[2]
ALONE = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(REPOSITORY)}


def command(task: str, folder: Path, *arguments: object) -> list[str]:
    """Return the command line of a task of `processes`."""
    return [sys.executable, "-m", "tests.store.processes", task, str(folder), *map(str, arguments)]


def start(words: list[str]) -> subprocess.Popen[bytes]:
    """Start a task in a process of its own."""
    return subprocess.Popen(words, env=ALONE, stdout=subprocess.PIPE)


def run(words: list[str]) -> dict[str, Any]:
    """Run a task in a process of its own and return its report."""
    done = subprocess.run(words, env=ALONE, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def entries(folder: Path) -> list[str]:
    """Return the names in a folder."""
    return sorted(path.name for path in folder.iterdir())


@cache
def can_mount() -> bool:
    """Tell whether a process may mount in a name space of its own, as root or where users may."""
    if shutil.which("unshare") is None:
        return False
    probe = ["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/proc"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


class TestDirectoryStoreContract(StoreContract):
    @pytest.fixture
    def connect(self, tmp_path: Path) -> Connect:
        """Open clients of one folder that does not exist yet."""
        return lambda: DirectoryStore(tmp_path / "deep" / "store")


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[DirectoryStore]:
    """A store in a new folder, used once so that the folder is there."""
    client = DirectoryStore(tmp_path / "store")
    assert await client.get("a.json") is None
    yield client
    await client.close()


Operation = Callable[[Store], Any]

OPERATIONS: dict[str, Operation] = {
    "get": lambda store: store.get("projects/six.json"),
    "get absent": lambda store: store.get("projects/other.json"),
    "create": lambda store: store.create("projects/new.json", b"x"),
    "replace": lambda store: store.replace("projects/six.json", b"x", "made-up"),
    "put": lambda store: store.put("projects/six.json", b"x"),
    "delete": lambda store: store.delete("projects/six.json"),
    "list": lambda store: keys_of(store, "projects/"),
    "list all": lambda store: keys_of(store, ""),
}


async def test_processes_lose_no_update(store: DirectoryStore, tmp_path: Path) -> None:
    """Two processes that add to one number while this one does too lose nothing."""
    await store.create("count", b"0")
    others = [start(command("count", tmp_path / "store", 150)) for _ in range(2)]
    added = 0
    while any(other.poll() is None for other in others):
        await increment(store, "count")
        added += 1
    reports = [json.loads(other.communicate()[0]) for other in others]
    stored = await store.get("count")
    assert stored is not None
    assert int(stored.body) == 300 + added
    assert sum(report["lost"] for report in reports) > 0, "the processes never raced"


def test_kill_leaves_old_or_new(tmp_path: Path) -> None:
    """A writer killed at any of 30 moments leaves a whole state that is no older than what it was told, and no lock."""
    report = run(command("crash", tmp_path / "store", 30, 20_180_101))
    assert len(report["numbers"]) == 30
    assert report["numbers"] == sorted(report["numbers"])
    assert report["numbers"][-1] > 30, "the writers hardly wrote"
    assert (tmp_path / "store" / "a" / "state").read_bytes() == crash_body(report["numbers"][-1])


async def test_leftovers_are_not_listed(store: DirectoryStore, tmp_path: Path) -> None:
    """What a killed writer leaves in the folder for temporary files, and the locks, are no objects."""
    await store.create("a.json", b"x")
    (tmp_path / "store" / ".tmp" / "0123456789abcdef").write_bytes(b"half an obj")
    for prefix in ("", "0", "a"):
        assert await keys_of(store, prefix) == ([] if prefix == "0" else ["a.json"])


@pytest.mark.parametrize("prefix", [".", ".tmp/", ".locks/", "../", "/", "a/../../", "~"])
async def test_prefix_stays_inside(store: DirectoryStore, tmp_path: Path, prefix: str) -> None:
    """No prefix lists what is no object: neither the store's own files nor anything outside its folder."""
    await store.create("a/b.json", b"x")
    (tmp_path / "store" / ".tmp" / "0123456789abcdef").write_bytes(b"half an obj")
    (tmp_path / "outside.json").write_bytes(b"not ours")
    try:
        keys = await keys_of(store, prefix)
    except ValueError:
        keys = []
    assert keys == []


@pytest.mark.parametrize("stray", [".DS_Store", "projects/.six.json.swp", "projects/six.json~", "#six.json#"])
async def test_every_listed_key_can_be_read(store: DirectoryStore, tmp_path: Path, stray: str) -> None:
    """A file that some other program left in the folder, under a name that is no key, is no object."""
    await store.create("projects/six.json", b"x")
    (tmp_path / "store" / stray).write_bytes(b"stray")
    assert await keys_of(store, "") == ["projects/six.json"]


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
@pytest.mark.parametrize("mount_point_stays", [False, True], ids=["removed", "emptied"])
async def test_vanished_folder_is_unavailable(
    store: DirectoryStore, tmp_path: Path, operation: Operation, mount_point_stays: bool
) -> None:
    """When the whole folder goes away, as an unmounted disk does, nothing is known, and nothing is written there."""
    await store.create("projects/six.json", b"x")
    (tmp_path / "store").rename(tmp_path / "unmounted")
    if mount_point_stays:
        (tmp_path / "store").mkdir()
    with pytest.raises(StoreUnavailable, match="cannot be used"):
        await operation(store)
    assert not mount_point_stays or list((tmp_path / "store").iterdir()) == []
    assert mount_point_stays or not (tmp_path / "store").exists()


async def test_folder_that_comes_back_works_again(store: DirectoryStore, tmp_path: Path) -> None:
    """A disk that is mounted again is used again, with all that is on it."""
    await store.create("projects/six.json", b"x")
    (tmp_path / "store").rename(tmp_path / "unmounted")
    with pytest.raises(StoreUnavailable):
        await store.get("projects/six.json")
    (tmp_path / "unmounted").rename(tmp_path / "store")
    assert await store.get("projects/six.json") is not None


async def test_folder_that_vanishes_during_a_listing_is_unavailable(store: DirectoryStore, tmp_path: Path) -> None:
    """A listing whose folder goes away between two pages breaks off: a short one would look complete."""
    await asyncio.gather(*(store.create(f"projects/p{number}.json", b"x") for number in range(1_001)))
    listing = store.list_objects("projects/")
    assert (await anext(listing)).key == "projects/p0.json"
    (tmp_path / "store").rename(tmp_path / "unmounted")
    with pytest.raises(StoreUnavailable):
        [listed async for listed in listing]


@pytest.mark.parametrize("operation", [name for name in OPERATIONS if not name.startswith("list")])
async def test_folder_where_a_file_belongs_is_unavailable(
    store: DirectoryStore, tmp_path: Path, operation: str
) -> None:
    """An object that is there and cannot be read or written as a file is never taken for absent."""
    for name in ("six", "new", "other"):
        (tmp_path / "store" / "projects" / f"{name}.json" / "below").mkdir(parents=True)
    with pytest.raises(StoreUnavailable):
        await OPERATIONS[operation](store)


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
async def test_unreadable_folder_is_unavailable(store: DirectoryStore, tmp_path: Path, operation: Operation) -> None:
    """A folder that is there and cannot be opened (here not even by root) hides objects: nothing in it is known."""
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "projects").symlink_to("projects")
    with pytest.raises(StoreUnavailable):
        await operation(store)


@pytest.mark.parametrize("operation", [name for name in OPERATIONS if not name.startswith("list")])
async def test_file_where_a_folder_belongs_is_unavailable(
    store: DirectoryStore, tmp_path: Path, operation: str
) -> None:
    """An object whose folder is no folder can be neither read nor written, and is not taken for absent."""
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "projects").write_bytes(b"not a folder")
    with pytest.raises(StoreUnavailable):
        await OPERATIONS[operation](store)


@pytest.mark.parametrize("locked", ["projects", "projects/six.json", "history/six"])
async def test_locked_part_is_unavailable(store: DirectoryStore, tmp_path: Path, locked: str) -> None:
    """A folder or a file without read permission makes a listing of it unavailable, never shorter."""
    await store.create("projects/six.json", b"x")
    await store.create("history/six/1.json", b"x")
    (tmp_path / "store" / locked).chmod(0)
    words = command("listing", tmp_path / "store", locked.partition("/")[0])
    if os.geteuid() == 0:
        words = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *words]
    report = run(words)
    (tmp_path / "store" / locked).chmod(0o700)
    assert report["keys"] is None
    assert "Permission denied" in report["refused"]


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
async def test_root_that_cannot_be_made_is_unavailable(tmp_path: Path, operation: Operation) -> None:
    """A store whose folder can neither be found nor made is unavailable in every operation."""
    (tmp_path / "file").write_bytes(b"in the way")
    store = DirectoryStore(tmp_path / "file" / "store")
    with pytest.raises(StoreUnavailable, match="Not a directory"):
        await operation(store)
    await store.close()


def assert_kept(report: dict[str, Any]) -> None:
    """Check what a process told that wrote more than its disk takes."""
    assert len(report["refused"]) == 3
    assert all("cannot be used" in reason for reason in report["refused"])
    assert report["kept"], "the old object is intact"
    assert report["works again"]
    assert report["keys"] == ["a.json"]
    assert report["left"] == [], "half-written files are removed at once"


def test_file_size_limit_is_unavailable(tmp_path: Path) -> None:
    """A write that breaks off in the middle is unavailable, leaves the old object, and leaves no room taken."""
    assert_kept(run(command("fill", tmp_path / "store", 1 << 16)))


def test_full_disk_is_unavailable(tmp_path: Path) -> None:
    """A disk without room (a small tmpfs where one can be mounted, else a limit) leaves the old object intact."""
    words = command("fill", tmp_path, 0)
    if can_mount():
        mounting = 'mount -t tmpfs -o size=512k none "$0" && exec "$@"'
        words = ["unshare", "-rm", "sh", "-c", mounting, str(tmp_path), *words]
    else:
        words[-1] = str(1 << 18)
    report = run(words)
    assert_kept(report)
    assert not can_mount() or all("No space left" in reason for reason in report["refused"])


async def test_read_only_folder_can_be_read(store: DirectoryStore, tmp_path: Path) -> None:
    """A store on a read-only disk is read and listed as ever; a write is unavailable."""
    await store.create("a.json", b"old")
    words = command("read", tmp_path / "store")
    if can_mount():
        mounting = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
        words = ["unshare", "-rm", "sh", "-c", mounting, str(tmp_path / "store"), *words]
    else:
        for folder in (tmp_path / "store", *(tmp_path / "store").iterdir()):
            folder.chmod(0o555 if folder.is_dir() else 0o444)
    report = run(words)
    assert (report["body"], report["absent"], report["keys"]) == ("old", True, ["a.json"])
    assert report["refused"] is not None or (os.geteuid() == 0 and not can_mount())


async def test_abandoned_temporary_files_are_removed(tmp_path: Path) -> None:
    """What a killed writer left is removed at first use once it is an hour old; younger files may have a writer."""
    folder = tmp_path / "store" / ".tmp"
    folder.mkdir(parents=True)
    for name, age in (("old", 3_700.0), ("older", 90_000.0), ("young", 3_500.0), ("new", 0.0)):
        (folder / name).write_bytes(b"half")
        os.utime(folder / name, (time.time() - age,) * 2)
    store = DirectoryStore(tmp_path / "store")
    await store.put("a.json", b"x")
    await store.close()
    assert sorted(path.name for path in folder.iterdir()) == ["new", "young"]


async def test_put_renews_the_age(store: DirectoryStore, tmp_path: Path) -> None:
    """Putting the bytes that are there makes the object young again, so that nobody removes it as unused."""
    await store.put("shards/00-aa", b"x")
    os.utime(tmp_path / "store" / "shards" / "00-aa", (1_000_000.0, 1_000_000.0))
    (listed,) = [listed async for listed in store.list_objects("shards/")]
    assert listed.modified == 1_000_000.0
    await store.put("shards/00-aa", b"x")
    (renewed,) = [listed async for listed in store.list_objects("shards/")]
    assert renewed.etag == listed.etag
    assert renewed.modified > time.time() - 60


async def test_writes_leave_nothing_behind(store: DirectoryStore, tmp_path: Path) -> None:
    """After writes, lost races and refusals there is nothing in the folder for temporary files."""
    await store.create("a.json", b"x")
    outcomes = await asyncio.gather(
        *(store.create("a.json", b"y") for _ in range(8)),
        *(store.replace("a.json", b"y", "made-up") for _ in range(8)),
        *(store.put(f"b/{number}", b"z") for number in range(8)),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, Exception) for outcome in outcomes) == 16
    assert list((tmp_path / "store" / ".tmp").iterdir()) == []


async def test_content_that_comes_back_is_the_same_state(store: DirectoryStore) -> None:
    """An ETag is made from the bytes: equal bytes have equal ETags, under any key and after any detour."""
    first = await store.put("a", b"one")
    await store.put("a", b"two")
    assert await store.put("a", b"one") == first == await store.put("b", b"one")


async def test_constructor_touches_nothing(tmp_path: Path) -> None:
    """Opening a store makes no folder: a disk that is not mounted yet may be later."""
    async with open_store(str(tmp_path / "later")) as store:
        assert await store.get("k") is None
    assert entries(tmp_path) == []


async def test_open_store_forms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file URL, with escapes or without, and an absolute or relative path open the same folder."""
    monkeypatch.chdir(tmp_path)
    name = "a b%41\u00e9?#"
    first = DirectoryStore(tmp_path / name)
    await first.put("k", b"x")
    forms = [
        str(tmp_path / name),
        name,
        f"./{name}",
        first.url,
        f"file://{tmp_path}/a%20b%2541%C3%A9%3F%23",
        f"file://{tmp_path}/a b%2541\u00e9?#",
    ]
    for form in forms:
        async with open_store(form) as store:
            stored = await store.get("k")
            assert stored is not None, form
            assert stored.body == b"x"
            assert store.url == first.url
    await first.close()


async def test_relative_path_is_fixed_when_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path is taken from where the process was when it opened the store, not from where it goes later."""
    monkeypatch.chdir(tmp_path)
    async with open_store("here") as store:
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        await store.put("k", b"x")
    assert (tmp_path / "here" / "k").read_bytes() == b"x"


async def test_url_that_no_file_system_takes_is_unavailable(tmp_path: Path) -> None:
    """A NUL in the address, or a name longer than a file name may be, is a store that cannot be used."""
    for url in (f"file://{tmp_path}/a%00b", str(tmp_path / ("a" * 300))):
        async with open_store(url) as store:
            with pytest.raises(StoreUnavailable):
                await store.get("k")


async def test_close_lets_a_write_finish(tmp_path: Path) -> None:
    """A write that has begun is finished by closing, not cut off."""
    store = DirectoryStore(tmp_path / "store")
    writing = asyncio.create_task(store.create("a", bytes(1 << 20)))
    await asyncio.sleep(0)
    await store.close()
    await writing
    assert (tmp_path / "store" / "a").read_bytes() == bytes(1 << 20)


async def test_a_disk_that_hangs_is_unavailable_and_can_be_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read that does not come back (here from a pipe that nobody writes to) ends in time, and so does closing."""
    monkeypatch.setattr("docsredirect.store.directory._READ_SECONDS", 0.1)
    monkeypatch.setattr("docsredirect.store.directory._CLOSE_SECONDS", 0.1)
    store = DirectoryStore(tmp_path)
    os.mkfifo(tmp_path / "k")
    with pytest.raises(StoreUnavailable, match="did not answer within"):
        await store.get("k")
    async with asyncio.timeout(5):
        await store.close()
    with (tmp_path / "k").open("wb"):
        pass  # lets the reader go, which this process would otherwise wait for at its end


@contextmanager
def held(folder: Path, *, names: tuple[str, ...] = ()) -> Iterator[None]:
    """Hold the locks of those names, or all, as a process does that was stopped in the middle of a write."""
    (folder / ".locks").mkdir(parents=True, exist_ok=True)
    with ExitStack() as files:
        for name in names or tuple(f"{number:02x}" for number in range(64)):
            fcntl.flock(files.enter_context((folder / ".locks" / name).open("w")), fcntl.LOCK_EX)
        yield


WRITES: dict[str, Operation] = {name: OPERATIONS[name] for name in ("create", "replace", "put", "delete")}


@pytest.mark.parametrize("operation", WRITES.values(), ids=WRITES)
async def test_a_lock_that_is_not_let_go_of_is_unavailable(
    store: DirectoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, operation: Operation
) -> None:
    """A write gives up in its time and says why; it leaves no file and no thread behind, and the next one works."""
    monkeypatch.setattr("docsredirect.store.directory._WRITE_SECONDS", 3.0)
    monkeypatch.setattr("docsredirect.store.directory._LOCK_PART", 0.1)
    with held(tmp_path / "store"):
        for _ in range(2):
            stuck = [operation(store) for _ in range(2 * SHARE)]
            outcomes = await asyncio.gather(*stuck, return_exceptions=True)
            assert {type(outcome) for outcome in outcomes} == {StoreUnavailable}
            assert all("holds" in str(outcome) and "let it go on, or end it" in str(outcome) for outcome in outcomes)
    assert entries(tmp_path / "store" / ".tmp") == []
    await store.put("projects/six.json", b"x")
    assert await store.get("projects/six.json") is not None


async def test_stuck_writes_keep_nobody_from_reading(store: DirectoryStore, tmp_path: Path) -> None:
    """However many writes wait for a process that was stopped, reads and listings answer at once."""
    await store.create("a.json", b"x")
    with held(tmp_path / "store"):
        writing = [asyncio.create_task(store.put(f"b/{number}", b"y")) for number in range(4 * THREADS)]
        await asyncio.sleep(0.1)
        async with asyncio.timeout(2):
            assert await store.get("a.json") is not None
            assert await keys_of(store, "") == ["a.json"]
    await asyncio.gather(*writing)
    assert len(await keys_of(store, "b/")) == 4 * THREADS


async def test_a_stuck_lock_keeps_nobody_from_writing_elsewhere(store: DirectoryStore, tmp_path: Path) -> None:
    """Writes to one lock take only their share of the threads."""
    await store.create("a.json", b"x")
    locks = set(entries(tmp_path / "store" / ".locks"))
    await store.create("b.json", b"x")  # another lock, as it happens
    assert len(locks) == 1 < len(entries(tmp_path / "store" / ".locks"))
    with held(tmp_path / "store", names=tuple(locks)):
        writing = [asyncio.create_task(store.put("a.json", b"y")) for _ in range(2 * THREADS)]
        await asyncio.sleep(0.1)
        async with asyncio.timeout(5):
            await store.put("b.json", b"z")
    await asyncio.gather(*writing)


async def test_a_file_that_hangs_keeps_nobody_from_reading_others(store: DirectoryStore, tmp_path: Path) -> None:
    """Reads of it (a pipe that nobody writes to) take only their share of the threads."""
    await store.create("a.json", b"x")
    os.mkfifo(tmp_path / "store" / "k")
    reading = [asyncio.create_task(store.get("k")) for _ in range(2 * THREADS)]
    await asyncio.sleep(0.1)
    async with asyncio.timeout(2):
        assert await store.get("a.json") is not None
    for task in reading:
        task.cancel()
    await asyncio.wait(reading)
    with (tmp_path / "store" / "k").open("wb"):
        pass  # lets the readers go


async def test_a_write_that_nobody_waits_for_any_more_is_not_begun(store: DirectoryStore, tmp_path: Path) -> None:
    """It stood behind others for a thread: done long after, it would surprise whoever was told that it failed."""
    await store.create("a.json", b"x")
    with held(tmp_path / "store"):
        stuck = [asyncio.create_task(store.put(f"b/{number}", b"y")) for number in range(4 * THREADS)]
        await asyncio.sleep(0.1)
        late = asyncio.create_task(store.put("late.json", b"x"))
        await asyncio.sleep(0.1)
        late.cancel()
        await asyncio.wait([late])
    await asyncio.gather(*stuck)
    assert await store.get("late.json") is None


async def test_a_store_that_waits_for_a_lock_can_be_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing makes the waiting write give up, so that the process can end."""
    monkeypatch.setattr("docsredirect.store.directory._CLOSE_SECONDS", 0.2)
    store = DirectoryStore(tmp_path / "store")
    with held(tmp_path / "store"):
        writing = [asyncio.create_task(store.put("a.json", b"x")) for _ in range(2)]
        await asyncio.sleep(0.1)
        async with asyncio.timeout(5):
            await store.close()
            outcomes = await asyncio.gather(*writing, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {StoreUnavailable}
