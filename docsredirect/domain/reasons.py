"""Why an answer is better or worse than another: closed sets, each with a stable code and words for people."""

from enum import Enum


class Better(Enum):
    """Why the new answer is better than the old one."""

    FEWER_HOPS = "fewer-hops", "fewer hops"
    FOUND = "found", "a redirect where there was none"
    SPELLING = "spelling", "found by spelling"
    QUERY_KEPT = "query-kept", "query kept"
    ESCAPES_KEPT = "escapes-kept", "escapes kept: the old one sent the decoded path"
    SLASHES = "slashes", "a run of slashes taken for one"
    PERMANENT = "permanent", "301 or 308 for a temporary redirect"
    PAGE = "page", "the page instead of the root"
    RULE = "rule", "a rule of the project"
    CHANGED = "changed", "changed since, in the project's history"
    WITHDRAWN = "withdrawn", "withdrawn, said with 410"
    HTTPS = "https", "https for http"
    REDIRECT_FOR_PAGE = "redirect-for-page", "a redirect instead of an old page"
    OWN_PAGE = "own-page", "a page of the service itself"
    NEVER_SERVED = "never-served", "a path with dot segments or control characters, or one too long, is not answered"
    OLD_FAILED = "old-failed", "the old one failed"
    OLD_LOOPED = "old-looped", "the old one led in a circle"
    OLD_STRAYED = "old-strayed", "the old one led to a place made from the request"

    def __init__(self, code: str, words: str) -> None:
        self.code = code
        self.words = words


class Worse(Enum):
    """Why the new answer is worse than the old one, or than what the table says."""

    UNANSWERED = "no-answer", "no answer"
    ERROR = "error", "an error, or refused"
    LOOPED = "loop", "leads in a circle"
    STRAYED = "strayed", "leads to no absolute http(s) URL"
    ABSENT = "absent", "not found (404)"
    GONE = "gone", "gone (410)"
    NOT_WITHDRAWN = "not-withdrawn", "withdrawn, and not said with 410"
    ANOTHER_PLACE = "another-place", "another place"
    PAGE_LOST = "page-lost", "page lost: the root, or a folder, instead of it"
    QUERY_LOST = "query-lost", "query lost"
    ESCAPES_LOST = "escapes-lost", "escapes lost: the decoded path"
    HTTP = "http", "http for https"
    TEMPORARY = "temporary", "a temporary redirect for a permanent one"
    PERMANENT = "permanent-for-temporary", "a permanent redirect, and the table says temporary"
    MORE_HOPS = "more-hops", "more hops"
    PAGE_FOR_REDIRECT = "page-for-redirect", "a page instead of a redirect"
    PAGE_FOR_NOTHING = "page-for-nothing", "a page where there is none"
    ANOTHER_BODY = "another-body", "another body"

    def __init__(self, code: str, words: str) -> None:
        self.code = code
        self.words = words


Reason = Better | Worse
