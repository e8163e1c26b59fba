"""A project's page: what it shows, what each button does, what is kept and what is refused. No script runs here."""

import re
import time
from collections.abc import AsyncIterator, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from docsredirect.domain.preconditions import etag_of
from tests.domain.cases import title
from tests.support.admin import ANY, BOOTSTRAP, CREATE, Admin, record, running_admin
from tests.support.forms import Browser, Fields, browsing, filled
from tests.support.stores import FakeStore

SIX = "/projects/six"
TARGET = "https://six.example.org/"
MAX_PAGE_BYTES = 60 * 1024


@pytest_asyncio.fixture
async def browser(admin: Admin) -> AsyncIterator[Browser]:
    """Somebody who may change everything."""
    async with browsing(admin.port, BOOTSTRAP) as opened:
        yield opened


async def saved(admin: Admin, **fields: Any) -> None:
    """Have a redirect of six, as others have set it."""
    answer = await admin.put(record("six", **{"target": TARGET, **fields}), CREATE)
    assert answer.status == 201, answer


async def stands(admin: Admin) -> dict[str, Any]:
    """Return the record of six without what is known of it."""
    fields: dict[str, Any] = (await admin.get("projects/six")).json
    fields.pop("meta", None)
    return fields


# From nothing to a redirect


async def test_from_nothing_to_a_redirect(admin: Admin, browser: Browser) -> None:
    """An empty form, a preview, which writes nothing, and a save: the page says what was done and when it is seen."""
    page = await browser.get(SIX)
    assert page.status == 200
    assert "leads nowhere yet" in page.text
    page = await browser.send(page, SIX, {"target": "https://six.example.org", "path": "keep"}, do="preview")
    assert page.status == 200
    assert "not found (404)" in page.text
    assert "https://six.example.org/guide/install.html" in page.text
    assert (await admin.get("projects/six")).status == 404
    page = await browser.send(page, SIX, {"reason": "It moved"}, do="save")
    assert (page.status, page.url) == (200, "/projects/six/saved")
    assert "It is published." in page.text
    assert "within 5 minutes" in page.text
    assert "It moved" in page.text
    assert await stands(admin) == record("six") | {"status": 301, "state": "active"}
    (entry,) = (await admin.get("projects/six/history")).json["history"]
    assert (entry["by"], entry["reason"]) == ("bootstrap token", "It moved")


async def test_saving_without_a_preview(admin: Admin, browser: Browser) -> None:
    """Who knows what he wants need not look first."""
    await browser.send(await browser.get(SIX), SIX, {"target": TARGET}, do="save")
    assert (await stands(admin))["target"] == TARGET


async def test_enter_in_a_field_is_the_preview(browser: Browser) -> None:
    """Browsers press a form's first button then: it is the one that changes nothing."""
    page = await browser.get(SIX)
    first = re.search(r"<form id=\"form\".*?<button([^>]*)>", page.html, re.DOTALL)
    assert first is not None
    assert 'value="preview"' in first[1]


async def test_saving_what_is_there_already(admin: Admin, browser: Browser) -> None:
    """Nothing is different, so there is no new revision, and the page says so."""
    await saved(admin)
    page = await browser.send(await browser.get(SIX), SIX, do="save")
    assert "Nothing was different" in page.text
    assert len((await admin.get("projects/six/history")).json["history"]) == 1


# The form


async def test_the_three_choices_have_examples(admin: Admin, browser: Browser) -> None:
    """Each path policy shows what it makes of one and the same old link, one of his own where he has pasted some."""
    await saved(admin)
    page = await browser.get(SIX)
    assert "pythonhosted.org/six/guide/install.html → https://six.example.org/guide/install.html" in page.text
    assert "pythonhosted.org/six/guide/install.html → https://six.example.org/guide/install/" in page.text
    page = await browser.send(page, SIX, {"links": "https://packages.python.org/SIX//api.html"}, do="preview")
    assert "pythonhosted.org/six/api.html → https://six.example.org/api/" in page.text


