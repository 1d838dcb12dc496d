"""A provider's limits, kept on our side: never more requests in a time than it allows."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from connectors.sdk.declaration import RateLimit


class SlidingWindowLimiter:
    """One sliding window a limit; shared by all threads that talk to one integration.

    A window, not a refilled bucket: vendors count requests in a window, and a bucket that is full at its
    start allows twice the limit in the first one.

    :param clock: seconds, monotonic; ``sleep``: waits so many of them.
    """

    def __init__(
        self,
        limits: Sequence[RateLimit],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._windows = [(limit, deque[float]()) for limit in limits]
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()

    def acquire(self, longest: float) -> bool:
        """Wait for room for one request, at most ``longest`` seconds; ``False``: there is none by then."""
        deadline = self._clock() + longest
        while True:
            with self._lock:
                now = self._clock()
                wait = max((self._wait(limit, window, now) for limit, window in self._windows), default=0.0)
                if wait <= 0:
                    for _, window in self._windows:
                        window.append(now)
                    return True
            if now + wait > deadline:
                return False
            self._sleep(wait)

    def has_capacity(self, requests: int) -> bool:
        """Whether so many requests could go now, or as many as a limit lets through at once."""
        with self._lock:
            now = self._clock()
            return all(
                self._wait(limit, window, now, min(requests, limit.requests)) <= 0
                for limit, window in self._windows
            )

    def _wait(self, limit: RateLimit, window: deque[float], now: float, requests: int = 1) -> float:
        while window and window[0] <= now - limit.seconds:
            window.popleft()
        over = len(window) + requests - limit.requests
        return window[over - 1] + limit.seconds - now if over > 0 else 0.0
