"""The decision told step by step, for the maintainer who asks why. Decides nothing: the answer is `resolve_url`'s.

Sentences quote what was asked with `shorten`, so no control character of a request is ever repeated raw.
"""

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

import msgspec

from docsredirect.domain import escapes, rules
from docsredirect.domain.errors import shorten
from docsredirect.domain.hosts import HostRules
from docsredirect.domain.reserved import Page
from docsredirect.domain.resolve import (
    DENIED,
    MAX_LOCATION,
    MAX_REQUEST,
    Answer,
    Asked,
    Find,
    Lookup,
    normal_path,
    resolve_url,
    strip_prose,
    take_apart,
)
from docsredirect.domain.routes import Destination, Route, Rule

StepName = Literal["host", "length", "path", "name", "table", "rule", "rest", "query", "fragment", "answer"]
"""The steps of the decision, in their order. An answer that is found early leaves the later ones out."""

_URL_SHOWN = 300
"""How many characters of a target or a `Location` are shown: all of any that people write."""

_PAGES: Final = {
    Page.HOME: "the service's own front page",
    Page.ROBOTS: "the service's own robots.txt",
    Page.SITEMAP: "the service's own sitemap",
    Page.FAVICON: "an icon that the service does not have",
    Page.SECURITY: "the service's own security.txt, which is there only where the operators have set one",
    Page.SERVICE: "a path of the service itself",
    Page.FILES: "the file route of the legacy host, of which nothing is left",
}
_OUTCOMES: Final = {
    200: "the service shows this page itself",
    400: "this is no http or https URL",
    404: "nothing is found here",
    410: "what was here is withdrawn",
    414: "the URL is too long",
    421: "the host is not served here",
    503: "it cannot be known now; ask again later",
}


class Step(msgspec.Struct, frozen=True):
    """One step of the decision, and what it came to in one or a few sentences."""

    step: StepName
    detail: str


class Explanation(NamedTuple):
    """What a legacy URL answers, and why, in the order in which it was decided."""

    answer: Answer
    steps: list[Step]


class _LookedUp(NamedTuple):
    name: str
    found: Route | Lookup | None


def explain(find: Find, url: str, hosts: HostRules) -> Explanation:
    """Return exactly what `resolve_url` answers with the same arguments, and the steps that led there; the last one
    is always ``answer``. Asks `find` at most once. Never raises, and its cost is linear in the length of `url`.
    """
    looked_up: list[_LookedUp] = []

    def find_once(name: str) -> Route | Lookup | None:
        looked_up.append(_LookedUp(name, find(name)))
        return looked_up[-1].found

    answer = resolve_url(find_once, url, hosts)
    found = looked_up[0] if looked_up else None
    steps = [*_request_steps(answer, found, url, hosts), Step("answer", _outcome(answer, found))]
    return Explanation(answer, steps)


def _request_steps(answer: Answer, looked_up: _LookedUp | None, url: str, hosts: HostRules) -> Iterator[Step]:
    """Yield what the request comes to, up to the look at the table, and then what the record found there says."""
    asked = take_apart(url)
    yield Step("host", _host(asked, url, hosts))
    if asked is None or answer.status == 421:
        return
    if answer.status == 414 and looked_up is None:
        yield Step("length", _length(asked))
        return
    normal = normal_path(asked.path)
    yield Step("path", _path(asked.path, normal, answer))
    if normal is None or answer.page is not None:
        return
    segment, _, rest = normal[1:].partition("/")
    yield Step("name", _name(segment, looked_up))
    if looked_up is None:
        return
    yield Step("table", _table(looked_up))
    if isinstance(looked_up.found, Route) and not looked_up.found.gone:
        yield from _record_steps(looked_up.found, rest, asked.query, url)


def _record_steps(route: Route, rest: str, query: str, url: str) -> Iterator[Step]:
    rule, position = route.choose(rest)
    yield Step("rule", _rule(rule, route, rest))
    if rule.destination is None:
        return
    yield Step("rest", _rest(rule.destination, rest[position:], route.match(rest)[1], route))
    yield Step("query", _query(query, url, rule.destination))
    fragment = url.partition("#")[2]
    if fragment or rule.destination.fragment:
        yield Step("fragment", _fragment(fragment, rule.destination))


def _host(asked: Asked | None, url: str, hosts: HostRules) -> str:
    if asked is None:
        return f"{shorten(url)} is no http or https URL. Give one like https://pythonhosted.org/six/, or a path."
    if asked.host is None:
        return "No host is named: the path is taken as one of a legacy host."
    if asked.host in hosts.own:
        return f"The host {shorten(asked.host)} is one of ours."
    if hosts.serves(asked.host):
        return f"The host {shorten(asked.host)} is not one of ours, and is answered like one here."
    return f"The host {shorten(asked.host)} is not one of ours. These are: {', '.join(sorted(hosts.own))}."


def _length(asked: Asked) -> str:
    size = len(escapes.utf8(asked.path)) + len(escapes.utf8(asked.query))
    return f"Path and query together have {size} bytes. At most {MAX_REQUEST} are looked at."