# What is put in the rows and the lines, and the rules that are saved.
WRITTEN: list[tuple[Fields, dict[str, str | None]]] = [
    ({"from": ["api.html"], "to": ["reference/"]}, {"api.html": "reference/"}),
    ({"from": [" /"], "to": ["/ "]}, {"": ""}),
    ({"from": ["old.html"], "answer": ["gone"]}, {"old.html": None}),
    ({"from": ["https://packages.python.org/Six/api.html"], "to": ["x/"]}, {"api.html": "x/"}),
    ({"from": ["/six/old/*"], "to": ["new/*"]}, {"old/*": "new/*"}),
    ({"lines": "a.html b/\nc.html = d/\r\ne.html\tf/\n\n# gone:\ng.html gone\nh.html=i/\nj.html -> k/"},
     {"a.html": "b/", "c.html": "d/", "e.html": "f/", "g.html": None, "h.html": "i/", "j.html": "k/"}),
    ({"lines": "with a blank.html\tb/"}, {"with a blank.html": "b/"}),
    ({"lines": "/ welcome/"}, {"": "welcome/"}),
    ({"from": ["a.html"], "to": ["row/"], "lines": "a.html line/"}, {"a.html": "line/"}),
    ({"lines": "gone.html %67one"}, {"gone.html": "gone"}),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "rules"), WRITTEN, ids=lambda value: title(str(value)))
async def test_rules_as_people_write_them(
    admin: Admin, browser: Browser, fields: Fields, rules: dict[str, str | None]
) -> None:
    """Rows and pasted lines become rules; shown again as rows, they say the same."""
    page = await browser.send(await browser.get(SIX), SIX, {"target": TARGET, **fields}, do="preview")
    assert page.status == 200, page.text
    assert len(page.rules(SIX)) == len(rules)
    assert page.value("lines", SIX) == ""
    await browser.send(page, SIX, do="save")
    assert (await stands(admin)).get("rules", {}) == rules
    page = await browser.send(await browser.get(SIX), SIX, do="save")
    assert "Nothing was different" in page.text


async def test_rows_are_added_and_removed_by_the_server(browser: Browser) -> None:
    """Without a script the buttons of rows show the form again, with all that was filled in."""
    page = await browser.get(SIX)
    filled_in: Fields = {"target": "not yet", "from": ["a", "b"], "to": ["c", "d"], "links": "x.html"}
    page = await browser.send(page, SIX, filled_in, do="more-rows")
    assert page.rules(SIX) == [("a", "to", "c"), ("b", "to", "d")]
    assert len([name for name, _ in page.form(SIX) if name == "from"]) == 6
    page = await browser.send(page, SIX, drop="0")
    assert page.rules(SIX) == [("b", "to", "d")]
    assert (page.value("target", SIX), page.value("links", SIX)) == ("not yet", "x.html")


# What is filled in; the ids of the fields that have a fault, in their order; and words of it.
FAULTS: list[tuple[Fields, list[str], str]] = [
    ({"target": ""}, ["target"], "Say where the documentation is now"),
    ({"target": "ftp://x"}, ["target"], "not an absolute URL"),
    ({"target": "https://pythonhosted.org/x/"}, ["target"], "which would make a loop"),
    ({"target": TARGET, "path": "up"}, ["path-keep"], "It must be one of keep, clean, root"),
    ({"target": TARGET, "status": "200"}, ["status"], "It must be one of 301"),
    ({"target": TARGET, "status": "x" * 5000}, ["status"], "It must be one of 301"),
    ({"target": TARGET, "state": "away"}, ["state"], "It must be one of active, gone"),
    ({"target": TARGET, "project": "seven"}, ["project"], "is another project"),
    ({"target": TARGET, "project": "si x"}, ["project"], "is not a project name"),
    ({"target": TARGET, "reason": "x" * 1001}, ["reason"], "at most 1000"),
    ({"target": TARGET, "from": ["/x"], "to": ["../y"]}, ["from-0", "to-0"], "starts with a slash"),
    ({"target": TARGET, "from": [""], "to": ["y"]}, ["from-0"], "Say for which old page"),
    ({"target": TARGET, "from": ["x"]}, ["to-0"], "Say where it leads"),
    ({"target": TARGET, "from": ["x", "x/"], "to": ["y", "z"]}, ["from-1"], "is the same page or folder as"),
    ({"target": TARGET, "from": ["x", "x"], "to": ["y", "z"]}, ["from-1"], "There are two rules for 'x'"),
    ({"target": TARGET, "lines": "a b c\n\nok fine\n?x y"}, ["lines", "lines"], "Line 4: '?x' holds"),
    ({"target": TARGET, "lines": "\n".join(f"p{n} x" for n in range(1001))}, ["lines"], "At most 1000"),
    ({"target": "", "from": ["x"], "reason": "\u202e"}, ["target", "to-0", "reason"], "one line"),
]  # fmt: skip


