"""`docsredirect purge`: what the CDN is asked, and what a person is told."""

import pytest

from tests.cli.commands import Cli
from tests.cli.servers import answer, answering

TOKEN = "a-secret-token"


def _environ(url: str, purge: str = "fastly:an-id") -> dict[str, str]:
    # The store is one that cannot be used: it is not asked.
    return {
        "DOCSREDIRECT_STORE": "s3://no-such-bucket",
        "DOCSREDIRECT_PURGE": purge,
        "DOCSREDIRECT_PURGE_TOKEN": TOKEN,
        "DOCSREDIRECT_PURGE_API": url,
    }


ASKED = [
    (("SIX",), b"POST /service/an-id/purge/project%2Fsix ", b"", "project/six"),
    (("--soft", "six"), b"POST /service/an-id/purge/project%2Fsix ", b"Fastly-Soft-Purge: 1", "project/six"),
    (("b", "A.a", "a-a"), b"POST /service/an-id/purge ", b'["project/a-a","project/b"]', "project/a-a, project/b"),
    (("--all", "--yes"), b"POST /service/an-id/purge/docsredirect ", b"", "everything"),
]


@pytest.mark.parametrize(("words", "line", "holds", "told"), ASKED)
def test_the_cdn_is_asked_to_forget(cli: Cli, words: tuple[str, ...], line: bytes, holds: bytes, told: str) -> None:
    """Each project once, in any spelling; for good unless --soft says otherwise; and a person is told what."""
    with answering(answer()) as cdn:
        done = cli("purge", *words, env=_environ(cdn.url))
    (request,) = cdn.requests
    assert request.startswith(line)
    assert holds in request.replace(b", ", b",")
    assert (b"Fastly-Soft-Purge" in request) == ("--soft" in words)
    assert done.out.decode() == f"The CDN was told to forget {told}.\n"
    assert done.err == ""


def test_a_cdn_that_refuses_is_told_without_the_token(cli: Cli) -> None:
    """What it answered, and exit 1."""
    with answering(answer(b"no such service", "404 Not Found")) as cdn:
        done = cli("purge", "six", env=_environ(cdn.url), fails=True)
    assert done.status == 1
    assert "answered 404 to a purge: 'no such service'" in done.err
    assert TOKEN not in done.err


WRONG: list[tuple[tuple[str, ...], dict[str, str], str]] = [
    ((), {}, "Give the projects to forget, or --all."),
    (("six", "--all"), {}, "Give the projects to forget, or --all."),
    (("bad-",), {}, "is not a project name"),
    (("six",), {"DOCSREDIRECT_PURGE": ""}, "DOCSREDIRECT_PURGE names no CDN"),
    (("six",), {"DOCSREDIRECT_PURGE_TOKEN": ""}, "DOCSREDIRECT_PURGE needs DOCSREDIRECT_PURGE_TOKEN"),
    (("--all",), {}, "There is no terminal to ask on."),
]


@pytest.mark.parametrize(("words", "environ", "told"), WRONG)
def test_wrong_use(cli: Cli, words: tuple[str, ...], environ: dict[str, str], told: str) -> None:
    """Exit 2, with what is missing; the CDN is not asked."""
    with answering(answer()) as cdn:
        done = cli("purge", *words, env={**_environ(cdn.url), **environ}, fails=True)
    assert (done.status, cdn.requests) == (2, [])
    assert told in done.err
