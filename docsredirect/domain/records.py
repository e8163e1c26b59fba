"""The redirect record: parsed once at the border, legal ever after. Knows nothing of stores or requests."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, get_args

import msgspec

from docsredirect.domain import names, rules, targets
from docsredirect.domain.errors import Fault, InvalidRecord, pointer_to, shorten
from docsredirect.domain.faults import Faults
from docsredirect.domain.hosts import HostRules

PathPolicy = Literal["keep", "clean", "root"]
Status = Literal[301, 302, 307, 308]
State = Literal["active", "gone"]

MAX_RECORD_BYTES = 128 * 1024
"""The largest record in bytes of its JSON form: what one row may cost every edge."""

RESERVED_NAMES = frozenset({"packages"})
"""Names that the legacy hosts used for something else."""

_PATHS, _STATUSES, _STATES = get_args(PathPolicy), get_args(Status), get_args(State)
_FIELDS = ("project", "target", "path", "status", "state", "rules")
_REQUIRED = ("project", "target", "path")


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where one project's legacy URLs lead. Made by `parse_record`, which checks it, or read back from a store."""

    project: str
    target: str
    path: PathPolicy
    status: Status = 301
    state: State = "active"
    rules: dict[str, str | None] = {}

    @property
    def name(self) -> str:
        """The PEP 503 form under which the record is stored and looked up."""
        name = names.normalise(self.project)
        assert name is not None, "a checked record has a legal name"
        return name


class Checked(NamedTuple):
    """A record that may be stored, and what its maintainer should know about it."""

    record: Record
    warnings: list[Fault]


def to_fields(record: Record) -> dict[str, Any]:
    """Return the record as the flat object of its JSON form; ``rules`` only where there are any."""
    fields: dict[str, Any] = msgspec.structs.asdict(record)
    if not record.rules:
        del fields["rules"]
    return fields


def parse_record(raw: object, hosts: HostRules) -> Checked:
    """Check a decoded JSON value and return the record in normal form.

    Raises `InvalidRecord` with every fault of the value at once; of more than `MAX_FAULTS` it counts the rest.
    """
    if not isinstance(raw, Mapping):
        raise InvalidRecord([Fault("", "type", "A record is a JSON object.")])
    faults = Faults()
    _check_fields(raw, faults)
    project = _text(raw, "project", faults)
    faults.extend(_project_faults(project))
    path = _choice(raw, "path", _PATHS, None, faults)
    status = _choice(raw, "status", _STATUSES, 301, faults)
    state = _choice(raw, "state", _STATES, "active", faults)
    target = _target(raw, path, hosts, faults)
    # With the policy unknown, it is unknown too whether the target gets a slash for relative rules to stand on.
    checked_rules = _rules(raw, None if path is None else target, hosts, faults)
    if faults:
        raise InvalidRecord(faults.listed())
    assert project is not None and target is not None
    record = Record(project=project, target=target, path=path, status=status, state=state, rules=checked_rules)
    size = len(msgspec.json.encode(record))
    if size > MAX_RECORD_BYTES:
        detail = f"The record has {size} bytes as JSON. At most {MAX_RECORD_BYTES} are accepted: use folder rules."
        raise InvalidRecord([Fault("", "record-too-large", detail)])
    return Checked(record, _warnings(record))


def _check_fields(raw: Mapping[str, object], faults: Faults) -> None:
    faults.extend(Fault(f"/{field}", "missing", f"`{field}` is required.") for field in _REQUIRED if field not in raw)
    accepted = ", ".join(_FIELDS)

    def unknown(field: str) -> Fault:
        detail = f"{shorten(field)} is not a field of a record. The fields are {accepted}."
        return Fault(pointer_to(field), "unknown-field", detail)

    faults.extend_for((field for field in raw if field not in _FIELDS), unknown)


def _text(raw: Mapping[str, object], field: str, faults: Faults) -> str | None:
    value = raw.get(field)
    if isinstance(value, str):
        return value
    if field in raw:
        faults.append(Fault(f"/{field}", "type", f"`{field}` is a text."))
    return None


def _project_faults(project: str | None) -> list[Fault]:
    if project is None:
        return []
    if len(project) > names.MAX_NAME:
        detail = f"The name has {len(project)} characters. At most {names.MAX_NAME} are accepted."
        return [Fault("/project", "name-too-long", detail)]
    name = names.normalise(project)
    if name is None:
        detail = (
            f"{shorten(project)} is not a project name. Use ASCII letters, digits, '.', '-' and '_', "
            "with a letter or digit at both ends (PEP 508)."
        )
        return [Fault("/project", "name", detail)]
    if name in RESERVED_NAMES:
        detail = f"{shorten(project)} cannot be a project here: /{name} was the legacy host's file route."
        return [Fault("/project", "name-reserved", detail)]
    return []


def _choice(raw: Mapping[str, object], field: str, choices: tuple[Any, ...], default: Any, faults: Faults) -> Any:
    value = raw.get(field, default)
    # By type too: True and 301.0 equal numbers that they are not.
    if field not in raw or any(value == choice and type(value) is type(choice) for choice in choices):
        return value
    accepted = ", ".join(map(str, choices))
    detail = f"`{field}` is {shorten(str(value))}. It must be one of {accepted}."
    faults.append(Fault(f"/{field}", "choice", detail))
    return default


def _target(raw: Mapping[str, object], path: object, hosts: HostRules, faults: Faults) -> str | None:
    target = _text(raw, "target", faults)
    if target is None:
        return None
    url, found = targets.check_target(target, hosts, "/target", base=path in ("keep", "clean"))
    faults.extend(found)
    return url


def _rules(raw: Mapping[str, object], target: str | None, hosts: HostRules, faults: Faults) -> dict[str, str | None]:
    value = raw.get("rules", {})
    if not isinstance(value, Mapping):
        faults.append(Fault("/rules", "type", "`rules` is a JSON object, from → to."))
        return {}
    return rules.check_rules(value, target, hosts, faults)


def _warnings(record: Record) -> list[Fault]:
    urls = {"/target": record.target} | {
        pointer_to("rules", source): to for source, to in record.rules.items() if to is not None
    }
    return [
        Fault(pointer, "plain-http", f"{shorten(url)} is plain http. Use https if the host has it.")
        for pointer, url in urls.items()
        if url.startswith("http://")
    ]
