"""What the old service makes of a record: where its ``redirects.txt`` leads. Only the place, not how it gets there."""

from urllib.parse import unquote

from docsredirect.domain.records import Record
from docsredirect.formats import conveyor


def place(record: Record | None, path: str, *, any_spelling: bool = False) -> str | None:
    """Return where the old service leads for the raw `path`, or None where it answers 404.

    It takes the path apart, decodes the parts, looks the first one up as it is spelled, and drops the query. With
    `any_spelling` its file has a line for that spelling: people have written some that no record tells of.
    """
    if record is None:
        return None
    name, _, rest = path.removeprefix("/").partition("/")
    for row in conveyor.rows(record, (unquote(name),) if any_spelling else ()):
        if row["project_name"] == unquote(name):
            base = str(row["base_uri"])
            return f"{base}/{unquote(rest)}" if row["include_path"] else base
    return None
