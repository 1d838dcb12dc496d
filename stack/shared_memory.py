"""System V shared memory segments of a killed postmaster (Linux)."""

from __future__ import annotations

import ctypes
import time
from pathlib import Path

_IPC_RMID = 0


def remove_when_detached(segment: int, seconds: float) -> bool:
    """Wait for the backends of a killed postmaster to exit, then remove its segment.

    :returns: false if a process is still attached after ``seconds``; the segment then stays.
    """
    deadline = time.monotonic() + seconds
    while _attached(segment):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    if _attached(segment) == 0:
        ctypes.CDLL(None).shmctl(segment, _IPC_RMID, None)
    return True


def _attached(segment: int) -> int | None:
    """Number of processes attached to a System V segment; ``None`` if it does not exist.

    Source: sysvipc(5), columns ``shmid`` and ``nattch``.
    """
    try:
        rows = Path("/proc/sysvipc/shm").read_text().splitlines()
    except FileNotFoundError:
        return None
    names = rows[0].split()
    for row in rows[1:]:
        values = dict(zip(names, row.split(), strict=False))
        if int(values["shmid"]) == segment:
            return int(values["nattch"])
    return None
