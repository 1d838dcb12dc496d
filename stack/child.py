"""One supervised process: start it, watch it, restart it when it dies, stop it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import structlog

from runtime.backoff import Backoff
from runtime.process_identity import process_start_id
from runtime.running_stack import ProcessRecord, ProcessState
from stack.server import Launch

_PARENT_DEATH_GUARD = Path(__file__).with_name("parent_death_guard.py")
_RESTART_BACKOFF = Backoff(first=0.5, ceiling=30)
# A process that was ready for this long is stable: its next death resets the restart backoff.
_STABLE_SECONDS = 30.0
LOG_LIMIT_BYTES = 10 * 1024 * 1024
_log = structlog.stdlib.get_logger("stack.child")


class Child:
    """A process of the stack.

    :param name: unique in the stack (``applier``, ``applier-2``); also the name of the log file.
    :param role: a role, or the role of a server.
    :param launch: returns the command to run; called at every start.
    :param not_ready: returns why the process with the given pid is not ready, or ``None`` if it is.
    :param url: returns the base URL of ``/readyz``, or ``None`` if the process has none.
    """

    def __init__(
        self,
        *,
        name: str,
        role: str,
        launch: Callable[[], Launch],
        not_ready: Callable[[int], str | None],
        stop_signal: signal.Signals,
        log_file: Path,
        url: Callable[[], str | None] = lambda: None,
    ) -> None:
        self.name = name
        self.role = role
        self.state: ProcessState = "stopped"
        self.restarts = 0
        self.log_file = log_file
        self.why_not_ready = "not started"
        self.deaths_before_ready = 0
        self._launch = launch
        self._not_ready = not_ready
        self._stop_signal = stop_signal
        self._url = url
        self._process: subprocess.Popen[bytes] | None = None
        self._start_id: str | None = None
        self._restart_delays: Iterator[float] = _RESTART_BACKOFF.delays()
        self._restart_at = 0.0
        self._ready_at: float | None = None

    @property
    def pid(self) -> int | None:
        """Pid of the running process."""
        return self._process.pid if self._process is not None else None

    def record(self) -> ProcessRecord:
        """Entry for the state file."""
        return ProcessRecord(
            role=self.role,
            name=self.name,
            pid=self.pid,
            mark=self._start_id,
            state=self.state,
            restarts=self.restarts,
            url=self._url() if self.state == "running" else None,
        )

    def start(self) -> None:
        """Start the process.

        Hazard: call it from the main thread only. The kernel sends the parent-death signal when the thread
        that started the child ends.
        """
        launch = self._launch()
        _rotate(self.log_file)
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                guarded_command(launch, self._stop_signal),
                cwd=launch.folder,
                env={**os.environ, **launch.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._start_id = process_start_id(self._process.pid)
        self._ready_at = None
        self.state = "starting"
        self.why_not_ready = "it has just started"
        _log.info("stack.process_started", process=self.name, pid=self._process.pid)

    def watch(self) -> bool:
        """Check once for exit and readiness, and restart when due.

        :returns: true if the record changed.
        """
        before = self.record()
        if self._process is not None and self._process.poll() is not None:
            self._note_death(self._process.returncode)
        if self._process is None and self.state == "restarting" and time.monotonic() >= self._restart_at:
            self.restarts += 1
            self.start()
        if self.state == "starting" and self.pid is not None:
            reason = self._not_ready(self.pid)
            if reason is None:
                self.state = "running"
                self.deaths_before_ready = 0
                self._ready_at = time.monotonic()
                _log.info("stack.process_ready", process=self.name, pid=self.pid)
            else:
                self.why_not_ready = reason
        return self.record() != before

    def _note_death(self, code: int) -> None:
        _log.warning("stack.process_died", process=self.name, exit_code=code)
        if self._ready_at is None:
            self.deaths_before_ready += 1
        elif time.monotonic() - self._ready_at > _STABLE_SECONDS:
            self._restart_delays = _RESTART_BACKOFF.delays()
        self.why_not_ready = f"it exited with code {code}"
        self._process = None
        self._start_id = None
        self.state = "restarting"
        self._restart_at = time.monotonic() + next(self._restart_delays)

    def request_stop(self) -> None:
        """Send the stop signal."""
        if self._process is not None and self._process.poll() is None:
            self.state = "stopping"
            self._process.send_signal(self._stop_signal)

    def wait_stopped(self, deadline: float) -> None:
        """Wait for the process to end; kill it at ``deadline`` (``time.monotonic``)."""
        if self._process is not None:
            try:
                self._process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                _log.warning("stack.process_killed", process=self.name, pid=self.pid)
                self._process.kill()
                self._process.wait()
        self._process = None
        self._start_id = None
        self.state = "stopped"


def guarded_command(launch: Launch, at_parent_death: signal.Signals) -> list[str]:
    """Command line of a program that gets a signal when the process that starts it ends."""
    uid, gid = (launch.os_user.uid, launch.os_user.gid) if launch.os_user else (-1, -1)
    guard_arguments = map(str, (os.getpid(), int(at_parent_death), uid, gid))
    return [sys.executable, "-I", "-S", str(_PARENT_DEATH_GUARD), *guard_arguments, *launch.arguments]


def _rotate(log_file: Path) -> None:
    """Rotate the log above ``LOG_LIMIT_BYTES``; one older log is kept."""
    try:
        if log_file.stat().st_size > LOG_LIMIT_BYTES:
            log_file.replace(log_file.with_suffix(".log.1"))
    except FileNotFoundError:
        pass


def log_tail(log_file: Path, lines: int = 15) -> str:
    """The last lines of a log."""
    try:
        with log_file.open("rb") as file:
            file.seek(max(0, log_file.stat().st_size - 16_384))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return "(no log)"
    return "\n".join(text.splitlines()[-lines:]) or "(the log is empty)"