@pytest.mark.parametrize("do", ["preview", "save"])
@pytest.mark.parametrize(("fields", "ids", "words"), FAULTS, ids=lambda value: title(str(value)))
async def test_faults_stand_at_their_fields(
    admin: Admin, browser: Browser, do: str, fields: Fields, ids: list[str], words: str
) -> None:
    """Nothing is written, all that was filled in is kept, and a summary leads to each field, which says what is wrong
    with it."""
    page = await browser.send(await browser.get(SIX), SIX, fields, do=do)
    assert page.status == 422
    assert words in page.text
    assert [href.removeprefix("#") for href in page.hrefs if href.startswith("#") and href != "#main"] == ids
    for id_ in ids:
        assert f"{id_}-fault" in page.ids
        if not id_.startswith("path"):
            assert page.control(id_)["aria-invalid"] == "true"
            assert f"{id_}-fault" in page.control(id_)["aria-describedby"].split()
    for name in ("target", "project", "reason", "lines"):
        if name in fields:
            assert page.value(name, SIX) == fields[name]
    assert (await admin.get("projects/six")).status == 404


# What is pasted, and where each link leads after saving, with the rule that says so.
PASTED: list[tuple[str, list[str]]] = [
    ("https://pythonhosted.org/six/x.html", ["pythonhosted.org/six/x.html not found (404) https://six.example.org/x/"]),
    ("x.html\n\n x.html", ["pythonhosted.org/six/x.html not found (404) https://six.example.org/x/"]),
    ("see (http://packages.python.org/SIX/old/a.html).",
     ["http://packages.python.org/SIX/old/a.html). not found (404) https://six.example.org/new/a.html)."]),
    ("<urlset><url><loc>https://pythonhosted.org/six/?a=1&amp;b=2</loc></url><url><loc> /six/y </loc></url></urlset>",
     ["pythonhosted.org/six/?a=1&b=2 not found (404) https://six.example.org/?a=1&b=2",
      "/six/y not found (404) https://six.example.org/y"]),
    ("https://elsewhere.example.org/six/", ["not an old documentation link the same"]),
    ("https://pythonhosted.org/other/x", ["pythonhosted.org/other/x https://other.example.org/x the same"]),
    ("old/gone.html", ["pythonhosted.org/six/old/gone.html not found (404) gone (410) rule old/gone.html"]),
]  # fmt: skip


@pytest.mark.parametrize(("links", "shown"), PASTED, ids=lambda value: title(str(value)))
async def test_pasted_links(admin: Admin, browser: Browser, links: str, shown: list[str]) -> None:
    """Each pasted link shows what it answers now and after saving, and which rule says so."""
    await admin.put(record("other", "https://other.example.org/"), CREATE)
    await admin.services.refresh()
    fields: Fields = {
        "target": TARGET, "path": "clean", "links": links, "lines": "old/* new/*\nold/gone.html gone",
    }  # fmt: skip
    fields.pop("path")
    page = await browser.get(SIX)
    sent = [(name, "clean" if name == "path" else value) for name, value in filled(page.form(SIX), fields)]
    page = await browser.post(SIX, [*sent, ("do", "preview")])
    for each in shown:
        assert each in page.text


async def test_at_most_25_pasted_links_are_shown(browser: Browser) -> None:
    """A sitemap of any length leaves the page readable, and says what is left out."""
    links = "\n".join(f"page-{number}.html" for number in range(250))
    page = await browser.send(await browser.get(SIX), SIX, {"target": TARGET, "links": links}, do="preview")
    assert "These are the first 25. 225 more are not shown." in page.text
    assert "six/page-24.html" in page.text
    assert "six/page-25.html" not in page.text


