"""Trying a link: what an old URL answers, and why, step by step."""

from contextlib import suppress
from typing import NamedTuple

from aiohttp import web

from docsredirect.admin.pages.visits import VIEWS, Visit
from docsredirect.admin.tables import finder
from docsredirect.domain import names
from docsredirect.domain.errors import Unknown
from docsredirect.domain.explain import Step, explain
from docsredirect.domain.hosts import OWN_HOSTS
from docsredirect.domain.resolve import Answer, Denial, take_apart

MAX_REPEATED = 2_000
"""The longest URL that is put into the form again, in characters."""

_AROUND = {"<": ">", '"': '"', "'": "'", "(": ")", "`": "`", "[": "]", "“": "”", "‘": "’", "«": "»"}
"""What people, mail programs and markup put around a URL."""

_PUNCTUATION = ".,;:!?"

_HEADINGS = {
    "host": "Host",
    "length": "Length",
    "path": "Path",
    "name": "Project",
    "table": "Redirect",
    "rule": "Rule",
    "rest": "Rest of the path",
    "query": "Query",
    "fragment": "Fragment",
    "answer": "Answer",
}


class Explained(NamedTuple):
    """A step with its heading."""

    heading: str
    detail: str


async def show_try(visit: Visit) -> web.StreamResponse:
    """Say what the URL in the address answers, or ask for one."""
    given = visit.parameter("url")
    url = unwrapped(given)
    if not url:
        return VIEWS.page(visit, "try.html", given="", answer=None)
    services = visit.services
    with suppress(Unknown):  # the table that is held answers too: edges may be as old
        await services.refresh()
    answer, steps = explain(await finder(services, url, None), url, services.hosts)
    return VIEWS.page(
        visit,
        "try.html",
        given=given if len(given) <= MAX_REPEATED else "",
        length=len(given),
        url=url if url != given and len(url) <= MAX_REPEATED else None,
        answer=answer,
        denied=isinstance(answer, Denial),
        steps=[_explained(step) for step in steps],
        meant=_meant(url, answer),
        hosts=OWN_HOSTS,
        may_write=answer.name is not None and visit.who.may_write(answer.name),
    )


def unwrapped(text: str) -> str:
    """Return a URL without what stands around it: pairs of quotes, brackets and the like, with the punctuation of a
    sentence behind them."""
    url = text.strip()
    while (closing := _AROUND.get(url[:1])) is not None:
        held = url.rstrip(_PUNCTUATION)
        if len(held) < 2 or not held.endswith(closing):
            break
        url = held[1:-1].strip()
    return url


def _explained(step: Step) -> Explained:
    return Explained(_HEADINGS[step.step], step.detail)


def _meant(url: str, answer: Answer) -> str | None:
    """Return the path that somebody means who gives a project's name, or a path without a slash in front."""
    asked = take_apart(url) if answer.status == 421 and "://" not in url else None
    if asked is None or asked.host is None or names.normalise(asked.host) is None or len(asked.path) > MAX_REPEATED:
        return None
    return f"/{asked.host}{asked.path}"
