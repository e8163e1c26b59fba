"""Paths below a project's root: which are the same page, and what ``clean`` makes of one. No slash in front."""

from docsredirect.domain import escapes

_INDEX = "index.html"
_HTML = ".html"


def page_key(rest: str) -> str:
    """Return what `rest` has in common with every other spelling of its page.

    A page is ``x``, ``x/`` and ``x/index.html`` alike; the root page is the empty text. Linear in ``len(rest)``.
    """
    end = len(rest)
    while end:
        if rest[end - 1] == "/":
            end -= 1
        elif rest.endswith("/" + _INDEX, 0, end):
            end -= len(_INDEX) + 1
        elif rest[:end] == _INDEX:
            end = 0
        else:
            break
    return rest[:end]


def clean(rest: str) -> str:
    """Return `rest` with a last segment ``x.html`` as ``x/`` and ``index.html`` as nothing.

    A last segment that is just ``.html``, or holds an escaped slash, stays; so does one that would become a dot
    segment (``...html``), which browsers resolve and so leave the target's folder.
    """
    start = rest.rfind("/") + 1
    last = rest[start:]
    if not last.endswith(_HTML) or last == _HTML or "%2F" in last:
        return rest
    if last == _INDEX:
        return rest[:start]
    stem = last[: -len(_HTML)]
    return rest if escapes.has_dot_segment(stem) else rest[:start] + stem + "/"
