"""The paths of the legacy hosts that are not projects. Says which, not what they answer."""

from enum import Enum


class Page(Enum):
    """A path that the service itself answers."""

    HOME = "home"
    ROBOTS = "robots.txt"
    SITEMAP = "sitemap.xml"
    FAVICON = "favicon.ico"
    SECURITY = "security.txt"
    SERVICE = "service"
    """Everything under ``/-/``, which can never be a legal name."""
    FILES = "files"
    """The file route that the old host had: ``/packages`` and all below it."""


_EXACT = {
    "/": Page.HOME,
    "/robots.txt": Page.ROBOTS,
    "/sitemap.xml": Page.SITEMAP,
    "/favicon.ico": Page.FAVICON,
    "/.well-known/security.txt": Page.SECURITY,
    "/-": Page.SERVICE,
    "/packages": Page.FILES,
}
_BELOW = (("/-/", Page.SERVICE), ("/packages/", Page.FILES))


def page_at(path: str) -> Page | None:
    """Return the service's own page at `path`, a path in normal form, or None where a project is asked for."""
    page = _EXACT.get(path)
    if page is not None:
        return page
    for prefix, below in _BELOW:
        if path.startswith(prefix):
            return below
    return None
