"""The pages that a reader sees: the front page, 404 and 410. Text of a request stands in them only escaped."""

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import escape

from docsredirect.domain.hosts import OWN_HOSTS
from docsredirect.domain.resolve import Answer, Denial, normal_path
from docsredirect.domain.settings import Settings
from docsredirect.edge.requests import Target

ARCHIVE = "https://web.archive.org/web/2017/http://"
"""Behind it stands a URL. The archive shows its copy of that from nearest to 2017, the last year of uploads."""

MAX_SHOWN = 200
MAX_ARCHIVED = 600
"""How much of a path is repeated, in characters, escaped in a link: a page stays under 4 KiB, whatever is asked."""


class Pages:
    """Renders the edge's pages. Each is self-contained: one answer, no request to anywhere."""

    def __init__(self, settings: Settings) -> None:
        self._environment = Environment(
            loader=PackageLoader("docsredirect.edge"), autoescape=True, undefined=StrictUndefined,
            trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip
        self._environment.globals |= {"admin_url": settings.admin_url, "index_url": settings.index_url}

    def home(self) -> bytes:
        """The front page: what this is, for readers and for maintainers."""
        return self._render("home.html")

    def absent(self, target: Target, answer: Answer) -> bytes:
        """404: no redirect is known for what `target` asks for."""
        return self._render("absent.html", path=_shown(target.path), name=answer.name, archived=_archived(target))

    def gone(self, target: Target, answer: Answer) -> bytes:
        """410: what `target` asks for was withdrawn, alone or with all of the project's documentation."""
        return self._render(
            "gone.html",
            path=_shown(target.path),
            name=answer.name,
            whole_project=answer.rule is None,
            denied=isinstance(answer, Denial),
            archived=_archived(target),
        )

    def _render(self, template: str, **values: object) -> bytes:
        return self._environment.get_template(template).render(values).encode()


def _shown(path: str) -> str:
    return path if len(path) <= MAX_SHOWN else path[:MAX_SHOWN] + "…"


def _archived(target: Target) -> str | None:
    """Return where the Internet Archive keeps its copies of what stood at `target`, on a legacy host, or None where
    the path is none or too long. In its normal form and behind a whole URL, a path cannot lead elsewhere."""
    path = normal_path(target.path)
    if path is None or len(escape(path)) > MAX_ARCHIVED:
        return None
    host = target.host if target.host in OWN_HOSTS else OWN_HOSTS[0]
    return f"{ARCHIVE}{host}{path}"
