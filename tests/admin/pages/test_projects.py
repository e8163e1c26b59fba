"""The front page: whose projects it lists, how they are found, and what it says where there are none."""

import pytest

from tests.support.admin import ANY, BOOTSTRAP, CREATE, Admin, record
from tests.support.stores import FakeStore
from tests.support.visitor import visiting

RIGHT_TO_LEFT = "\u202e"


async def _fill(admin: Admin, count: int) -> None:
    lines = "".join(
        f'{{"project":"Project.{n:03}","target":"https://p{n}.example.org/","path":"keep"}}\n' for n in range(count)
    )
    answer = await admin.post("import", body=lines.encode(), headers={"Content-Type": "application/jsonl"})
    assert answer.status == 200


async def test_a_maintainer_sees_his_projects_with_what_each_of_them_is(admin: Admin) -> None:
    """State, target, last change and by whom; what was never set says so, and leads to its page."""
    for project, fields in (("Markdown", {}), ("withdrawn", {"state": "gone"}), ("removed", {}), ("other", {})):
        await admin.put(record(project, f"https://{project.lower()}.example.org/", **fields), CREATE)
    await admin.ask("DELETE", "projects/removed", headers=ANY)
    token = await admin.new_token(["markdown", "withdrawn", "removed", "New.One"])
    async with visiting(admin.port, token) as visitor:
        seen = await visitor.get("/")
    assert seen.status == 200
    assert "Markdown redirects https://markdown.example.org/" in seen.text
    assert "by bootstrap token" in seen.text
    assert "withdrawn withdrawn nowhere: links answer 410" in seen.text
    assert "removed removed nowhere: links answer 404" in seen.text
    assert "new-one not set yet Say where new-one lives now" in seen.text
    assert {"/projects/markdown", "/projects/new-one"} <= set(seen.links)
    assert "other" not in seen.text
    assert not any(form.action == "/" for form in seen.forms), "three projects need no search"


async def test_many_projects_of_a_maintainer_can_be_searched_and_leafed_through(admin: Admin) -> None:
    """In any spelling; a page has forty, and a link leads on."""
    token = await admin.new_token([f"project-{n:03}" for n in range(60)])
    async with visiting(admin.port, token) as visitor:
        first = await visitor.get("/")
        assert ("project-039" in first.text, "project-040" in first.text) == (True, False)
        second = await visitor.get("/?after=project-039")
        assert "/?after=project-039" in first.links
        assert ("project-040" in second.text, "project-059" in second.text) == (True, True)
        found = await visitor.get("/?q=Project_05")
        assert ("project-059" in found.text, "project-049" in found.text) == (True, False)
        assert "No project of yours matches zope" in (await visitor.get("/?q=zope")).text


async def test_a_project_that_cannot_be_read_does_not_hide_the_others(admin: Admin, store: FakeStore) -> None:
    """It says so in its row."""
    await admin.put(record("six"), CREATE)
    await store.put("projects/spoiled.json", b"{")
    token = await admin.new_token(["six", "spoiled"])
    async with visiting(admin.port, token) as visitor:
        seen = await visitor.get("/")
    assert "six redirects" in seen.text
    assert "spoiled cannot be read" in seen.text


async def test_administrators_see_all_fifty_a_page(admin: Admin) -> None:
    """The link to the next page keeps the search; the last page has none."""
    await _fill(admin, 60)
    async with visiting(admin.port, BOOTSTRAP) as visitor:
        first = await visitor.get("/?q=project.0&state=active")
        assert ("Project.049" in first.text, "Project.050" in first.text) == (True, False)
        (following,) = [link for link in first.links if "after=" in link]
        second = await visitor.get(following)
        assert ("Project.049" in second.text, "Project.059" in second.text) == (False, True)
        assert not [link for link in second.links if "after=" in link]
        assert "/?q=project.0&state=active" in second.links


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=PROJECT_001", ["Project.001"]),
        ("q=p002.example", []),
        ("q=p2.example", ["Project.002"]),
        ("state=gone", ["gone-one"]),
        ("state=removed", ["removed-one"]),
        ("state=active", ["Project.000", "Project.001", "Project.002"]),
        ("", ["Project.000", "Project.001", "Project.002", "gone-one"]),
    ],
)
async def test_administrators_search_names_targets_and_states(admin: Admin, query: str, found: list[str]) -> None:
    """Names in any spelling, targets in any part, each state by itself."""
    await _fill(admin, 3)
    await admin.put(record("gone-one", state="gone"), CREATE)
    await admin.put(record("removed-one"), CREATE)
    await admin.ask("DELETE", "projects/removed-one", headers=ANY)
    async with visiting(admin.port, BOOTSTRAP) as visitor:
        seen = await visitor.get(f"/?{query}")
    every = ["Project.000", "Project.001", "Project.002", "gone-one", "removed-one"]
    assert [name for name in every if f">{name}<" in seen.html] == found


