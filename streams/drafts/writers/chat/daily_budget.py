"""Budget of requests per tenant and day."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Protocol


class Budget(Protocol):
    """Decides whether a tenant may send one more request."""

    def take(self, tenant_id: str) -> float | None:
        """Count one request.

        :returns: ``None`` if the tenant may send it, the seconds until it may send one if the budget is
            used up.
        """


def utc_now() -> datetime:
    """Current time in UTC."""
    return datetime.now(UTC)


class DailyBudget:
    """Count requests per tenant and UTC day in memory. Each process has a budget of its own.

    :param limit: requests per tenant and day.
    """

    def __init__(self, limit: int, now: Callable[[], datetime] = utc_now) -> None:
        self._limit, self._now = limit, now
        self._lock = threading.Lock()
        self._day: date | None = None
        self._taken: Counter[str] = Counter()

    def take(self, tenant_id: str) -> float | None:
        """Count one request; see :class:`Budget`."""
        now = self._now()
        with self._lock:
            if self._day != now.date():
                self._day = now.date()
                self._taken.clear()
            if self._taken[tenant_id] >= self._limit:
                midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
                return (midnight - now).total_seconds()
            self._taken[tenant_id] += 1
            return None
