"""Ready files: a role process reports to its supervisor that it is working, not merely started."""

from __future__ import annotations

import os
from pathlib import Path

READY_FILE_VARIABLE = "INTERACTIONS_READY_FILE"


def announce_ready(url: str | None = None) -> None:
    """Report that this process is ready. Call it once, when the main loop runs; no-op without a supervisor.

    :param url: base URL of the process's ``/readyz``.
    """
    path = os.environ.get(READY_FILE_VARIABLE)
    if path:
        fresh = Path(f"{path}.new")
        fresh.write_text(f"{os.getpid()}\n{url or ''}")
        fresh.replace(path)


def has_announced(path: Path, pid: int) -> bool:
    """True if the process ``pid`` has written ``path`` with :func:`announce_ready`."""
    return _announced(path)[0] == str(pid)


def announced_url(path: Path) -> str | None:
    """Base URL of ``/readyz`` in the ready file ``path``."""
    return _announced(path)[1] or None


def _announced(path: Path) -> tuple[str, str]:
    try:
        pid, _, url = path.read_text().partition("\n")
    except FileNotFoundError:
        return "", ""
    return pid, url
