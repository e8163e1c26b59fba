"""What a process holds, as the kernel counts it."""

import re
from pathlib import Path
from typing import NamedTuple


class Memory(NamedTuple):
    """What a process holds in MiB: resident, its share of it (each shared page divided), and its alone."""

    resident: float
    proportional: float
    private: float


def memory_of(pid: int) -> Memory:
    """Return what a process takes."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    private = _kilobytes("Private_Clean", rollup) + _kilobytes("Private_Dirty", rollup)
    return Memory(_kilobytes("VmRSS", status) / 1024, _kilobytes("Pss", rollup) / 1024, private / 1024)


def _kilobytes(what: str, text: str) -> int:
    found = re.search(rf"^{what}:\s+(\d+) kB", text, re.MULTILINE)
    assert found is not None, f"the kernel does not tell {what}"
    return int(found.group(1))
