"""The day of an instant for a viewer, and so its urgency: one function for lists, counts, badges and widgets.

Days begin at midnight in the viewer's zone, and weeks on Monday (ISO 8601). An interaction is overdue from
the day after the one it was planned for, so that a call of this morning is still today's work.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from schemas.instants import begin_of_day, days_around


class Due(StrEnum):
    """Groups of planned interactions, in the order in which people work through them."""

    OVERDUE = "overdue"
    TODAY = "today"
    TOMORROW = "tomorrow"
    WEEK = "week"
    LATER = "later"
    NO_DATE = "no_date"


@dataclass(frozen=True, slots=True)
class Days:
    """The beginnings of the viewer's days around an instant.

    :ivar today: the first instant of the viewer's today, in UTC; the others likewise.
    :ivar next_week: the first instant of the next week that is not before ``after_tomorrow``.
    """

    now: datetime
    zone: ZoneInfo
    date: date
    today: datetime
    tomorrow: datetime
    after_tomorrow: datetime
    next_week: datetime

    def due(self, scheduled_at: datetime | None) -> Due:
        """The group of an interaction that is planned for this instant."""
        if scheduled_at is None:
            return Due.NO_DATE
        for group, (begin, end) in self.ranges().items():
            if (begin is None or scheduled_at >= begin) and (end is None or scheduled_at < end):
                return group
        raise AssertionError("the ranges cover every instant")

    def ranges(self) -> dict[Due, tuple[datetime | None, datetime | None]]:
        """Half-open ranges of the groups with a date; ``None`` is unbounded."""
        return {
            Due.OVERDUE: (None, self.today),
            Due.TODAY: (self.today, self.tomorrow),
            Due.TOMORROW: (self.tomorrow, self.after_tomorrow),
            Due.WEEK: (self.after_tomorrow, self.next_week),
            Due.LATER: (self.next_week, None),
        }

    def days_late(self, scheduled_at: datetime) -> int:
        """Days from the planned day to today; negative for a later day."""
        return (self.date - scheduled_at.astimezone(self.zone).date()).days


def days_of(now: datetime, zone: ZoneInfo) -> Days:
    """The days around an instant in a zone."""
    day, today, tomorrow = days_around(now, zone)
    monday = day + timedelta(days=7 - day.weekday())
    return Days(
        now=now,
        zone=zone,
        date=day,
        today=today,
        tomorrow=tomorrow,
        after_tomorrow=begin_of_day(day + timedelta(days=2), zone),
        next_week=begin_of_day(max(monday, day + timedelta(days=2)), zone),
    )
