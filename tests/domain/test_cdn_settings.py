"""What the settings of the CDN and of the mirror may say."""

import pytest

from docsredirect.domain.errors import InvalidSettings
from docsredirect.domain.settings import Purge, load

SECRET, NEXT = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"

TAKEN: list[tuple[str, str, str, object]] = [
    ("PURGE", "", "purge", None),
    ("PURGE", "fastly:SU1Z0isxPaozGVKXdv0eY", "purge", Purge("fastly", ("SU1Z0isxPaozGVKXdv0eY",))),
    ("PURGE", "cloudflare:023e105f4ecef8ad9ca31a8372d0c353", "purge",
     Purge("cloudflare", ("023e105f4ecef8ad9ca31a8372d0c353",))),
    ("PURGE", "varnish:http://a:6081/, http://[::1]:6081", "purge",
     Purge("varnish", ("http://a:6081", "http://[::1]:6081"))),
    ("PURGE_API", "https://api.example.org/", "purge_api", "https://api.example.org"),
    ("CDN_SECRET", "", "cdn_secret", ()),
    ("CDN_SECRET", f"{SECRET}, {NEXT}", "cdn_secret", (SECRET, NEXT)),
    ("MIRROR", "", "mirror", None),
    ("MIRROR", "s3://old-bucket/conveyor/redirects.txt", "mirror", "s3://old-bucket/conveyor/redirects.txt"),
    ("MIRROR", "s3://old-bucket/redirects.txt", "mirror", "s3://old-bucket/redirects.txt"),
    ("MIRROR", "file:///srv/old/redirects.txt", "mirror", "file:///srv/old/redirects.txt"),
    ("MIRROR", "./old/redirects.txt", "mirror", "./old/redirects.txt"),
    ("MIRROR", "redirects.txt", "mirror", "redirects.txt"),
]  # fmt: skip


@pytest.mark.parametrize(("variable", "text", "field", "value"), TAKEN)
def test_what_is_taken(variable: str, text: str, field: str, value: object) -> None:
    """A setting is what its text says."""
    environ = {"DOCSREDIRECT_PURGE_TOKEN": "token", f"DOCSREDIRECT_{variable}": text}
    assert getattr(load(environ).settings, field) == value


REFUSED = [
    ("PURGE", "akamai:x", "Give fastly:SERVICE_ID"),
    ("PURGE", "fastly:", "Give fastly:SERVICE_ID"),
    ("PURGE", "fastly:a/../b", "Give fastly:SERVICE_ID"),
    ("PURGE", "varnish:", "Give fastly:SERVICE_ID"),
    ("PURGE", "varnish:a:6081", "Give absolute http(s) URLs"),
    ("PURGE_TOKEN", "with blank", "Give visible ASCII characters"),
    ("PURGE_API", "api.example.org", "Give an absolute http(s) URL"),
    ("CDN_SECRET", "short", "at least 32"),
    ("CDN_SECRET", f"{SECRET},short", "at least 32"),
    ("MIRROR", "s3://old-bucket/", "Give s3://bucket/prefix/redirects.txt"),
    ("MIRROR", "https://example.org/redirects.txt", "Give s3://bucket/prefix/redirects.txt"),
    ("MIRROR", "/srv/old/", "Give s3://bucket/prefix/redirects.txt"),
    ("CDN_PURGED_MAX_AGE", "86401", "Give a number from 0 to 86400"),
]


@pytest.mark.parametrize(("variable", "text", "words"), REFUSED)
def test_what_is_refused(variable: str, text: str, words: str) -> None:
    """A problem names the variable and says what would be accepted; a secret is not shown."""
    with pytest.raises(InvalidSettings) as refused:
        load({f"DOCSREDIRECT_{variable}": text})
    (problem,) = [each for each in refused.value.problems if f"DOCSREDIRECT_{variable} is" in each]
    assert words in problem
    assert "SECRET" not in variable or text not in problem


def test_a_cdn_that_is_purged_needs_its_token() -> None:
    """Without one, every purge would be refused: that is told at the start."""
    with pytest.raises(InvalidSettings) as refused:
        load({"DOCSREDIRECT_PURGE": "fastly:x"})
    assert refused.value.problems == [
        "DOCSREDIRECT_PURGE needs DOCSREDIRECT_PURGE_TOKEN: the token that the CDN asks for."
    ]
