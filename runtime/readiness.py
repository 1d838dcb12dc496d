"""How a role process tells its supervisor that it does its work now (not merely that it has started)."""

from __future__ import annotations

import os
from pathlib import Path

READY_FILE_VARIABLE = "INTERACTIONS_READY_FILE"


def announce_ready() -> None:
    """Say that this process is ready; call it once, when the loop runs. Does nothing without a supervisor."""
    path = os.environ.get(READY_FILE_VARIABLE)
    if path:
        fresh = Path(f"{path}.new")
        fresh.write_text(str(os.getpid()))
        fresh.replace(path)


def has_announced(path: Path, pid: int) -> bool:
    """Whether the process ``pid`` has written ``path`` by :func:`announce_ready`."""
    try:
        return path.read_text() == str(pid)
    except FileNotFoundError:
        return False
