"""An export through the admin API: the records in the order in which they come, and an error where some are missing."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import aiohttp
import msgspec

from docsredirect.cli.client import CONNECT_SECONDS, Client, Request
from docsredirect.cli.exchange import Answer, NotOurs
from docsredirect.domain import names
from docsredirect.domain.records import Record
from docsredirect.formats.lines import MAX_LINE

JSON_LINES = "application/jsonl"

_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=60.0)
"""However long it takes, as long as something comes."""

_DECODER = msgspec.json.Decoder(Record)


@contextmanager
def exported(client: Client) -> Iterator[Iterator[Record]]:
    """Give the records of the published table. Where the answer breaks off, or holds anything else, the last one is
    followed by `NoAnswer` or `NotOurs`."""
    with client.stream(Request("GET", "/export", timeout=_TIMEOUT)) as (answer, pieces):
        if answer.media != JSON_LINES:
            raise answer.not_ours()
        yield _records(answer, pieces)


def _records(answer: Answer, pieces: Iterable[bytes]) -> Iterator[Record]:
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        if len(rest) > MAX_LINE:
            raise NotOurs(answer.url, f"sent a line of more than {MAX_LINE} bytes")
        for line in lines:
            yield _record(answer, line)
    if rest:
        raise NotOurs(answer.url, "ended in the middle of a line")


def _record(answer: Answer, line: bytes) -> Record:
    try:
        record = _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotOurs(answer.url, f"sent a line that is no record ({error})") from error
    if names.normalise(record.project) is None:
        raise NotOurs(answer.url, "sent a record of no legal name")
    return record