async def test_a_remedy_is_one_click(admin: Admin, browser: Browser) -> None:
    """A button beside a warning shows the form again with the remedy applied and the warning gone. It saves nothing."""
    await saved(admin, target="http://six.example.org/", path="root")
    page = await browser.get(SIX)
    assert "plain http" in page.text
    page = await browser.send(page, SIX, {"reason": "because", "links": "a.html"}, remedy="plain-http")
    assert page.value("target", SIX) == "https://six.example.org/"
    assert (page.value("reason", SIX), page.value("links", SIX)) == ("because", "a.html")
    assert "plain http" not in page.text
    page = await browser.send(page, SIX, remedy="root-without-inventory")
    assert page.rules(SIX) == [("objects.inv", "to", "objects.inv")]
    assert (await stands(admin))["target"] == "http://six.example.org/"
    await browser.send(page, SIX, do="save")
    assert (await stands(admin))["rules"] == {"objects.inv": "objects.inv"}


async def test_the_live_preview_is_a_part_of_the_page(admin: Admin, browser: Browser) -> None:
    """The script asks for the parts that change; they come without the page around them, and nothing is written."""
    page = await browser.get(SIX)
    part = await browser.send(page, SIX, {"target": TARGET})
    live = await browser.post(f"{SIX}/preview", filled(page.form(SIX), {"target": TARGET}))
    assert live.status == 200
    assert {"example-keep", "example-clean", "example-root", "advice", "preview", "preview-status"} <= set(live.ids)
    assert not {"html", "form", "script"} & live.tags
    assert set(live.ids) <= set(part.ids)
    assert "After saving, 3 of these 3 old links answer differently." in live.text
    live = await browser.post(f"{SIX}/preview", page.form(SIX))
    assert (live.status, "Say where the documentation is now" in live.text) == (200, True)
    assert (await admin.get("projects/six")).status == 404


# Two at once


async def test_somebody_else_was_faster(admin: Admin, browser: Browser) -> None:
    """Both versions stand side by side; mine is saved over the very version that was shown, and only on demand."""
    await saved(admin)
    page = await browser.get(SIX)
    await admin.put(record("six", "https://theirs.example.org/", path="clean"), ANY, headers={"X-Reason": "Theirs"})
    mine: Fields = {"target": "https://mine.example.org/", "reason": "Mine", "from": ["a"], "to": ["b"]}
    page = await browser.send(page, SIX, mine, do="save")
    assert page.status == 412
    assert "Target https://theirs.example.org/ https://mine.example.org/" in page.text
    assert "Rule a not there b" in page.text
    assert "Theirs" in page.text
    assert (await stands(admin))["target"] == "https://theirs.example.org/"
    assert SIX in page.hrefs, "theirs is the project's page as it is"
    edited = await browser.send(page, SIX, do="preview")
    assert (edited.value("target", SIX), edited.rules(SIX)) == ("https://mine.example.org/", [("a", "to", "b")])
    await admin.put(record("six", "https://again.example.org/"), ANY)
    page = await browser.send(page, SIX, do="save")
    assert page.status == 412
    assert "https://again.example.org/" in page.text
    page = await browser.send(page, SIX, do="save")
    assert page.url == f"{SIX}/saved"
    assert (await stands(admin))["target"] == "https://mine.example.org/"


async def test_somebody_else_was_first(admin: Admin, browser: Browser) -> None:
    """A form that began with nothing does not overwrite what was created meanwhile, nor what was removed."""
    page = await browser.get(SIX)
    await saved(admin)
    page = await browser.send(page, SIX, {"target": "https://mine.example.org/"}, do="save")
    assert page.status == 412
    await admin.ask("DELETE", "projects/six", headers=ANY)
    page = await browser.send(page, SIX, do="save")
    assert page.status == 412
    assert "The redirect was removed" in page.text
    await browser.send(page, SIX, do="save")
    assert (await stands(admin))["target"] == "https://mine.example.org/"


async def test_a_form_that_is_sent_twice(admin: Admin, browser: Browser) -> None:
    """A second click is no conflict and no second revision."""
    page = await browser.get(SIX)
    for _ in range(2):
        answer = await browser.send(page, SIX, {"target": TARGET}, do="save")
        assert (answer.status, answer.url) == (200, f"{SIX}/saved")
    assert len((await admin.get("projects/six/history")).json["history"]) == 1


