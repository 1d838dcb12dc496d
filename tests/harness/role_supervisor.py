"""Supervisor for fault runs: restarts roles whenever they exit."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from runtime.readiness import READY_FILE_VARIABLE, has_announced
from runtime.settings import Settings
from tests.harness.roles import START_SECONDS, environment, wait_until
from tests.harness.stepping_clock import step, stepping_clock


@dataclass
class SupervisedRole:
    """One supervised role.

    :ivar temporary: added and removed again by a fault.
    :ivar exits: exit codes so far, in order.
    :ivar starts: number of starts.
    :ivar log_start: size of its log at its last start, in bytes.
    """

    name: str
    role: str
    log: Path
    temporary: bool = False
    process: subprocess.Popen[bytes] | None = None
    armed: dict[str, str] = field(default_factory=dict)
    armed_at: int = 0
    exits: list[int] = field(default_factory=list)
    starts: int = 0
    log_start: int = 0

    @property
    def ready_file(self) -> Path:
        """File in which its process announces readiness."""
        return self.log.with_suffix(".ready")

    @property
    def ready(self) -> bool:
        """Return whether its present process is ready."""
        return self.process is not None and has_announced(self.ready_file, self.process.pid)

    def logged(self, text: str, since: int) -> bool:
        """Return whether a text was logged after a position in the log (bytes)."""
        with self.log.open("rb") as log:
            log.seek(since)
            return text.encode() in log.read()


class RoleSupervisor:
    """Keep roles running until closed.

    :param settings: settings of the roles; addresses may be proxies.
    :param folder: folder for their logs.
    :param roles: role → number of processes.
    :param clocks: make their wall clocks steppable.
    """

    def __init__(
        self, settings: Settings, folder: Path, roles: dict[str, int], *, clocks: bool = False
    ) -> None:
        self._settings = settings
        self._clocks = clocks
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._folder = folder
        self.members: dict[str, SupervisedRole] = {}
        for role, count in roles.items():
            for number in range(1, count + 1):
                name = f"{role}-{number}"
                self.members[name] = SupervisedRole(name, role, folder / f"{name}.log")
        self._thread = threading.Thread(target=self._watch, name="role-supervisor", daemon=True)

    def __enter__(self) -> RoleSupervisor:
        for member in self.members.values():
            self._start(member)
        self._thread.start()
        try:
            wait_until(self._all_ready, START_SECONDS, lambda: "every role to be ready")
        except AssertionError as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: BaseException | TracebackType | None) -> None:
        self._over.set()
        self._thread.join(10)
        for name in list(self.members):
            self.remove(name)

    def _all_ready(self) -> bool:
        with self._lock:
            return all(member.ready for member in self.members.values())

    def names(self, role: str) -> list[str]:
        """Names of the permanent processes of a role."""
        with self._lock:
            return sorted(m.name for m in self.members.values() if m.role == role and not m.temporary)

    def all_logged(self, role: str, sign: str) -> bool:
        """Return whether each process of a role has logged a text since its last start."""
        with self._lock:
            members = [self.members[name] for name in self.names(role)]
        return all(member.logged(sign, member.log_start) for member in members)

    def send(self, name: str, number: signal.Signals) -> None:
        """Signal a process, if it exists and runs."""
        with self._lock, contextlib.suppress(ProcessLookupError, KeyError):
            process = self.members[name].process
            if process is not None and process.poll() is None:
                os.kill(process.pid, number)

    def arm(self, name: str, point: str) -> int:
        """Kill a process and arm a crash point ``name:nth`` for its restarts, until one reaches it.

        :returns: present size of its log, for :meth:`Member.logged`.
        """
        with self._lock:
            self.members[name].armed = {
                "INTERACTIONS_TEST_BUILD": "1",
                "INTERACTIONS_CRASH_POINT": point,
            }
            self.send(name, signal.SIGKILL)
            self.members[name].armed_at = self.members[name].log.stat().st_size
            return self.members[name].armed_at

    def disarm(self, name: str) -> None:
        """Disarm the crash point and restart the process without it."""
        with self._lock:
            self.members[name].armed = {}
            self.send(name, signal.SIGKILL)

    def step_clock(self, role: str, seconds: int) -> bool:
        """Offset a role's wall clock, not its monotonic clock; returns whether this machine supports it."""
        step(self._offset(role), seconds)
        return bool(self._clock(role))

    def _offset(self, role: str) -> Path:
        return self._folder / f"{role}.clock"

    def _clock(self, role: str) -> dict[str, str]:
        return stepping_clock(self._offset(role)) if self._clocks else {}

    def add(self, role: str, name: str) -> None:
        """Start one more process of a role."""
        with self._lock:
            log = next(iter(self.members.values())).log.with_name(f"{name}.log")
            member = self.members[name] = SupervisedRole(name, role, log, temporary=True)
            self._start(member)

    def remove(self, name: str, number: signal.Signals = signal.SIGTERM) -> None:
        """Stop a process for good."""
        with self._lock:
            process = self.members.pop(name).process
        if process is None or process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGCONT)
            os.kill(process.pid, number)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _watch(self) -> None:
        while not self._over.wait(0.1):
            with self._lock:
                for member in list(self.members.values()):
                    process = member.process
                    if process is not None and process.poll() is not None:
                        member.exits.append(process.returncode)
                        self._start(member)

    def _start(self, member: SupervisedRole) -> None:
        if member.armed and member.logged("crash point ", member.armed_at):
            member.armed = {}
        extra = {
            READY_FILE_VARIABLE: str(member.ready_file),
            **self._clock(member.role),
            **member.armed,
        }
        with member.log.open("ab") as log:
            member.log_start = log.tell()
            log.write(f"--- start {member.starts} at {time.time():.3f} {extra} ---\n".encode())
            log.flush()
            member.process = subprocess.Popen(
                [sys.executable, "-m", "tests.harness.watched_role", "run", member.role],
                env=environment(self._settings, **extra),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        member.starts += 1
