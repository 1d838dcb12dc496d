"""The supervisor: starts servers and roles in order, restarts them, stops them in reverse order."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import structlog
from pydantic import SecretStr

from runtime.process_identity import is_alive, process_start_id
from runtime.running_stack import RunningStack, write_stack_file
from runtime.settings import Settings
from schemas.errors import Stop
from stack.child import Child, log_tail
from stack.daemon_threads import run_all
from stack.gateway_access import GatewayAccess, plan_gateway
from stack.home import Home, HomeLock
from stack.options import StackOptions
from stack.orphans import end_orphans
from stack.roles import make_role_children
from stack.server import Server
from stack.servers import Servers, plan_servers

_POLL_SECONDS = 0.1
# Give up on a process that dies this many times before it is ready.
_DEATHS_UNTIL_GIVEN_UP = 4
_log = structlog.stdlib.get_logger("stack.supervisor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """A step between ready servers and the first role (migrations, topics, schemas).

    :param title: text for the progress display.
    """

    title: str
    run: Callable[[Settings], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class StackPlan:
    """Description of a stack to run.

    :param roles: number of processes per role.
    :param stop_with: stop when the process with this pid ends.
    :param progress: called with a short text at each step.
    :param ready: called once, when everything is ready.
    """

    settings: Settings
    options: StackOptions
    roles: dict[str, int]
    preparations: Sequence[Preparation] = ()
    stop_with: int | None = None
    progress: Callable[[str], None] = lambda _step: None
    ready: Callable[[RunningStack], None] = lambda _state: None


@dataclass(slots=True)
class Supervisor:
    """Run one plan, once, in the main thread."""

    plan: StackPlan
    home: Home = field(init=False)
    _children: list[Child] = field(init=False, default_factory=list)
    _servers: Servers | None = field(init=False, default=None)
    _access: GatewayAccess | None = field(init=False, default=None)
    _stopping: threading.Event = field(init=False, default_factory=threading.Event)
    _watched_start_id: str | None = field(init=False, default=None)
    _complete: bool = field(init=False, default=False)
    _step: str = field(init=False, default="preparing")
    _state_lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.home = Home(self.plan.settings.home)
        if self.plan.stop_with is not None:
            self._watched_start_id = process_start_id(self.plan.stop_with)

    def run(self) -> None:
        """Start everything, keep it running until SIGTERM, SIGINT or SIGHUP, then stop everything.

        :raises Stop: the home is in use, or a process does not start; nothing is left running then.
        """
        self.home.create()
        lock = HomeLock(self.home)
        lock.acquire()
        try:
            self.home.failure_note.unlink(missing_ok=True)
            with self._signals():
                self._run_locked()
        except BaseException as error:
            self.home.failure_note.write_text(str(error) or repr(error))
            raise
        finally:
            lock.release()

    def _run_locked(self) -> None:
        end_orphans(self.home)
        servers = plan_servers(self.home, self.plan.settings, self.plan.options)
        self._servers = servers
        try:
            self._write_state()
            self._start_servers(list(servers.embedded.values()))
            settings = self._settings_with_addresses()
            for step in self.plan.preparations:
                self._check_stopping()
                self._progress(step.title)
                step.run(settings)
            if self.plan.roles.get("gateway"):
                self._access = plan_gateway(self.home, servers.api_port)
            roles = make_role_children(self.home, self.plan.roles, servers.addresses, self._access)
            self._start(roles)
            self._complete = True
            self._step = "running"
            self.plan.ready(self._write_state())
            _log.info("stack.ready", processes=len(self._children))
            while not self._pause_or_stop():
                self._poll_children()
        except _StopRequested:
            pass
        finally:
            self._stop_all(list(servers.embedded.values()))

    def _start_servers(self, servers: Sequence[Server]) -> None:
        for _ in run_all(
            [partial(server.prepare, self._progress) for server in servers], workers=len(servers)
        ):
            self._check_stopping()
        self._start([self._server_child(server) for server in servers])
        for server in servers:
            server.after_ready()

    def _server_child(self, server: Server) -> Child:
        return Child(
            name=server.role,
            role=server.role,
            launch=server.launch,
            not_ready=lambda _pid: server.not_ready(),
            stop_signal=server.stop_signal,
            log_file=self.home.logs / f"{server.role}.log",
        )

    def _start(self, children: Sequence[Child]) -> None:
        """Start the children and wait until each is ready.

        :raises Stop: a child keeps dying, or is not ready in time.
        """
        if children:
            self._progress("starting " + ", ".join(child.name for child in children))
        for child in children:
            self._check_stopping()
            self._children.append(child)
            child.start()
            self._write_state()
        deadline = time.monotonic() + self.plan.options.start_timeout_seconds
        while waiting := [child for child in self._children if child.state != "running"]:
            if self._pause_or_stop():
                raise _StopRequested
            self._poll_children()
            for child in waiting:
                late = time.monotonic() > deadline
                if child.deaths_before_ready >= _DEATHS_UNTIL_GIVEN_UP or late:
                    why = "is not ready in time" if late else "keeps ending"
                    raise Stop(
                        f"{child.name} {why}: {child.why_not_ready}.\n"
                        f"Last lines of {child.log_file}:\n{log_tail(child.log_file)}"
                    )

    def _poll_children(self) -> None:
        changed = [child.watch() for child in self._children]
        if any(changed):
            self._write_state()

    def _pause_or_stop(self) -> bool:
        """Pause for one poll interval; true if the stack must stop."""
        return self._watched_has_ended() or self._stopping.wait(_POLL_SECONDS)

    def _check_stopping(self) -> None:
        if self._stopping.is_set() or self._watched_has_ended():
            raise _StopRequested

    def _watched_has_ended(self) -> bool:
        watched = self.plan.stop_with
        if watched is None:
            return False
        return self._watched_start_id is None or not is_alive(watched, self._watched_start_id)

    def _settings_with_addresses(self) -> Settings:
        assert self._servers is not None
        addresses = self._servers.addresses
        return self.plan.settings.model_copy(
            update={**addresses.model_dump(), "database_url": SecretStr(addresses.database_url)}
        )

    def _progress(self, step: str) -> None:
        self.plan.progress(step)
        with self._state_lock:
            self._step = step
        self._write_state()

    def _write_state(self) -> RunningStack:
        with self._state_lock:
            return self._write_state_locked()

    def _write_state_locked(self) -> RunningStack:
        assert self._servers is not None
        start_id = process_start_id(os.getpid())
        assert start_id is not None
        state = RunningStack(
            pid=os.getpid(),
            mark=start_id,
            ready=self._complete,
            step=self._step,
            embedded=list(self._servers.embedded),
            addresses=self._servers.addresses,
            processes=[child.record() for child in self._children],
            api_url=self._access.url if self._access is not None else None,
            api_key_file=str(self._access.key_file) if self._access and self._access.key_file else None,
        )
        write_stack_file(self.home.root, state)
        return state

    def _stop_all(self, servers: Sequence[Server]) -> None:
        """Stop the roles first, so that they can finish their work on running servers; then the servers."""
        self._progress("stopping")
        self._complete = False
        server_roles = {server.role for server in servers}
        for group in (
            [child for child in self._children if child.role not in server_roles],
            [child for child in reversed(self._children) if child.role in server_roles],
        ):
            for child in group:
                child.request_stop()
            deadline = time.monotonic() + self.plan.options.stop_timeout_seconds
            for child in group:
                child.wait_stopped(deadline)
        for server in servers:
            server.clean()
        for ready_file in self.home.run.glob("*.ready"):
            ready_file.unlink()
        self._progress("stopped")
        _log.info("stack.stopped")

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        stop_signals = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        previous = {number: signal.signal(number, lambda *_: self._stopping.set()) for number in stop_signals}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)


class _StopRequested(Exception):
    """A stop was requested during the start."""
