"""Fair share of threads among integrations: a slow or hostile provider slows down only itself.

An integration gets one thread until its provider has proved fast, and one while it is slow. All slow
integrations together get a bounded part of the threads.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

#: A turn that takes at least this long marks its integration as slow.
SLOW_SECONDS: Final = 3.0
#: Time for which an integration stays slow after a slow turn.
_REMEMBERED_SECONDS: Final = 60.0
#: Standby threads per regular one.
STANDBY: Final = 3


@dataclass(slots=True)
class _Running:
    integration: str
    since: float


class FairShare:
    """Concurrency limiter that admits threads to integrations; one instance per kind of work.

    :param regular: threads that always run; ``STANDBY`` times as many help while all of these are busy.
    :param most: maximum number of threads per integration.
    :param clock: monotonic seconds.
    """

    def __init__(self, regular: int, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.regular = regular
        self.standby = regular * STANDBY
        self._most = most
        self._for_slow = (self.regular + self.standby) // 2
        self._clock = clock
        self._lock = threading.Lock()
        self._running: dict[int, _Running] = {}
        self._proven: set[str] = set()
        self._slow_until: dict[str, float] = {}

    def acquire(self, integration: str) -> bool:
        """Admit the calling thread, which must call :meth:`release` afterwards; ``False`` if not now."""
        with self._lock:
            now = self._clock()
            slow = self._slow(now)
            mine = sum(one.integration == integration for one in self._running.values())
            if integration in slow or integration not in self._proven:
                if mine >= 1:
                    return False
            elif mine >= self._most:
                return False
            on_slow = sum(one.integration in slow for one in self._running.values())
            if integration in slow and on_slow >= self._for_slow:
                return False
            self._running[threading.get_ident()] = _Running(integration, now)
            return True

    def release(self, *, worked: bool) -> None:
        """End the calling thread's turn.

        :param worked: the provider was called, so the duration tells how fast it is.
        """
        with self._lock:
            turn = self._running.pop(threading.get_ident())
            if not self._was_slow(turn) and worked:
                self._proven.add(turn.integration)

    def heartbeat(self) -> None:
        """Restart the clock of the calling thread's turn: it begins its next step."""
        with self._lock:
            turn = self._running.get(threading.get_ident())
            if turn is not None:
                self._was_slow(turn)
                turn.since = self._clock()

    @property
    def saturated(self) -> bool:
        """True if all regular threads are busy, so that standby threads should help."""
        with self._lock:
            return len(self._running) >= self.regular

    def longest_running(self) -> tuple[str, float] | None:
        """Integration and duration in seconds of the longest-running turn."""
        with self._lock:
            found = min(self._running.values(), key=lambda one: one.since, default=None)
            return None if found is None else (found.integration, self._clock() - found.since)

    def reset_clocks(self) -> None:
        """Restart the clocks of all turns, because they waited for something other than a provider."""
        with self._lock:
            for turn in self._running.values():
                turn.since = self._clock()

    def _was_slow(self, turn: _Running) -> bool:
        now = self._clock()
        if now - turn.since < SLOW_SECONDS:
            return False
        self._slow_until[turn.integration] = now + _REMEMBERED_SECONDS
        self._proven.discard(turn.integration)
        return True

    def _slow(self, now: float) -> set[str]:
        for integration in [each for each, until in self._slow_until.items() if until <= now]:
            del self._slow_until[integration]
        stuck = {one.integration for one in self._running.values() if now - one.since >= SLOW_SECONDS}
        return stuck | self._slow_until.keys()
