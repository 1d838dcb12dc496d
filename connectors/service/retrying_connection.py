"""Database connection that retries work through outages of any length."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import structlog

from runtime.outages import describe, through_outages
from runtime.postgres import Connection, Outage, connect
from runtime.settings import Settings

_log = structlog.get_logger("connectors")
Done = TypeVar("Done")


class RetryingConnection:
    """Connection for one thread at a time; a broken connection is replaced.

    :param name: agent name for the log.
    :param stop: ends every wait.
    """

    def __init__(self, settings: Settings, name: str, stop: threading.Event) -> None:
        self._name = name
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
                    self._settings, application_name="interactions-connectors-agent", autocommit=True
                )
            return work(self._connection)

        return through_outages(attempt, self._note, self._stop.wait)

    def _note(self, error: Exception, _seconds: float) -> None:
        _log.warning("connectors.retry", thread=self._name, reason=describe(error))
        if isinstance(error, Outage):
            self.close()

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
