"""Which process a pid means: a pid may be given out again, a pid with its start time may not."""

from __future__ import annotations

import subprocess
from pathlib import Path

_PROC = Path("/proc")


def process_start_id(pid: int) -> str | None:
    """A text that two processes with the same pid never share; ``None`` when the process is gone or a zombie.

    Linux: boot id and start time in clock ticks (proc(5), ``/proc/[pid]/stat`` field 22). Elsewhere: ``ps``.
    """
    if not _PROC.joinpath("self").exists():
        shown = subprocess.run(
            ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
        ).stdout.strip()
        return None if not shown or shown.startswith("Z") else shown.split(None, 1)[1]
    try:
        stat = _PROC.joinpath(str(pid), "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command's name stands in parentheses and may itself hold blanks and parentheses.
    fields = stat.rpartition(")")[2].split()
    if fields[0] in "ZX":
        return None
    boot = _PROC.joinpath("sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}:{fields[19]}"


def is_alive(pid: int, mark: str) -> bool:
    """Whether the process that had this pid and this start mark still runs."""
    return process_start_id(pid) == mark
