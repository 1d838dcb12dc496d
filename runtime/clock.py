"""Time as a dependency, so that a test can hold it still."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Whatever tells the time."""

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        return datetime.now(UTC)


class FixedClock:
    """A clock that moves only when told to.

    :param at: the first moment; must be aware.
    """

    def __init__(self, at: datetime) -> None:
        if at.tzinfo is None:
            raise ValueError("a clock needs an aware moment (with a time zone)")
        self._at = at.astimezone(UTC)

    def now(self) -> datetime:
        """The moment last set, aware, in UTC."""
        return self._at

    def advance(self, by: timedelta) -> None:
        """Move forward by ``by``."""
        self._at += by