async def test_a_preview_says_that_somebody_was_faster(admin: Admin, browser: Browser) -> None:
    """It compares with what stands now, and says that this is not what the form began with."""
    await saved(admin)
    page = await browser.get(SIX)
    await admin.put(record("six", "https://theirs.example.org/"), ANY)
    page = await browser.send(page, SIX, {"target": "https://mine.example.org/"}, do="preview")
    assert "Somebody has changed this project since" in page.text
    assert page.value("etag", SIX) != etag_of(await admin.services.registry.read("six"))


async def test_a_store_that_fails_keeps_what_was_filled_in(admin: Admin, browser: Browser, store: FakeStore) -> None:
    """The form comes back as it was, with what is known of the failure."""
    page = await browser.get(SIX)
    store.failing, store.failing_operations = "projects/", ("create", "replace")
    page = await browser.send(page, SIX, {"target": TARGET, "reason": "Kept"}, do="save")
    assert page.status == 503
    assert (page.value("target", SIX), page.value("reason", SIX)) == (TARGET, "Kept")
    store.failing = None
    page = await browser.send(page, SIX, do="save")
    assert page.url == f"{SIX}/saved"


# Taking down, and going back


async def test_withdrawing(admin: Admin, browser: Browser) -> None:
    """Withdrawing asks for the name, says what it means, and can be undone on the page."""
    await saved(admin)
    action = f"{SIX}/withdraw"
    page = await browser.get(action)
    assert "gone for good (410)" in page.text
    page = await browser.send(page, action, {"typed": "sixx", "reason": "End"})
    assert (page.status, page.value("reason", action)) == (422, "End")
    assert (await stands(admin))["state"] == "active"
    page = await browser.send(page, action, {"typed": "Six"})
    assert page.url == f"{SIX}/saved"
    assert "is withdrawn" in page.text
    assert (await stands(admin))["state"] == "gone"
    page = await browser.send(await browser.get(SIX), SIX, do="activate")
    await browser.send(page, SIX, do="save")
    assert (await stands(admin))["state"] == "active"


async def test_removing_and_restoring(admin: Admin, browser: Browser) -> None:
    """A removed redirect leaves its history, from which it is restored."""
    await saved(admin)
    action = f"{SIX}/remove"
    page = await browser.get(action)
    assert "as if no redirect had ever been set" in page.text
    assert (await browser.send(page, action, {"typed": ""})).status == 422
    page = await browser.send(page, action, {"typed": "six", "reason": "A mistake"})
    assert "is removed" in page.text
    assert (await admin.get("projects/six")).status == 404
    page = await browser.get(SIX)
    assert "the redirect was removed" in page.text
    assert "A mistake" in page.text
    page = await browser.send(page, f"{SIX}/history", revision="1")
    assert page.url == f"{SIX}/saved"
    assert (await stands(admin))["target"] == TARGET


@pytest.mark.parametrize("ending", ["withdraw", "remove"])
async def test_an_ending_is_of_what_was_seen(admin: Admin, browser: Browser, ending: str) -> None:
    """Somebody who has changed the project meanwhile is not overruled; the page is shown again for a second look."""
    await saved(admin)
    action = f"{SIX}/{ending}"
    page = await browser.get(action)
    await admin.put(record("six", "https://theirs.example.org/"), ANY)
    page = await browser.send(page, action, {"typed": "six"})
    assert page.status == 412
    assert "https://theirs.example.org/" in page.text
    assert (await stands(admin))["state"] == "active"
    for _ in range(2):
        assert (await browser.send(page, action, {"typed": "six"})).url == f"{SIX}/saved"


async def test_history_and_restoring(admin: Admin, browser: Browser) -> None:
    """The history shows who, when, why and what; restoring is a new revision, over what was seen alone."""
    await saved(admin)
    await admin.put(record("six", "https://b.example.org/", rules={"x": None}), ANY, headers={"X-Reason": "To b"})
    page = await browser.get(f"{SIX}/history")
    assert "Target: was https://six.example.org/ now https://b.example.org/" in page.text
    assert "Rule x : now gone (410)" in page.text
    assert "To b" in page.text
    await admin.put(record("six", "https://c.example.org/"), ANY)
    stale = await browser.send(page, f"{SIX}/history", revision="1")
    assert stale.status == 412
    assert (await stands(admin))["target"] == "https://c.example.org/"
    page = await browser.send(await browser.get(f"{SIX}/history"), f"{SIX}/history", revision="1")
    assert page.url == f"{SIX}/saved"
    assert (await stands(admin))["target"] == TARGET
    assert (await admin.get("projects/six/history")).json["history"][0]["reason"] == "Restored revision 1"


