"""Folders of one embedded stack, and the lock that allows one supervisor at a time."""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

from runtime.running_stack import read_running_stack
from schemas.errors import Stop


@dataclass(frozen=True, slots=True)
class Home:
    """Home folder: ``data/`` is permanent, ``run/`` describes the running stack, ``logs/`` has the logs."""

    root: Path

    @property
    def data(self) -> Path:
        """The servers' data."""
        return self.root / "data"

    @property
    def run(self) -> Path:
        """Lock, state file, ready files."""
        return self.root / "run"

    @property
    def logs(self) -> Path:
        """One log per process."""
        return self.root / "logs"

    @property
    def failure_note(self) -> Path:
        """Reason of the last failed start, for a caller that started the stack in the background."""
        return self.run / "failure.txt"

    def create(self) -> None:
        """Create missing folders."""
        for folder in (self.data, self.run, self.logs):
            folder.mkdir(parents=True, exist_ok=True)


class HomeLock:
    """An exclusive lock on a home. The kernel releases it when the holder dies, even by SIGKILL."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._file: int | None = None

    def acquire(self) -> None:
        """Acquire the lock.

        :raises Stop: another supervisor holds it.
        """
        file = os.open(self._home.run / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            running = read_running_stack(self._home.root)
            who = f" (process {running.pid})" if running else ""
            raise Stop(
                f"A stack already runs in {self._home.root}{who}. Nothing was changed. "
                "See it with `interactions status`, stop it with `interactions down`, "
                "or set INTERACTIONS_HOME to another folder for a second stack."
            ) from None
        self._file = file

    def release(self) -> None:
        """Release the lock."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
