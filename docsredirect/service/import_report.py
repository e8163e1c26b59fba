"""What an import came to, with its lines: for the API and the command line alike. Writes and prints nothing."""

from collections.abc import Iterable, Iterator

import msgspec

from docsredirect.formats.lines import Batch, Refusal
from docsredirect.service.bulk import Imported, ImportOptions
from docsredirect.service.commits import Outcome


class LineFault(msgspec.Struct):
    """Something about a line. `line` is null where a project could not be written."""

    line: int | None
    pointer: str
    code: str
    detail: str


class ImportReport(msgspec.Struct, kw_only=True):
    """What an import came to, or would come to."""

    created: int
    changed: int
    unchanged: int
    refused: int
    errors: list[LineFault]
    warnings: list[LineFault]
    dry_run: bool
    needs_force: bool


def report_on(batch: Batch, imported: Imported, options: ImportOptions) -> ImportReport:
    """Return what importing `batch` came to."""
    unwritten = [LineFault(None, "", "not-written", f"{name}: {reason}") for name, reason in imported.refused]
    return ImportReport(
        created=imported.counts[Outcome.CREATED],
        changed=imported.counts[Outcome.CHANGED],
        unchanged=imported.counts[Outcome.UNCHANGED] + batch.repeated,
        refused=len(batch.refusals) + batch.unlisted + len(imported.refused),
        errors=[*_faults(batch.refusals), *unwritten],
        warnings=list(_faults(batch.warnings)),
        dry_run=options.dry_run,
        needs_force=imported.needs_force is not None,
    )


def _faults(refusals: Iterable[Refusal]) -> Iterator[LineFault]:
    for refusal in refusals:
        for fault in refusal.errors:
            yield LineFault(refusal.line, fault.pointer, fault.code, fault.detail)
