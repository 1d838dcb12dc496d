"""Shares threads among integrations, so that a slow or hostile provider slows only itself.

An integration gets one thread until it has shown that it answers soon, and one while it is slow; those
that are slow get a bounded part of all threads together.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

#: A turn of at least so many seconds makes its integration slow.
SLOW_SECONDS: Final = 3.0
#: For so long after a slow turn.
_REMEMBERED_SECONDS: Final = 60.0
#: Standby threads per regular one.
STANDBY: Final = 3


@dataclass(slots=True)
class _Running:
    integration: str
    since: float


class FairShare:
    """Admits threads to integrations; one instance per kind of work.

    :param regular: threads that always run; ``STANDBY`` times as many join while all of these are busy.
    :param most: threads that one integration may have at once.
    :param clock: seconds, monotonic.
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
        """Admit the calling thread; it calls :meth:`leave` afterwards. ``False``: not now."""
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

        :param worked: the provider was asked for something, so the time says how it answers.
        """
        with self._lock:
            turn = self._running.pop(threading.get_ident())
            if not self._was_slow(turn) and worked:
                self._proven.add(turn.integration)

    def heartbeat(self) -> None:
        """Note that the calling thread goes on to the next piece of its turn."""
        with self._lock:
            turn = self._running.get(threading.get_ident())
            if turn is not None:
                self._was_slow(turn)
                turn.since = self._clock()

    @property
    def saturated(self) -> bool:
        """Return whether all regular threads are taken, so that standby threads should help."""
        with self._lock:
            return len(self._running) >= self.regular

    def longest_running(self) -> tuple[str, float] | None:
        """The integration of the turn that has lasted longest, and its seconds."""
        with self._lock:
            found = min(self._running.values(), key=lambda one: one.since, default=None)
            return None if found is None else (found.integration, self._clock() - found.since)

    def reset_clocks(self) -> None:
        """Restart the clocks of all turns: they waited for something other than a provider."""
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