async def test_a_long_history_has_pages(admin: Admin, browser: Browser) -> None:
    """Twenty entries a page, and a link to the older ones."""
    await saved(admin)
    for number in range(24):
        await admin.put(record("six", f"https://t{number}.example.org/"), ANY)
    page = await browser.get(f"{SIX}/history")
    assert "https://t23.example.org/" in page.text
    assert f"{SIX}/history?before=6" in page.hrefs
    older = await browser.get(f"{SIX}/history?before=6")
    assert "https://t0.example.org/" in older.text
    assert "https://t23.example.org/" not in older.text


@pytest.mark.parametrize("revision", ["7", "0", "-1", "x", "9" * 5000])
async def test_a_revision_that_never_was(admin: Admin, browser: Browser, revision: str) -> None:
    """Nothing is restored."""
    await saved(admin)
    await admin.put(record("six", "https://b.example.org/"), ANY)
    page = await browser.get(f"{SIX}/history")
    page = await browser.send(page, f"{SIX}/history", revision=revision)
    assert page.status in (200, 422)
    assert (await stands(admin))["target"] == "https://b.example.org/"


# Who may, and where


@pytest.mark.parametrize("below", ["", "/history", "/saved", "/withdraw", "/remove"])
async def test_scope_of_a_session(admin: Admin, below: str) -> None:
    """A maintainer's session reaches the projects of its token, and no page of any other."""
    await saved(admin)
    await admin.put(record("other"), CREATE)
    async with browsing(admin.port, await admin.new_token(["six"])) as browser:
        assert (await browser.get(SIX + below)).status == 200
        refused = await browser.get(f"/projects/other{below}")
        assert refused.status == 403
        assert "other.example.org" not in refused.html
        assert SIX in refused.hrefs
        if not below:
            form = (await browser.get(SIX)).form(SIX)
            for action in ("", "/preview", "/history", "/withdraw", "/remove"):
                page = await browser.post(f"/projects/other{action}", [*form, ("do", "save"), ("typed", "other")])
                assert page.status == 403
    assert (await admin.get("projects/other")).json["target"] == "https://six.example.org/"


@pytest.mark.parametrize("below", ["", "/history", "/saved", "/withdraw", "/remove"])
async def test_nobody_is_asked_to_sign_in(admin: Admin, below: str) -> None:
    """Who is not signed in gets to do that first, and comes back."""
    async with browsing(admin.port, None) as browser:
        page = await browser.get(SIX + below)
        assert page.url.startswith("/sign-in?next=/projects/six")


@pytest.mark.parametrize("below", ["", "/history", "/saved", "/withdraw", "/remove"])
async def test_any_spelling_of_a_name(admin: Admin, browser: Browser, below: str) -> None:
    """Every spelling leads to the one page under the normalised name."""
    await admin.put(record("Foo.Bar", "https://foo.example.org/"), CREATE)
    page = await browser.get(f"/projects/FOO__bar{below}")
    assert (page.status, page.url) == (200, f"/projects/foo-bar{below}")
    assert "Foo.Bar" in page.text


@pytest.mark.parametrize("name", ["-six", "s%20x", "%3Cscript%3E", "x" * 200, "packages", "%E2%80%AEsix"])
async def test_what_is_no_name(browser: Browser, name: str) -> None:
    """A text that can be no project's name gets a page that says so, and shows it harmlessly."""
    page = await browser.get(f"/projects/{name}")
    assert page.status == 404
    assert "This cannot be a project’s name" in page.text
    assert "script" not in page.tags
    assert "\u202e" not in page.html


async def test_forms_of_others_are_refused(admin: Admin, browser: Browser) -> None:
    """A form that another site sends, or that lacks the page's own token, changes nothing."""
    await saved(admin)
    form = filled((await browser.get(SIX)).form(SIX), {"target": "https://evil.example.org/"})
    foreign = await browser.post(SIX, [*form, ("do", "save")], {"Origin": "https://evil.example.org"})
    unguarded = await browser.post(SIX, [*[field for field in form if field[0] != "csrf"], ("do", "save")])
    assert (foreign.status, unguarded.status) == (403, 403)
    for below, fields in (("remove", [("typed", "six")]), ("withdraw", [("typed", "six")]), ("history", [])):
        page = await browser.post(f"{SIX}/{below}", [*fields, ("revision", "1")])
        assert page.status == 403
    assert await stands(admin) == record("six") | {"status": 301, "state": "active"}


