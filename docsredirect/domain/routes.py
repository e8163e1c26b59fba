"""A record compiled for answering: the page, folder and path policies of one project. Checks nothing again."""

from typing import NamedTuple

from docsredirect.domain import paths, rules, targets
from docsredirect.domain.records import PathPolicy, Record

BY_PATH = "path"
"""What an answer names as its rule where none of the record's rules said so, but the path policy."""


class Destination(NamedTuple):
    """A URL, taken apart where a path and a query go in."""

    head: str
    carries: bool
    has_query: bool
    fragment: str

    @classmethod
    def of(cls, url: str, *, carries: bool) -> "Destination":
        """Take `url` apart. With `carries`, a path is appended to it."""
        head, mark, fragment = url.partition("#")
        return cls(head, carries, "?" in head, mark + fragment)

    def location(self, carried: str, query: str) -> str:
        """Return the absolute URL for what is left of a path and for a query, both in normal form."""
        url = self.head + carried if self.carries else self.head
        if query and not self.has_query:
            url = f"{url}?{query}"
        return url + self.fragment


class Rule(NamedTuple):
    """One rule: its `from` as the maintainer wrote it, and where it leads; nowhere is 410."""

    source: str
    destination: Destination | None


class _Folder:
    """A node of the tree of folder rules, one level a path segment."""

    __slots__ = ("children", "rule")

    def __init__(self) -> None:
        self.children: dict[str, _Folder] = {}
        self.rule: Rule | None = None


class Route:
    """Everything that one project's record says, ready to answer. Immutable once made."""

    __slots__ = ("_folders", "_pages", "gone", "path_rule", "policy", "status")

    def __init__(self, record: Record) -> None:
        self.status: int = record.status
        self.gone = record.state == "gone"
        self.policy: PathPolicy = record.path
        self.path_rule = Rule(BY_PATH, Destination.of(record.target, carries=record.path != "root"))
        self._pages: dict[str, Rule] = {}
        self._folders = _Folder()
        for source, to in record.rules.items():
            self._add(source, _destination(to, record.target))

    def _add(self, source: str, destination: Destination | None) -> None:
        kind, key = rules.match_key(source)
        rule = Rule(source, destination)
        if kind == "page":
            self._pages[key] = rule
            return
        folder = self._folders
        for segment in key.split("/") if key else ():
            folder = folder.children.setdefault(segment, _Folder())
        folder.rule = rule

    def match(self, rest: str) -> tuple[Rule, str]:
        """Return the rule that answers for `rest`, a path in normal form below the project's root, and the part
        of it that the rule carries over: the exact page, else the longest folder, else ``*``, else the policy.

        Linear in ``len(rest)``, and never deeper than the deepest folder rule.
        """
        rule, position = self.choose(rest)
        carried = rest[position:]
        return rule, paths.clean(carried) if carried and self.policy == "clean" else carried

    def choose(self, rest: str) -> tuple[Rule, int]:
        """Return the rule that answers for `rest`, and where in it that begins which the rule carries over."""
        if self._pages:
            rule = self._pages.get(paths.page_key(rest))
            if rule is not None:
                return rule, len(rest)
        folder: _Folder | None = self._folders
        best, best_position, position = self.path_rule, 0, 0
        while folder is not None:
            if folder.rule is not None:
                best, best_position = folder.rule, position
            if not folder.children or position > len(rest):
                break
            end = rest.find("/", position)
            if end < 0:
                end = len(rest)
            folder = folder.children.get(rest[position:end])
            position = end + 1
        return best, best_position


def _destination(to: str | None, target: str) -> Destination | None:
    if to is None:
        return None
    carries = to.endswith(rules.STAR)
    url = to.removesuffix(rules.STAR)
    return Destination.of(url if targets.is_absolute(url) else target + url, carries=carries)
