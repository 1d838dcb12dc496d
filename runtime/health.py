"""Health of a role, as reported to HTTP probes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stall:
    """One stage of the pipeline that makes no progress although work is waiting.

    :param stage: a core stage (``consumed``, ``applied``, ``results``, ``events``, ``due``, ``drafts``,
        ``jobs``), or one of an integration (``sync``, ``polls``).
    :param place: the partition and offset, the row or the integration, as text.
    :param seconds: time since the last progress.
    :param reason: one sentence: what is waiting, since when, and what to do.
    """

    stage: str
    place: str
    seconds: float
    reason: str


class Health:
    """Thread-safe collection of a role's problems.

    :param problems: returns further reasons why the role is not ready; called on each request.
    """

    def __init__(self, problems: Callable[[], list[str]] = list) -> None:
        self._lock = threading.Lock()
        self._stalls: dict[str, list[Stall]] = {}
        self._problems: dict[str, str] = {}
        self._further = problems

    def report(self, source: str, stalls: Sequence[Stall]) -> None:
        """Replace the stalls found by one source, after a successful check."""
        with self._lock:
            self._stalls[source] = list(stalls)
            self._problems.pop(source, None)

    def report_unchecked(self, source: str, problem: str) -> None:
        """Record that one source cannot check; its earlier findings are discarded."""
        with self._lock:
            self._stalls.pop(source, None)
            self._problems[source] = problem

    def stalls(self) -> list[Stall]:
        """All current stalls."""
        with self._lock:
            return [stall for found in self._stalls.values() for stall in found]

    def reasons(self) -> list[str]:
        """Reasons why the role is not ready; empty when it is ready."""
        with self._lock:
            found = list(self._problems.values())
        return [*self._further(), *found, *(stall.reason for stall in self.stalls())]
