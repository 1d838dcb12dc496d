"""Interface between the supervisor and an embedded server."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from stack.artifacts import Progress
from stack.os_user import OsUser


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """Command to start a program.

    :param folder: working directory.
    :param environment: variables in addition to the supervisor's.
    :param os_user: user to run as; ``None`` for the supervisor's user.
    """

    arguments: list[str]
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    os_user: OsUser | None = None


class Server(Protocol):
    """One embedded server."""

    role: str
    stop_signal: signal.Signals

    def prepare(self, progress: Progress) -> None:
        """Prepare files and format storage. Can be repeated after any crash."""
        ...

    def launch(self) -> Launch:
        """The command to start the server."""
        ...

    def not_ready(self) -> str | None:
        """Probe the server: ``None`` if it is ready, otherwise the reason. Takes at most two seconds."""
        ...

    def after_ready(self) -> None:
        """Set up the ready server before it is used. Idempotent."""
        ...

    def clean(self) -> None:
        """Remove what a killed server may have left behind, other than its data."""
        ...
