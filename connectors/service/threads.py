"""Threads of the connectors role: supervised, with database connections that are reopened after an outage."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

import structlog

from connectors.service.fair_share import FairShare
from runtime.backoff import Backoff
from runtime.postgres import Connection, Outage, connect
from runtime.settings import Settings
from runtime.supervised_thread import Failed, join_all, supervised
from schemas.errors import Retry

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

        def keep_running() -> None:
            delays = Backoff(ceiling=10.0).delays()
            while not self._stopping.is_set():
                if not self._run_once(run):
                    self._stopping.wait(next(delays))

        self.start(name, keep_running)

    def start_pool(self, name: str, share: FairShare, pass_over: PassOver) -> None:
        """Start the regular and standby threads of one kind of work."""

        def run_regular(connection: Connection) -> None:
            while not self._stopping.is_set():
                if not pass_over(connection):
                    self._work.wait(_IDLE_SECONDS)

        def run_standby(connection: Connection) -> None:
            while not self._stopping.is_set() and share.saturated:
                if not pass_over(connection):
                    self._work.wait(_IDLE_SECONDS)

        def stand_by() -> None:
            # A standby thread holds a connection only while all regular threads are busy.
            while not self._stopping.wait(_IDLE_SECONDS):
                if share.saturated:
                    self._run_once(run_standby)

        for number in range(share.regular):
            self.start_connected(f"{name}-{number}", run_regular)
        for number in range(share.standby):
            self.start(f"{name}-standby-{number}", stand_by)

    async def join(self, seconds: float) -> None:
        """Wait for all threads to end, at most ``seconds`` in total."""
        await join_all(self._threads, seconds)

    def _run_once(self, run: Callable[[Connection], None]) -> bool:
        """Run with a new connection; ``False`` if the database is unavailable."""
        try:
            with connect(
                self._settings, application_name="interactions-connectors", autocommit=True
            ) as connection:
                run(connection)
        except (Outage, Retry) as error:
            _log.warning("connectors.database_away", reason=type(error).__name__)
            return False
        return True
