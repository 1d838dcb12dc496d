"""Process identity: a pid can be reused, a pid together with a start id cannot."""

from __future__ import annotations

from pathlib import Path

_PROC = Path("/proc")


def process_start_id(pid: int) -> str | None:
    """Start id of a process: two processes with the same pid never share one.

    On Linux: boot id and start time in clock ticks (proc(5), ``/proc/[pid]/stat`` field 22). Unlike
    ``psutil.Process.create_time`` it does not change when the system clock is set. Elsewhere: psutil.

    :returns: ``None`` when the process has ended or is a zombie.
    """
    if not _PROC.joinpath("self").exists():
        return _start_time_from_psutil(pid)
    try:
        stat = _PROC.joinpath(str(pid), "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command name is in parentheses and may itself contain blanks and parentheses.
    fields = stat.rpartition(")")[2].split()
    if fields[0] in "ZX":
        return None
    boot = _PROC.joinpath("sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}:{fields[19]}"


def is_alive(pid: int, start_id: str) -> bool:
    """True while the process with this pid and start id is running."""
    return process_start_id(pid) == start_id


def _start_time_from_psutil(pid: int) -> str | None:
    import psutil  # 0.04 s of import, which no command on Linux pays

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else str(process.create_time())
    except psutil.NoSuchProcess:
        return None
