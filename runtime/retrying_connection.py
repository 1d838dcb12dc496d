"""Database connection that retries work through outages of any length."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import structlog

from runtime.outages import describe, through_outages
from runtime.postgres import Connection, Outage, connect
from runtime.settings import Settings

Done = TypeVar("Done")


class RetryingConnection:
    """Connection for one thread at a time; a broken connection is replaced.

    :param role: names the session and the log events; ``thread`` is for the log.
    :param stop: ends every wait.
    """

    def __init__(self, settings: Settings, role: str, thread: str, stop: threading.Event) -> None:
        self._role = role
        self._thread = thread
        self._log = structlog.get_logger(role)
        self._settings = settings
        self._stop = stop
        self._connection: Connection | None = None

    def run(self, work: Callable[[Connection], Done]) -> Done:
        """Run ``work``, and again after each outage or ``Retry``; it must be safe to repeat.

        :param work: called with an autocommit connection.
        :raises AskedToStopError: the role is stopping; the work was not done.
        """

        def attempt() -> Done:
            if self._connection is None:
                self._connection = connect(
                    self._settings, application_name=f"interactions-{self._role}-agent", autocommit=True
                )
            return work(self._connection)

        return through_outages(attempt, self._note, self._stop.wait)

    def _note(self, error: Exception, _seconds: float) -> None:
        self._log.warning(f"{self._role}.retry", thread=self._thread, reason=describe(error))
        if isinstance(error, Outage):
            self.close()

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
