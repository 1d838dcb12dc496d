"""How a role process tells its supervisor that it does its work now (not merely that it has started)."""

from __future__ import annotations

import os
from pathlib import Path

READY_FILE_VARIABLE = "INTERACTIONS_READY_FILE"


def announce_ready(url: str | None = None) -> None:
    """Say that this process is ready; call it once, when the loop runs. Does nothing without a supervisor.

    :param url: where it answers ``/readyz`` from now on.
    """
    path = os.environ.get(READY_FILE_VARIABLE)
    if path:
        fresh = Path(f"{path}.new")
        fresh.write_text(f"{os.getpid()}\n{url or ''}")
        fresh.replace(path)


def has_announced(path: Path, pid: int) -> bool:
    """Whether the process ``pid`` has written ``path`` by :func:`announce_ready`."""
    return _announced(path)[0] == str(pid)


def announced_url(path: Path) -> str | None:
    """Where the process that has written ``path`` answers ``/readyz``."""
    return _announced(path)[1] or None


def _announced(path: Path) -> tuple[str, str]:
    try:
        pid, _, url = path.read_text().partition("\n")
    except FileNotFoundError:
        return "", ""
    return pid, url