def _path(path: str, normal: str | None, answer: Answer) -> str:
    if normal is None:
        why = "a control character" if escapes.has_control(path) else "a . or .. segment"
        return f"The path {shorten(path)} holds {why}, raw or escaped. Nothing is found at such a path."
    if answer.page is not None:
        return f"The path {shorten(normal)} is no project's. It is {_PAGES[answer.page]}."
    changes = []
    if "//" in path:
        changes.append("runs of slashes count as one")
    if escapes.normalise_path(path) != path:
        changes.append("escapes are put into their normal form")
    if not changes:
        return f"The path {shorten(path)} is taken as it is."
    return f"The path {shorten(path)} is read as {shorten(normal)}: {' and '.join(changes)}."


def _name(segment: str, looked_up: _LookedUp | None) -> str:
    stripped = strip_prose(segment)
    project = shorten(stripped)
    if looked_up is None:
        without = "" if stripped == segment else f", nor is {project}, without its trailing punctuation"
        return f"{shorten(segment)} is not a project name{without}. No table can know it."
    if stripped != segment:
        return (
            f"{shorten(segment)} is not a project name. Without the punctuation that prose leaves behind a link "
            f"it is {project}, looked up as {shorten(looked_up.name)}."
        )
    if segment != looked_up.name:
        return f"The project {project} is looked up as {shorten(looked_up.name)}, as names are compared (PEP 503)."
    return f"The project {project} is looked up."


def _table(looked_up: _LookedUp) -> str:
    name, route = looked_up
    if route is None:
        return f"No redirect is set for {shorten(name)}."
    if route is DENIED:
        return f"The operators have withdrawn {shorten(name)}, whatever its record says."
    if not isinstance(route, Route):
        return f"Whether a redirect is set for {shorten(name)} cannot be known now: its part of the table is not here."
    if route.gone:
        return f"The record of {shorten(name)} says that its documentation is withdrawn (`state` is gone)."
    return (
        f"The record of {shorten(name)} leads to {_target(route.path_rule)} "
        f"with the path policy `{route.policy}` and status {route.status}."
    )


def _rule(rule: Rule, route: Route, rest: str) -> str:
    if rule is route.path_rule:
        return f"No rule of the record is for {_page(rest)}, so the path policy `{route.policy}` answers."
    kind, _ = rules.match_key(rule.source)
    if kind == "page":
        which = f"The rule {shorten(rule.source)} is for exactly this page"
    elif rule.source == rules.STAR:
        which = f"The rule '*' is for all that no other rule is for, {_page(rest)} too"
    else:
        which = f"The rule {shorten(rule.source)} is the longest folder rule for {_page(rest)}"
    if rule.destination is None:
        return f"{which}. It says that what was there is gone."
    return f"{which}. It leads to {_target(rule)}."


def _page(rest: str) -> str:
    return shorten(rest) if rest else "the project's root"


def _target(rule: Rule) -> str:
    """Return where a rule leads, with a star where it carries a path."""
    to = rule.destination
    assert to is not None, "a rule that leads nowhere is told apart before"
    return shorten(to.head + rules.STAR * (to.carries and rule.source.endswith(rules.STAR)) + to.fragment, _URL_SHOWN)


def _rest(to: Destination, rest: str, carried: str, route: Route) -> str:
    if not to.carries:
        return "Nothing of the path is carried over: every request that comes here gets the same page."
    if not rest:
        return "Nothing of the path is left to carry over."
    if carried != rest:
        return f"{shorten(rest)} is carried over as {shorten(carried)}, which is what `clean` makes of it."
    if route.policy == "clean":
        return f"{shorten(rest)} is carried over as it is: `clean` finds no .html page in its last segment."
    return f"{shorten(rest)} is carried over as it is."


def _query(query: str, url: str, to: Destination) -> str:
    if not query:
        bare = url.partition("#")[0].endswith("?")
        return "A ? without a query is dropped." if bare else "There is no query to carry over."
    if to.has_query:
        return f"The query {shorten(query)} is dropped: where it leads has a query of its own, which stands alone."
    normal = escapes.normalise_query(query)
    if normal != query:
        return f"The query {shorten(query)} is carried over as {shorten(normal)}, its normal form."
    return f"The query {shorten(query)} is carried over."


def _fragment(fragment: str, to: Destination) -> str:
    if to.fragment:
        return f"{shorten(to.fragment)} stands at the end: it is a part of where this leads."
    return f"{shorten('#' + fragment)} is not sent to us. Browsers put it behind the new URL by themselves."


def _outcome(answer: Answer, looked_up: _LookedUp | None) -> str:
    if answer.location is not None:
        return f"The answer is {answer.status} with the location {shorten(answer.location, _URL_SHOWN)}."
    if answer.status == 414 and looked_up is not None:
        return f"The answer is 414: the location would be longer than {MAX_LOCATION} bytes."
    return f"The answer is {answer.status}: {_OUTCOMES[answer.status]}."
