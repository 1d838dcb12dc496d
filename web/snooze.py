"""Days to which people snooze, and the suggested time of a new plan."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from domain.snooze import USUAL, moved_to, next_half_hour
from web.day import Days


class Snooze(StrEnum):
    """Choices, each relative to the viewer's today."""

    TODAY = "today"
    TOMORROW = "tomorrow"
    NEXT_WEEK = "next_week"
    SEVEN_DAYS = "seven_days"


def day_of(choice: Snooze, days: Days) -> date:
    """The chosen day."""
    ahead = {
        Snooze.TODAY: 0,
        Snooze.TOMORROW: 1,
        Snooze.NEXT_WEEK: 7 - days.date.weekday(),
        Snooze.SEVEN_DAYS: 7,
    }[choice]
    return days.date + timedelta(days=ahead)


def snoozed(choice: Snooze, scheduled_at: datetime | None, days: Days) -> datetime:
    """The new instant: on the chosen day at the interaction's local time, and never in the past."""
    return moved_to(day_of(choice, days), scheduled_at, days.zone, days.now)


def default_time(days: Days) -> datetime:
    """Suggested time of a new plan: today at 17:00 local time, or the next half hour after that."""
    usual = datetime.combine(days.date, USUAL, days.zone).astimezone(UTC)
    return usual if usual > days.now else next_half_hour(days.now)
