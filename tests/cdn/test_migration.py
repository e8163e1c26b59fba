"""The move to docsredirect, rehearsed: every step of deploy/MIGRATION.md with its gate and its undo, by the commands
that stand there, on an old service behind a CDN, and real processes and a real Varnish of ours."""

import asyncio
import json
import re
import time
from typing import Any

import pytest

from tests.cdn import document
from tests.cdn.document import block, inline
from tests.cdn.going_back import hand_written
from tests.cdn.rehearsal import OLD_PAGES, PACKAGES, PYTHONHOSTED, WWW, Move, moving, running_cdn
from tests.cdn.spellings import as_written
from tests.cdn.stage import ask, corpus
from tests.support.edges import rows_of

BEFORE, SHADOW, ONE, ALL, OFF, AGAIN = (
    "0. Before", "1. Shadow", "2. One host", "3. All hosts", "4. Old service off", "Coming again",
)  # fmt: skip
WITHIN = 60.0

GOOD = corpus()
SPELLED = GOOD[::3]
"""Projects that the hand-written file spells in several ways."""

CONFLICT = [("Twice", True, "https://twice.example.org/a"), ("twice", True, "https://twice.example.org/b")]
FAULTY = [
    ("paged", True, "https://paged.example.org/index.html", "base-page"),
    ("looping", True, "https://pythonhosted.org/looping", "url-own-host"),
    ("packages", True, "https://files.example.org", "name-reserved"),
    ("no name!", True, "https://none.example.org", "name"),
]
"""Lines that the old service takes and that cannot go in, with the code of what is wrong."""

SIX = "https://six.readthedocs.io/en/latest/"
MOVED: dict[str, Any] = {"project": "six", "target": "https://moved.example.org/", "path": "keep"}
RULED: dict[str, Any] = {
    "project": SPELLED[1].project, "target": "https://ruled.example.org/", "path": "clean",
    "rules": {"a/page.html": "https://elsewhere.example.org/"},
}  # fmt: skip
GONE: dict[str, Any] = {
    "project": SPELLED[2].project, "target": "https://gone.example.org/", "path": "keep", "state": "gone",
}  # fmt: skip
FIRST: dict[str, Any] = {"project": "first", "target": "https://first.example.org/", "path": "keep"}


@pytest.mark.real_part("curl")
@pytest.mark.real_part("libvmod_xkey.so")
@pytest.mark.real_part("varnishd")
async def test_every_step_and_every_undo() -> None:
    """In order, as an operator takes them, each gate with its figure."""
    async with moving() as move:
        await _before(move)
        await _mirror_on_and_off(move)
        await move.start_edge(rows=len(GOOD) + 1)
        async with running_cdn(move):
            await _shadow(move)
            await _one_host(move)
            await _share(move)
            await _all_hosts(move)
            await _edits(move)
            await _all_hosts_undone(move)
            await _old_service_off(move)
            await _coming_again(move)


async def _before(move: Move) -> None:
    """What cannot go in is told line by line, with a code that the document explains; mended, all of it goes in."""
    good, shell = hand_written(GOOD), move.shell()
    bad = [*CONFLICT, *(row[:3] for row in FAULTY)]
    move.mirror.write_bytes(good + _lines(*bad))
    await move.old.restart()
    tried = await shell(block(BEFORE, "import --dry-run"))
    told = {int(number) for number in re.findall(r"^line (\d+): ", tried.err, re.MULTILINE)}
    assert (tried.status, told) == (1, {good.count(b"\n") + number for number, _ in enumerate(bad, 1)})
    in_json = await shell("docsredirect import --dry-run --json redirects.txt")
    codes = {error["code"] for error in json.loads(in_json.out)["errors"]}
    assert codes == {"conflict", *(code for *_, code in FAULTY)} <= document.codes()
    mended = good + _lines(CONFLICT[0], ("twice", *CONFLICT[0][1:]))
    (move.work / "redirects.txt").write_bytes(mended)
    await _run(move, block(BEFORE, "--reason"))
    gate = await _run(move, block(BEFORE, "import --dry-run"))
    count = len(mended.splitlines())
    assert gate == f"Dry run, nothing written: 0 created, 0 changed, {count} unchanged, 0 refused.\n"


async def _mirror_on_and_off(move: Move) -> None:
    """With the mirror on, nothing is lost, and the old service finds more spellings once it has read the file anew; the
    undo makes it what it was."""
    first = move.mirror.read_bytes()
    spelled_once = next(each.project for each in GOOD if each not in SPELLED and each.project != each.project.lower())
    answers = []
    await move.start_admin()
    await _until_mirrored(move, b"", first)
    gate = await _run(move, block(BEFORE, "wc -l"))
    assert gate.split()[0] == "0"
    assert re.search(r'outcome="ok"} [1-9]', gate)
    assert "failed" not in gate
    answers.append(await _old_answers(move, spelled_once.lower()))
    await move.old.restart()
    answers.append(await _old_answers(move, spelled_once.lower()))
    await move.start_admin(mirror=False)
    await _run(move, block(BEFORE, '"$MIRROR.before"'))
    await move.old.restart()
    answers.append(await _old_answers(move, spelled_once.lower()))
    assert (answers, move.mirror.read_bytes()) == ([404, 302, 404], first)


