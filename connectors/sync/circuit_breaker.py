"""A circuit breaker: after several failures in a row, leave a provider alone for a while."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

_FAILURES: Final = 5
_FIRST: Final = timedelta(seconds=5)
_LONGEST: Final = timedelta(minutes=5)


class CircuitBreaker:
    """Closed, open until a moment, or half-open: then one try decides.

    Several threads share one. Tries that were under way when it opened say nothing new when they fail: only
    the one that tests the water makes the pause longer, or a short outage would be felt for minutes.

    :param now: the present moment.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._failures = 0
        self._pause = _FIRST
        self._open_until: datetime | None = None
        self._testing = False

    def admit(self, wanted: int) -> int:
        """How many tries may be begun now: all, one to test the water, or none."""
        with self._lock:
            if self._open_until is None:
                return wanted
            if self._now() < self._open_until:
                return 0
            # The next one is let through only after this one's fate, or another pause, is known.
            self._open_until = self._now() + self._pause
            self._testing = True
            return min(wanted, 1)

    def release(self) -> None:
        """There was nothing to try: whoever comes next may test the water."""
        with self._lock:
            if self._testing:
                self._testing = False
                self._open_until = self._now()

    @property
    def open(self) -> bool:
        """Whether the provider is being left alone."""
        with self._lock:
            return self._open_until is not None

    def record_success(self) -> None:
        """The provider answered."""
        with self._lock:
            self._failures = 0
            self._pause = _FIRST
            self._open_until = None
            self._testing = False

    def record_failure(self) -> None:
        """The provider could not be reached or took nothing."""
        with self._lock:
            self._failures += 1
            if self._testing:
                self._testing = False
                self._pause = min(self._pause * 2, _LONGEST)
                self._open_until = self._now() + self._pause
            elif self._open_until is None and self._failures >= _FAILURES:
                self._open_until = self._now() + self._pause
