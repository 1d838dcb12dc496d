"""What the supervisor needs to know of a server."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from stack.artifacts import Progress
from stack.os_user import OsUser


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How to start a program.

    :param environment: variables on top of the supervisor's own.
    :param os_user: another user to run as; ``None`` for the supervisor's own.
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
        """Everything before the start: files, first-time format. Repeatable after any crash."""
        ...

    def launch(self) -> Launch:
        """How to start it."""
        ...

    def not_ready(self) -> str | None:
        """Ask the server itself; ``None`` when it serves, else why not. Takes two seconds at most."""
        ...

    def after_ready(self) -> None:
        """What is done through the ready server before others use it; safe to repeat."""
        ...

    def clean(self) -> None:
        """Remove what a killed server may have left in the system (not its data)."""
        ...
