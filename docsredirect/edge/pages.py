"""The pages that a reader sees: the front page, 404 and 410. Text of a request stands in them only escaped."""

from jinja2 import Environment, PackageLoader, StrictUndefined

from docsredirect.domain.settings import Settings


class Pages:
    """Renders the edge's pages. Each is self-contained: one answer, no request to anywhere."""

    def __init__(self, settings: Settings) -> None:
        self._environment = Environment(
            loader=PackageLoader("docsredirect.edge"), autoescape=True, undefined=StrictUndefined,
            trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip
        self._environment.globals["admin_url"] = settings.admin_url

    def home(self) -> bytes:
        """The front page: what this is, for readers and for maintainers."""
        return self._render("home.html")

    def absent(self, path: str, name: str | None) -> bytes:
        """404: no redirect is known for what stands at `path`."""
        return self._render("absent.html", path=_shown(path), name=name)

    def gone(self, path: str, name: str | None, *, whole_project: bool) -> bytes:
        """410: what stands at `path` was withdrawn, alone or with all of the project's documentation."""
        return self._render("gone.html", path=_shown(path), name=name, whole_project=whole_project)

    def _render(self, template: str, **values: object) -> bytes:
        return self._environment.get_template(template).render(values).encode()


def _shown(path: str, limit: int = 200) -> str:
    return path if len(path) <= limit else path[:limit] + "…"
