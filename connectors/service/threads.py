"""Threads of the connectors role: supervised, with database connections that are reopened after an outage."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

import structlog

from connectors.service.fair_share import FairShare
from runtime.outages import describe, sessions
from runtime.postgres import Connection, connect
from runtime.settings import Settings
from runtime.supervised_thread import Failed, join_all, supervised

_log = structlog.get_logger("connectors")
_IDLE_SECONDS: Final = 0.25

#: Pass once over all integrations; returns the amount of work done.
PassOver = Callable[[Connection], int]


class RoleThreads:
    """Start, supervise and join the threads of one process.

    :param stopping: set to end all loops.
    :param work: set when there may be new work.
    :param failed: called in a thread that ends before the role stops, with the reason.
    """

    def __init__(
        self, settings: Settings, stopping: threading.Event, work: threading.Event, failed: Failed
    ) -> None:
        self._settings = settings
        self._stopping = stopping
        self._work = work
        self._threads: list[threading.Thread] = []
        self._failed = failed

    def start(self, name: str, run: Callable[[], None]) -> None:
        """Start a thread that must not end before the role stops."""

        def failed(error: BaseException) -> None:
            _log.error("connectors.thread_failed", thread=name, error=type(error).__name__, reason=str(error))
            self._failed(error)

        thread = supervised(name, run, stopping=self._stopping.is_set, failed=failed)
        self._threads.append(thread)
        thread.start()

    def start_connected(self, name: str, run: Callable[[Connection], None]) -> None:
        """Start a thread that calls ``run`` with a connection, and again after each outage."""

        def session() -> None:
            with self._connect() as connection:
                run(connection)

        self._start_sessions(name, session)

    def start_pool(self, name: str, share: FairShare, pass_over: PassOver) -> None:
        """Start the regular and standby threads of one kind of work."""

        def run_regular(connection: Connection) -> None:
            while not self._stopping.is_set():
                if not pass_over(connection):
                    self._work.wait(_IDLE_SECONDS)

        def stand_by() -> None:
            # A standby thread holds a connection only while all regular threads are busy.
            while not self._stopping.wait(_IDLE_SECONDS):
                if share.saturated:
                    with self._connect() as connection:
                        while not self._stopping.is_set() and share.saturated:
                            if not pass_over(connection):
                                self._work.wait(_IDLE_SECONDS)

        for number in range(share.regular):
            self.start_connected(f"{name}-{number}", run_regular)
        for number in range(share.standby):
            self._start_sessions(f"{name}-standby-{number}", stand_by)

    async def join(self, seconds: float) -> None:
        """Wait for all threads to end, at most ``seconds`` in total."""
        await join_all(self._threads, seconds)

    def _start_sessions(self, name: str, session: Callable[[], None]) -> None:
        def note_outage(error: Exception, _seconds: float) -> None:
            _log.warning("connectors.retry", thread=name, reason=describe(error))

        self.start(name, lambda: sessions(session, note_outage, self._stopping.wait))

    def _connect(self) -> Connection:
        return connect(self._settings, application_name="interactions-connectors", autocommit=True)
