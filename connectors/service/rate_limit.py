"""Client-side rate limiter: never send a provider more requests per window than it allows."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from connectors.sdk.declaration import RateLimit


class SlidingWindowLimiter:
    """One sliding window per limit; shared by all threads of one integration.

    Sliding windows rather than token buckets: vendors count requests per window, and a bucket that starts
    full admits twice the limit in the first window.

    :param clock: monotonic seconds.
    :param sleep: waits a number of seconds.
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
        """Wait until one more request is allowed; ``False`` at once if that takes longer than ``longest``."""
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
        """Report whether ``requests`` are allowed now, each limit counting at most its own maximum."""
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