async def _shadow(move: Move) -> None:
    """Of every real URL and the old pages nothing is worse. Readers are with the old service all the while."""
    spelled = [f"https://{PYTHONHOSTED}/{each.project.swapcase()}/a/page.html" for each in SPELLED]
    pages = [f"http://{WWW}/{name}/" for name in (*OLD_PAGES, "none")]
    urls = [*(row["url"] for row in rows_of("urls.jsonl")), *spelled, *pages]
    (move.work / "access.log").write_text("".join(map(_logged, urls)), encoding="utf-8")
    (move.work / "few.log").write_text("".join(map(_logged, spelled)), encoding="utf-8")
    before = move.mirror.read_bytes()
    await move.start_admin()
    await _until_mirrored(move, b"", before)
    _configure(move, SHADOW, "shadow.vcl")
    await _run(move, block(SHADOW, "vcl.use shadow"))
    await _until_shadowed(move)
    gate = block(SHADOW, "compare")
    assert (await _run(move, gate)).endswith(" compared, 0 not compared, 0 worse.\n")
    past_the_cdn = f"http://127.0.0.1:{move.edge_port}"
    refused = await move.shell()(gate.replace("access.log", "few.log").partition(">")[0], NEW=past_the_cdn)
    assert (refused.status, "an error" in refused.out, "403" in refused.out) == (1, True, True)
    for vcl in ("today", "shadow"):
        await _run(move, inline(SHADOW if vcl == "today" else ONE, f"varnishadm vcl.use {vcl}"))
        assert await move.reads("/six/") == (302, SIX)


async def _one_host(move: Move) -> None:
    """Readers of one host get our answers in one hop, those of the others the old ones; and back."""
    _configure(move, ONE, "one-host.vcl")
    await _run(move, block(ONE, "vcl.use one-host"))
    assert (await move.reads("/six", PACKAGES), await move.reads("/six/")) == ((301, SIX), (302, SIX))
    assert ": 0 wrong, " in await _run(move, block(ONE, "--sample 1000"))
    job = block(ONE, "*/5 * * * *").removeprefix("*/5 * * * * ")
    assert await _run(move, job) == ""
    unfit = await move.shell()(job, DOCSREDIRECT_STORE=str(move.work / "nothing"))
    assert "there is nothing to ask" in unfit.err
    await _run(move, inline(ONE, "varnishadm vcl.use shadow"))
    assert await move.reads("/six", PACKAGES) == (301, f"http://{WWW}/six")


async def _share(move: Move) -> None:
    """With the random condition in the place of the one on the host, a share of all readers gets our answers."""
    condition = inline(ONE, "std.random(0, 100) < 5").replace("< 5", "< 50")
    text, changed = re.subn(r'req\.http\.Host ~ ".*"', condition, block(ONE, "req.http.Host"))
    assert changed == 1
    imported = inline(ONE, "import std;")
    (move.configuration / "share.vcl").write_text(text.replace("backend ", f"{imported}\nbackend "), encoding="utf-8")
    await _run(move, "varnishadm vcl.load share /etc/varnish/share.vcl\nvarnishadm vcl.use share")
    statuses = [(await move.reads("/six/"))[0] for _ in range(100)]
    assert 20 < statuses.count(301) == 100 - statuses.count(302) < 80


async def _all_hosts(move: Move) -> None:
    """Every host in one hop, the old pages where there is no redirect, and still nothing worse."""
    await _run(move, inline(ALL, "varnishadm vcl.use docsredirect"))
    assert {await move.reads("/six", host) for host in (PYTHONHOSTED, WWW, PACKAGES)} == {(301, SIX)}
    assert await move.reads("/first/") == (200, None)
    assert ": 0 wrong, " in await _run(move, block(ALL, "--sample 1000"))


async def _edits(move: Move) -> None:
    """What maintainers change is seen, also over an old page; nothing is worse, though the old service knows none of it
    yet; and nobody asks that one any more."""
    for record in (MOVED, RULED, GONE, FIRST):
        await move.put(**record, new=record is FIRST)
    await move.until_read("/six/", (301, MOVED["target"]))
    await move.until_read(f"/{RULED['project']}/a/page.html", (301, "https://elsewhere.example.org/"))
    await move.until_read(f"/{GONE['project']}/", (410, None))
    await move.until_read("/first/", (301, FIRST["target"]))
    assert (await _run(move, block(SHADOW, "compare"))).endswith(" compared, 0 not compared, 0 worse.\n")
    (move.work / "old-access.log").write_bytes(b"")
    assert ": 0 wrong, " in await _run(move, block(ALL, "--sample 1000"))
    assert (await _run(move, block(ALL, "old-access.log"))).split() == ["0"]