# Hostile records


HOSTILE = {
    "<script>alert(1)</script>": "x/",
    '"><img src=x onerror=alert(1)>.html': "y/",
    "\u202egnp.exe": "z/",
    "{{ 7 }}/*": "w/*",
    "</textarea><b>": None,
    " blank ": "v/",
    "gone": "gone",
    "": "",
}


def pages_of(name: str) -> Iterator[str]:
    """Return the pages of a project."""
    yield from (f"/projects/{name}{below}" for below in ("", "/history", "/saved", "/withdraw", "/remove"))


async def test_hostile_text_is_shown_harmlessly(admin: Admin, browser: Browser) -> None:
    """Markup is text, what turns the direction of writing stands as an escape, and all of it can be edited."""
    await saved(admin, rules=HOSTILE, target=TARGET + "a" * 2_000 + "/")
    for path in pages_of("six"):
        page = await browser.get(path)
        assert page.status == 200
        assert len(page.html.encode()) < MAX_PAGE_BYTES
        assert not {"img", "b"} & page.tags
        assert "alert(1)</script>" not in page.html
        outside_of_fields = re.sub(r'value="[^"]*"', "", page.html)
        assert "\u202e" not in outside_of_fields
    page = await browser.send(await browser.get(SIX), SIX, {"reason": "x"}, do="preview")
    assert len(page.html.encode()) < MAX_PAGE_BYTES
    assert "rule \\u202egnp.exe" in page.text
    page = await browser.send(page, SIX, {"target": TARGET}, do="save")
    assert (await stands(admin))["rules"] == {
        "%20blank%20" if each == " blank " else each: to for each, to in HOSTILE.items()
    }


async def test_a_thousand_rules(admin: Admin, browser: Browser) -> None:
    """They are lines of a text instead of rows, stay what they are, and can be changed there."""
    rules: dict[str, str | None] = {f"page-{number:04}.html": f"new/{number}/" for number in range(1_000)}
    await saved(admin, rules=rules)
    for path in pages_of("six"):
        assert len((await browser.get(path)).html.encode()) < MAX_PAGE_BYTES
    page = await browser.get(SIX)
    assert page.rules(SIX) == []
    lines = page.value("lines", SIX).split("\n")
    assert len(lines) == 1_000
    unchanged = await browser.send(page, SIX, do="save")
    assert "Nothing was different" in unchanged.text
    page = await browser.send(page, SIX, {"lines": "\n".join(["page-0000.html gone", *lines[2:]])}, do="preview")
    assert "Rule page-0000.html : was new/0/ now gone (410)" in page.text
    assert len(page.html.encode()) < MAX_PAGE_BYTES
    await browser.send(page, SIX, do="save")
    now = (await stands(admin))["rules"]
    assert (len(now), now["page-0000.html"], "page-0001.html" in now) == (999, None, False)


# When readers see it

SEEN = [
    ({}, "within 5 minutes at most", "up to 1 hour later"),
    ({"status": 302}, "within 5 minutes at most", "up to 5 minutes later"),
    ({"state": "gone"}, "within 5 minutes at most", "up to 1 hour later"),
]


@pytest.mark.parametrize(("earlier", "cdn", "browsers"), SEEN)
async def test_when_readers_see_it(
    admin: Admin, browser: Browser, earlier: dict[str, Any], cdn: str, browsers: str
) -> None:
    """How long the earlier answer may still be seen follows from what it was."""
    await saved(admin, **earlier)
    await admin.put(record("six", "https://b.example.org/"), ANY)
    page = await browser.get(f"{SIX}/saved")
    assert cdn in page.text
    assert browsers in page.text


