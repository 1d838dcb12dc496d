"""Folders of one embedded stack, and the lock that lets one supervisor at a time use them."""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

from runtime.running_stack import read_running_stack
from schemas.errors import Stop


@dataclass(frozen=True, slots=True)
class Home:
    """``data/`` outlives everything, ``run/`` is about what runs now, ``logs/`` is for people."""

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
        """One log a process."""
        return self.root / "logs"

    @property
    def failure_note(self) -> Path:
        """Why the last start failed, for whoever started it in the background."""
        return self.run / "failure.txt"

    def create(self) -> None:
        """Make the folders that are missing."""
        for folder in (self.data, self.run, self.logs):
            folder.mkdir(parents=True, exist_ok=True)


class HomeLock:
    """An exclusive lock on a home; the kernel drops it when its holder dies, however it dies."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._file: int | None = None

    def acquire(self) -> None:
        """Take the lock.

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
                f"A stack already runs in {self._home.root}{who}. "
                "See it with `interactions status`, end it with `interactions down`, "
                "or set INTERACTIONS_HOME to another folder for a second one."
            ) from None
        self._file = file

    def release(self) -> None:
        """Give the lock back."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
