"""New date of a snoozed interaction: another day at the same local time."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

#: Local time of an interaction that had no date.
USUAL: Final = time(17, 0)
_STEP: Final = timedelta(minutes=30)


def moved_to(day: date, scheduled_at: datetime | None, zone: ZoneInfo, now: datetime) -> datetime:
    """The instant on this day at the interaction's local time, in UTC.

    A time that is over becomes the next half hour, so that the new date is never in the past. Moving the
    result once more with the same arguments changes nothing.
    """
    at = scheduled_at.astimezone(zone).time() if scheduled_at is not None else USUAL
    instant = datetime.combine(day, at, zone).astimezone(UTC)
    return instant if instant > now else next_half_hour(now)


def next_half_hour(now: datetime) -> datetime:
    """The next full or half hour, in UTC."""
    floor = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return floor + ((now - floor) // _STEP + 1) * _STEP
