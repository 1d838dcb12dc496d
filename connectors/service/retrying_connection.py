"""Database connection that retries work through outages of any length."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import structlog

from runtime.backoff import Backoff
from runtime.postgres import Connection, Outage, connect
from runtime.settings import Settings
from schemas.errors import Retry, Stop

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
        :raises Stop: the role is stopping; the work was not done.
        """
        delays = Backoff(ceiling=10.0).delays()
        while True:
            try:
                if self._connection is None:
                    self._connection = connect(
                        self._settings, application_name="interactions-connectors-agent", autocommit=True
                    )
                return work(self._connection)
            except Outage as error:
                self.close()
                self._wait(error, type(error).__name__, next(delays))
            except Retry as error:
                self._wait(error, str(error), next(delays))

    def _wait(self, error: Exception, reason: str, seconds: float) -> None:
        _log.warning("connectors.agent_waits", agent=self._name, reason=reason)
        if self._stop.wait(seconds):
            raise Stop("the role is stopping; the work was not done") from error

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
