"""What the page of a project shows: where its links go now, what a draft would make of them, and its last changes."""

from typing import Any, NamedTuple

from docsredirect.admin.pages import old_links, wording
from docsredirect.admin.pages.own_projects import etag, path_of
from docsredirect.admin.pages.record_form import MAX_ROWS, Checkup, Draft
from docsredirect.admin.pages.visits import Visit
from docsredirect.admin.pages.wording import Difference, Revision
from docsredirect.domain.advice import advise
from docsredirect.domain.errors import InvalidRecord
from docsredirect.domain.hosts import OWN_HOSTS, HostRules
from docsredirect.domain.preview import SampleAnswer, changes, samples
from docsredirect.domain.projects import Past, Project, past_of
from docsredirect.domain.records import Record, parse_record
from docsredirect.domain.resolve import DENIED, Answer, resolve
from docsredirect.domain.routes import Route
from docsredirect.domain.tables import Row

SHOWN = 12
"""How many differences, and how many samples, are shown: more than a person compares, in a page of 60 KiB."""

_LAST_CHANGES = 3
_LAST_DIFFERENCES = 5
_DEEP_PAGE = "guide/install.html"


class Example(NamedTuple):
    """What a path policy makes of one old link: the new address, or why there is none."""

    policy: str
    new: str | None
    problem: str


class Asked(NamedTuple):
    """An old link, and what it answers now and after the change."""

    url: str
    before: Answer | SampleAnswer
    after: Answer | SampleAnswer

    @property
    def changes(self) -> bool:
        """Whether readers would notice."""
        return (self.before.status, self.before.location) != (self.after.status, self.after.location)


class Preview(NamedTuple):
    """What saving would change."""

    differences: list[Difference]
    more_differences: int
    samples: list[Asked]
    more_samples: int
    links: list[Asked]
    more_links: int
    stale: bool
    """Whether somebody has changed the project since the form was made."""

    @property
    def summary(self) -> str:
        """The preview in a sentence."""
        asked = [*self.samples, *self.links]
        count = sum(each.changes for each in asked)
        if not self.differences:
            return "Nothing is different from what is saved."
        return f"After saving, {count} of these {len(asked)} old links answer differently."


def whole_page(visit: Visit, name: str, project: Project | None, checkup: Checkup) -> dict[str, Any]:
    """Return what the page shows around the form, and in it."""
    record = None if project is None else project.record
    root = resolve({name: Route(record)}.get, f"/{name}/") if record is not None else None
    return {
        **form_values(visit, name, project, checkup),
        "project": project,
        "record": record,
        "root": root,
        "denied": visit.services.lookups.find(name) is DENIED,
        "history": [] if project is None else revisions(past_of(project)[:_LAST_CHANGES], project, _LAST_DIFFERENCES),
        "policies": wording.POLICIES,
        "statuses": wording.STATUSES,
        "states": wording.STATES,
        "max_rows": MAX_ROWS,
        "current_etag": etag(project),
    }


def form_values(visit: Visit, name: str, project: Project | None, checkup: Checkup) -> dict[str, Any]:
    """Return what the parts of the form show that change while it is filled in."""
    hosts = visit.services.hosts
    record = checkup.record
    faults: dict[str, list[str]] = {}
    for fault in checkup.faults:
        faults.setdefault(fault.field, []).append(fault.detail)
    spelling = record.project if record is not None else spelling_of(name, project)
    page = _example_page(checkup.draft, name, hosts)
    return {
        **words(name, spelling),
        "draft": checkup.draft,
        "faults": faults,
        "example": f"{OWN_HOSTS[0]}/{spelling}/{page}",
        "examples": _examples(checkup.draft.target, name, page, hosts),
        "advice": [] if record is None else advise(record, lambda other: _is_project(visit, other)),
    }


def words(name: str, spelling: str) -> dict[str, Any]:
    """Return what every page of a project needs."""
    return {
        "name": name,
        "spelling": spelling,
        "page": path_of(name),
        "legacy": f"https://{OWN_HOSTS[0]}/{spelling}/",
        "wording": wording,
    }


def spelling_of(name: str, project: Project | None) -> str:
    """Return a project's name as it spells it, as far as that is known."""
    if project is None:
        return name
    record = project.record or project.history[0].before
    return name if record is None else record.project


def preview(visit: Visit, project: Project | None, checkup: Checkup) -> Preview | None:
    """Return what saving a form would change; None where it has faults."""
    if checkup.record is None:
        return None
    hosts, after = visit.services.hosts, checkup.record
    before = None if project is None else project.record
    differences = changes(before, after)
    sampled = samples(before, after)
    pasted = old_links.read_links(checkup.draft.links, after.project, hosts)
    links = old_links.ask(pasted.links, before, after, visit.services.lookups.find, hosts)
    return Preview(
        differences=[wording.difference(change) for change in differences[:SHOWN]],
        more_differences=max(len(differences) - SHOWN, 0),
        samples=[Asked(each.url, each.before, each.after) for each in sampled[:SHOWN]],
        more_samples=max(len(sampled) - SHOWN, 0),
        links=[Asked(*each) for each in links],
        more_links=pasted.total - len(links),
        stale=etag(project) != checkup.draft.etag,
    )


def revisions(past: list[Past], project: Project, limit: int) -> list[Revision]:
    """Return entries of a history, each with at most `limit` differences."""
    return [
        wording.revision(
            each, project, [wording.difference(change) for change in changes(each.entry.before, each.after)], limit
        )
        for each in past
    ]


def last_change(project: Project) -> Revision:
    """Return the change that has made a project what it is."""
    return revisions(past_of(project)[:1], project, SHOWN)[0]


def _example_page(draft: Draft, name: str, hosts: HostRules) -> str:
    links = old_links.read_links(draft.links, name, hosts).links if draft.links else []
    return next((page for link in links if (page := old_links.page_in(link, name)) is not None), _DEEP_PAGE)


def _examples(target: str, name: str, page: str, hosts: HostRules) -> list[Example]:
    """Return what each policy alone makes of a page: rules are for single pages, and shown with the samples."""
    found = [_example(policy, target, name, page, hosts) for policy in wording.POLICIES]
    if any(each.new is not None for each in found):
        return found
    waiting = "correct the target to see it" if target else "fill in the target to see it"
    return [each._replace(problem=waiting) for each in found]


def _example(policy: Any, target: str, name: str, page: str, hosts: HostRules) -> Example:
    try:
        record: Record = parse_record({"project": name, "target": target, "path": policy}, hosts).record
    except InvalidRecord as error:
        return Example(policy, None, error.faults[0].detail)
    return Example(policy, resolve({name: Route(record)}.get, f"/{name}/{page}").location, "")


def _is_project(visit: Visit, name: str) -> bool:
    row = visit.services.replica.row(name)
    return isinstance(row, Row) and row.record is not None
