"""Circuit breaker: pause requests to a provider after several consecutive failures."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

_FAILURES: Final = 5
_FIRST: Final = timedelta(seconds=5)
_LONGEST: Final = timedelta(minutes=5)


class CircuitBreaker:
    """Closed, open until a deadline, or half-open with a single probe. Thread-safe.

    Only a failed probe lengthens the pause. Attempts that were in flight when the breaker opened do not:
    otherwise a short outage would block the provider for minutes.

    :param now: current time.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._failures = 0
        self._pause = _FIRST
        self._open_until: datetime | None = None
        self._probing = False

    def admit(self, wanted: int) -> int:
        """Number of attempts that may start now: all of them, one probe, or none."""
        with self._lock:
            if self._open_until is None:
                return wanted
            if self._now() < self._open_until:
                return 0
            # The next probe is admitted once this one has ended, or after another pause.
            self._open_until = self._now() + self._pause
            self._probing = True
            return min(wanted, 1)

    def release(self) -> None:
        """Return an admitted probe that found no work, so that the next caller may probe."""
        with self._lock:
            if self._probing:
                self._probing = False
                self._open_until = self._now()

    @property
    def open(self) -> bool:
        """True while the provider is paused or being probed."""
        with self._lock:
            return self._open_until is not None

    def record_success(self) -> None:
        """Close the breaker: the provider answered."""
        with self._lock:
            self._failures = 0
            self._pause = _FIRST
            self._open_until = None
            self._probing = False

    def record_failure(self) -> None:
        """Count an attempt that could not reach the provider or was refused temporarily."""
        with self._lock:
            self._failures += 1
            if self._probing:
                self._probing = False
                self._pause = min(self._pause * 2, _LONGEST)
                self._open_until = self._now() + self._pause
            elif self._open_until is None and self._failures >= _FAILURES:
                self._open_until = self._now() + self._pause
