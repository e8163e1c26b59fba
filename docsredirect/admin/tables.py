"""The routes of the whole table: what a URL answers, the export, the import."""

import asyncio
import io
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import msgspec
from aiohttp import hdrs, web

from docsredirect.admin import reading
from docsredirect.admin.bodies import MAX_URL, ResolvedBody
from docsredirect.admin.errors import Busy, InvalidBody
from docsredirect.admin.services import NO_STORE, Call, Services, in_time, json_response
from docsredirect.domain.errors import Fault, InvalidRecord, MalformedText, StoreUnavailable, Unknown
from docsredirect.domain.explain import explain
from docsredirect.domain.records import Record, parse_record
from docsredirect.domain.resolve import Find, Lookup, resolve_url
from docsredirect.domain.routes import Route
from docsredirect.formats import jsonl
from docsredirect.formats.lines import read_batch
from docsredirect.service.bulk import ImportOptions
from docsredirect.service.import_report import report_on

JSON_LINES = "application/jsonl"
_CHUNK = 64 * 1024

_IMPORTING = asyncio.Semaphore  # one a process; made with the application
IMPORT_TURN = web.AppKey("import_turn", _IMPORTING)
IMPORT_WAIT_SECONDS = 20.0
"""How long an import waits for another one to end."""


async def get_resolved(call: Call) -> web.Response:
    """Answer what a URL answers, with the published table."""
    url = call.query.text("url")
    if url is None:
        raise MalformedText("url is required: /-/api/v1/resolve?url=https://pythonhosted.org/six/")
    return await _resolved(call, url, None)


async def post_resolved(call: Call) -> web.Response:
    """Answer what a URL would answer with a record that is not saved."""
    fields = reading.Fields(await reading.read_json(call.request), ("url", "record"))
    url = fields.need("url", reading.text("url"))
    record = fields.take("record", lambda raw: _unsaved(raw, call))
    fields.check()
    assert url is not None
    return await _resolved(call, url, record)


def _unsaved(raw: Any, call: Call) -> Record | None:
    if raw is None:
        return None
    if isinstance(raw, Mapping):
        raw = {field: value for field, value in raw.items() if field != "meta"}
    try:
        return parse_record(raw, call.services.hosts).record
    except InvalidRecord as error:
        faults = [msgspec.structs.replace(fault, pointer=f"/record{fault.pointer}") for fault in error.faults]
        raise InvalidRecord(faults) from error


async def _resolved(call: Call, url: str, record: Record | None) -> web.Response:
    if len(url) > MAX_URL:
        raise InvalidBody([Fault("/url", "url-too-long", f"The URL has {len(url)} characters. At most {MAX_URL}.")])
    with suppress(Unknown):  # the table that is held answers too: edges may be as old
        await call.services.refresh()
    find = await finder(call.services, url, record)
    answer, steps = explain(find, url, call.services.hosts)
    body = ResolvedBody(url=url, status=answer.status, location=answer.location, rule=answer.rule, steps=steps)
    return json_response(body)


async def finder(services: Services, url: str, record: Record | None) -> Find:
    """Return the table with `record` in it. A name that memory cannot tell is asked of the store, as edges do."""
    lookups = services.lookups
    unsaved = None if record is None else Route(record)

    def find(name: str) -> Route | Lookup | None:
        if record is not None and name == record.name:
            return unsaved
        return lookups.find(name)

    answer = resolve_url(find, url, services.hosts)
    if answer.status != 503 or answer.name is None:
        return find
    try:
        async with in_time("read"):
            read = await lookups.read_through(answer.name)
    except (Unknown, StoreUnavailable):
        return find
    return lambda name: read if name == answer.name else find(name)


async def export(call: Call) -> web.StreamResponse:
    """Stream the published table as JSON Lines, sorted by normalised name."""
    await call.services.refresh()
    rows = call.services.listing.export()
    response = web.StreamResponse(headers={**NO_STORE, "Content-Type": f"{JSON_LINES}; charset=utf-8"})
    await response.prepare(call.request)
    if call.request.method == hdrs.METH_HEAD:  # a stream would be written all the same, and taken for the next answer
        return response
    chunk = bytearray()
    async for row in rows:
        if row.record is not None:
            for line in jsonl.lines(row.record):
                chunk += line
        if len(chunk) >= _CHUNK:
            await response.write(bytes(chunk))
            chunk.clear()
    if chunk:
        await response.write(bytes(chunk))
    await response.write_eof()
    return response


async def import_lines(call: Call) -> web.Response:
    """Import the lines of a body, and publish once, at the end."""
    options = ImportOptions(
        dry_run=call.query.flag("dry_run"), only_new=call.query.flag("only_new"), force=call.query.flag("force")
    )
    author = call.author(reading.read_reason(call.request), reading.read_on_behalf_of(call.request))
    turn = call.request.app[IMPORT_TURN]
    try:
        async with asyncio.timeout(IMPORT_WAIT_SECONDS):
            await turn.acquire()
    except TimeoutError as error:
        raise Busy("Another import is under way. Try again when it has ended.") from error
    try:
        body = await reading.read_lines(call.request)
        batch = await asyncio.to_thread(read_batch, io.BytesIO(body), call.services.hosts)
        del body
        imported = await call.services.registry.import_records(batch.records, author, options)
    finally:
        turn.release()
    report = report_on(batch, imported, options)
    if not options.dry_run:
        call.services.metrics.change("imported", report.created + report.changed)
        counts = {count: getattr(report, count) for count in ("created", "changed", "unchanged", "refused")}
        call.audit("import", reason=author.reason, on_behalf_of=author.on_behalf_of, **counts)
    return json_response(report)