async def test_empty_lists_say_what_to_do_next(admin: Admin) -> None:
    """Nothing at all, and nothing that matches: which may be the name of a project without a redirect."""
    async with visiting(admin.port, BOOTSTRAP) as visitor:
        assert "Open a project by its name below" in (await visitor.get("/")).text
        seen = await visitor.get("/?q=Zope.Interface")
        assert "No redirect matches Zope.Interface" in seen.text
        assert "/projects/zope-interface" in seen.links


@pytest.mark.parametrize(
    ("spelled", "path", "said"),
    [
        ("Zope.Interface", "/projects/zope-interface", ""),
        ("packages", "/?open=packages", "legacy host"),
        ("not%20legal", "/?open=not%20legal", "is not a project name"),
    ],
)
async def test_administrators_open_a_project_by_its_name(admin: Admin, spelled: str, path: str, said: str) -> None:
    """Any spelling, whether it has a redirect or not; what is no name is told beside the field."""
    async with visiting(admin.port, BOOTSTRAP) as visitor:
        seen = await visitor.get(f"/?open={spelled}")
    assert seen.path == path
    assert said in seen.text


async def test_hostile_text_is_shown_as_text(admin: Admin) -> None:
    """Markup and marks of direction in a search, and the longest target, do nothing."""
    await admin.put(record("long", "https://long.example.org/" + "&'" * 1_000), CREATE)
    async with visiting(admin.port, BOOTSTRAP) as visitor:
        seen = await visitor.get("/?q=%3Cscript%3Ealert(1)%3C/script%3E%E2%80%AE")
        assert f"<bdi><b>&lt;script&gt;alert(1)&lt;/script&gt;{RIGHT_TO_LEFT}</b></bdi>" in seen.html
        assert "<script>alert" not in seen.html
        assert (await visitor.get("/?q=%FF%00")).status == 200
        assert "https://long.example.org/" in (await visitor.get("/")).text


@pytest.mark.parametrize(("path", "status"), [("/?state=none", 400), ("/?after=No.Cursor", 400)])
async def test_what_no_page_links_to_is_told(admin: Admin, path: str, status: int) -> None:
    """A state or a cursor that was made up."""
    async with visiting(admin.port, BOOTSTRAP) as visitor:
        assert (await visitor.get(path)).status == status


async def test_the_fullest_page_stays_small(admin: Admin) -> None:
    """Fifty of the longest names with targets that grow when they are escaped."""
    lines = "".join(
        f'{{"project":"{n:03}{"x" * 125}","target":"https://p.example.org/{"&" * 2_000}/","path":"keep"}}\n'
        for n in range(50)
    )
    await admin.post("import", body=lines.encode(), headers={"Content-Type": "application/jsonl"})
    async with visiting(admin.port, BOOTSTRAP) as visitor:
        seen = await visitor.get("/?q=" + "x" * 100)
    assert seen.text.count("redirects https://p.example.org/") == 50


async def test_without_a_session_one_signs_in_first(admin: Admin) -> None:
    """And is led back."""
    async with visiting(admin.port) as visitor:
        for path in ("/", "/try", "/tokens", "/overview"):
            assert (await visitor.get(path)).path == f"/sign-in?next={path}"


async def test_pages_of_administrators_are_for_them_alone(admin: Admin) -> None:
    """A maintainer is told so, and his navigation does not name them."""
    token = await admin.new_token(["six"])
    async with visiting(admin.port, token) as visitor:
        for path in ("/tokens", "/overview", "/tokens/abcdefghijkl/revoke"):
            assert (await visitor.get(path)).status == 403
        assert not {"/tokens", "/overview"} & set((await visitor.get("/")).links)


async def test_a_store_that_fails_is_told_as_a_page(admin: Admin, store: FakeStore) -> None:
    """503 with when to try again."""
    token = await admin.new_token(["six"])
    async with visiting(admin.port, token) as visitor:
        store.failing = "projects/"
        seen = await visitor.get("/")
    assert (seen.status, seen.headers["Retry-After"]) == (503, "7")
    assert "The store does not answer" in seen.text