async def test_lifetimes_are_the_settings(store: FakeStore) -> None:
    """The page says what the operators have set."""
    environ = {"DOCSREDIRECT_CDN_ABSENT_MAX_AGE": "86400", "DOCSREDIRECT_BROWSER_ABSENT_MAX_AGE": "90"}
    async with running_admin(store, environ) as admin, browsing(admin.port, BOOTSTRAP) as browser:
        await saved(admin)
        page = await browser.get(f"{SIX}/saved")
        assert "within 1 day at most" in page.text
        assert "up to 90 seconds later" in page.text


async def test_what_is_not_published_yet_is_said(admin: Admin, browser: Browser, store: FakeStore) -> None:
    """A saved change that could not be published is told as such, on the page that follows and on the project's."""
    page = await browser.get(SIX)
    store.failing, store.failing_operations = "table.json", ("create", "replace")
    page = await browser.send(page, SIX, {"target": TARGET}, do="save")
    assert page.url == f"{SIX}/saved"
    assert "will be published shortly" in page.text
    assert "Not published yet" in (await browser.get(SIX)).text


async def test_what_the_operators_deny_is_said(store: FakeStore, tmp_path: Path) -> None:
    """A project on the deny file answers otherwise than its record says, so its page says so."""
    (tmp_path / "denied").write_text("six\n", encoding="utf-8")
    async with (
        running_admin(store, {"DOCSREDIRECT_DENY_FILE": str(tmp_path / "denied")}) as admin,
        browsing(admin.port, BOOTSTRAP) as browser,
    ):
        await saved(admin)
        assert "The operators of this service have withdrawn these links" in (await browser.get(SIX)).text


@pytest.mark.parametrize(("rules", "links"), [(20, 0), (20, 250), (21, 250), (1_000, 0), (1_000, 250)])
async def test_the_largest_previews_have_at_most_60_kib(admin: Admin, browser: Browser, rules: int, links: int) -> None:
    """With the style and the script: many rules and many pasted links, each with another answer than now. The text of
    rules that are too many for rows is the maintainer's own, and not counted."""
    made: dict[str, str | None] = {f"page-{number:04}.html": f"new/{number}/" for number in range(rules)}
    await saved(admin, rules=made)
    pasted = "\n".join(f"page-{number:04}.html" for number in range(links))
    fields: Fields = {"target": "https://elsewhere.example.org/docs/latest/", "links": pasted}
    page = await browser.send(await browser.get(SIX), SIX, fields, do="preview")
    static = resources.files("docsredirect.admin") / "static"
    assets = sum(len((static / name).read_bytes()) for name in ("app.css", "app.js"))
    own = len(page.value("lines", SIX)) if rules > 20 else 0
    assert len(page.html.encode()) - own + assets <= 60 * 1024


@pytest.mark.parametrize(("text", "most"), [("a" + " " * 200_000 + "b", 2.0), ("x=\n" * 100_000, 4.0)])
async def test_a_hostile_paste_costs_little(admin: Admin, browser: Browser, text: str, most: float) -> None:
    """Many blanks or many bad lines: answered at once, with a page of ordinary size that lists a few of the faults."""
    await saved(admin)
    begin = time.monotonic()
    page = await browser.send(await browser.get(SIX), SIX, {"lines": text}, do="preview")
    assert time.monotonic() - begin < most
    assert page.text.count("Line ") < 30


async def test_a_link_from_another_site_leaves_the_session_as_it_is(admin: Admin) -> None:
    """The browser keeps its cookie back then: no other one is set over it, and the page loads itself once more."""
    async with aiohttp.ClientSession() as session:
        headers = {"Sec-Fetch-Site": "cross-site", "Accept": "text/html"}
        async with session.get(f"http://127.0.0.1:{admin.port}/projects/six", headers=headers) as answer:
            assert (answer.status, "Set-Cookie" in answer.headers) == (200, False)
            assert 'http-equiv="refresh" content="0"' in await answer.text()


async def test_a_session_that_was_ended_is_of_no_use(admin: Admin) -> None:
    """A cookie that somebody has copied does not outlive signing out."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        browser = Browser(admin.port, session)
        await browser.sign_in(BOOTSTRAP)
        page = await browser.get("/try")
        copied = {cookie.key: cookie.value for cookie in session.cookie_jar}
        await browser.send(page, "/sign-out")
    async with aiohttp.ClientSession(cookies=copied, cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        assert (await Browser(admin.port, session).get("/try")).url.startswith("/sign-in")