async def _all_hosts_undone(move: Move) -> None:
    """Within a minute the old service answers with all that its format can say; what it cannot is listed. And again."""
    begin = time.perf_counter()
    await move.stop_admin()
    await move.old.restart()
    await _run(move, inline(ALL, "varnishadm vcl.use shadow"))
    await _run(move, block(ALL, "ban"))
    await _old_service_says_the_edits(move)
    seconds = time.perf_counter() - begin
    print(f"\ngoing back from step 3: {seconds:.1f} s")
    assert seconds < WITHIN
    lost = [json.loads(line) for line in (move.mirror.parent / "redirects.txt.lost.jsonl").read_bytes().splitlines()]
    assert sorted(row["project"] for row in lost) == sorted([GONE["project"], RULED["project"], RULED["project"]])
    await move.start_admin()
    await _run(move, inline(ALL, "varnishadm vcl.use docsredirect"))
    assert await move.reads("/six/") == (301, MOVED["target"])


async def _old_service_says_the_edits(move: Move) -> None:
    assert await move.reads("/six/a") == (302, f"{MOVED['target']}a")
    assert await move.reads(f"/{RULED['project']}/a/page.html") == (302, RULED["target"])
    assert await move.reads(f"/{GONE['project']}/") == (404, None)
    assert await move.reads("/first/a") == (302, f"{FIRST['target']}a")
    assert await move.reads("/kept/") == (200, None)


async def _old_service_off(move: Move) -> None:
    """Readers notice nothing, those of the old pages neither. Started from the mirrored file, it is back."""
    await move.old.stop()
    assert ": 0 wrong, " in await _run(move, block(ALL, "--sample 1000"))
    assert (await move.reads("/kept/"), await move.reads("/kept")) == ((200, None), (404, None))
    await _run(move, block(OFF, "export"))
    assert b"moved.example.org" in (move.work / "redirects.txt").read_bytes()
    await move.stop_admin()
    await move.old.restart()
    await _run(move, inline(ALL, "varnishadm vcl.use shadow"))
    await _old_service_says_the_edits(move)


async def _coming_again(move: Move) -> None:
    """What was edited by hand meanwhile comes in, and of what the old format cannot say nothing is overwritten."""
    left = move.mirror.read_bytes()
    (move.work / "redirects.txt.going-back").write_bytes(left)
    edited = left.replace(b"https://moved.example.org", b"https://by-hand.example.org")
    edited += _lines(("Added", True, "https://added.example.org"))
    move.mirror.write_bytes(edited)
    assert "1 created, 1 changed, 0 unchanged, 0 refused." in await _run(move, block(AGAIN, "comm"))
    await _run(move, block(AGAIN, "s3 rm"))
    await move.start_admin()
    await _until_mirrored(move, b'"added"', edited)
    assert (move.mirror.parent / "redirects.txt.before").read_bytes() == edited
    await _run(move, inline(ALL, "varnishadm vcl.use docsredirect"))
    await move.until_read("/added/", (301, "https://added.example.org/"))
    await move.until_read("/six/", (301, "https://by-hand.example.org/"))
    assert await move.reads(f"/{RULED['project']}/a/page.html") == (301, "https://elsewhere.example.org/")
    assert await move.reads(f"/{GONE['project']}/") == (410, None)


def _lines(*rows: tuple[str, bool, str]) -> bytes:
    """Return lines of a redirects.txt."""
    named = (dict(zip(("project_name", "include_path", "base_uri"), row, strict=True)) for row in rows)
    return b"".join(json.dumps(row).encode() + b"\n" for row in named)


def _logged(url: str) -> str:
    """Return a request for `url` as a line of an access log, with its host in front."""
    asked = as_written(url)
    target = asked.target.replace('"', '\\"')
    return f'{asked.host} 192.0.2.7 - - [10/Oct/2026:13:55:36 +0000] "GET {target} HTTP/1.1" 302 0 "-" "-"\n'


def _configure(move: Move, section: str, name: str) -> None:
    """Write a configuration of Varnish as the document has it."""
    assert f"`/etc/varnish/{name}`" in document.sections()[section]
    (move.configuration / name).write_text(block(section, "sub vcl_recv"), encoding="utf-8")


async def _run(move: Move, script: str) -> str:
    """Run commands, which must succeed, and return what they print."""
    ran = await move.shell()(script)
    assert ran.status == 0, (script, ran)
    return ran.out


async def _old_answers(move: Move, name: str) -> int:
    response = await ask(move.old.port, f"/{name}/", headers="X-Forwarded-Proto: https\r\n")
    return response.status


async def _until_mirrored(move: Move, holding: bytes, before: bytes) -> None:
    """Wait until the file is another than `before` and holds some text."""
    async with asyncio.timeout(20):
        while (now := move.mirror.read_bytes()) == before or holding not in now:
            await asyncio.sleep(0.05)


async def _until_shadowed(move: Move) -> None:
    """Wait until the new side answers at the shadow's socket."""
    async with asyncio.timeout(20):
        while (await ask(move.shadow, "/six/")).status != 301:
            await asyncio.sleep(0.05)
