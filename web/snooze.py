"""New dates of a snoozed interaction: another day at the same local time."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Final

from web.day import Days

#: Local time of an interaction that had no date.
_USUAL: Final = time(17, 0)
_STEP: Final = timedelta(minutes=30)


class Snooze(StrEnum):
    """Choices, each relative to the viewer's today."""

    TODAY = "today"
    TOMORROW = "tomorrow"
    NEXT_WEEK = "next_week"
    SEVEN_DAYS = "seven_days"


def snoozed(choice: Snooze, scheduled_at: datetime | None, days: Days) -> datetime:
    """The new instant: on the chosen day at the interaction's local time.

    Today at a time that is over becomes the next half hour, so that the new date is never in the past.
    """
    at = scheduled_at.astimezone(days.zone).time() if scheduled_at is not None else _USUAL
    ahead = {
        Snooze.TODAY: 0,
        Snooze.TOMORROW: 1,
        Snooze.NEXT_WEEK: 7 - days.date.weekday(),
        Snooze.SEVEN_DAYS: 7,
    }[choice]
    day = days.date + timedelta(days=ahead)
    instant = datetime.combine(day, at, days.zone).astimezone(UTC)
    return instant if instant > days.now else next_half_hour(days.now)


def default_time(days: Days) -> datetime:
    """Suggested time of a new plan: today at 17:00 local time, or the next half hour after that."""
    usual = datetime.combine(days.date, _USUAL, days.zone).astimezone(UTC)
    return usual if usual > days.now else next_half_hour(days.now)


def next_half_hour(now: datetime) -> datetime:
    """The next full or half hour, in UTC."""
    floor = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return floor + ((now - floor) // _STEP + 1) * _STEP
