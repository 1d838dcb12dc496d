"""Instants: aware, in UTC, with microseconds, from 1900 to 2199 (RFC 3339)."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

EARLIEST: Final = datetime(1900, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)
_EARLIEST_MS: Final = int(EARLIEST.timestamp()) * 1000
_LATEST_MS: Final = int(LATEST.timestamp()) * 1000 - 1
_TWO: Final = tuple(f"{number:02}" for number in range(60))
#: ``date-time`` of RFC 3339 section 5.6. Group 1 is a leap second, group 2 the offset.
_RFC3339: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt]"
    r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|(60))(?:\.[0-9]+)?"
    r"([Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])?"
)
_SECOND: Final = slice(17, 19)
_FORM: Final = "must be an RFC 3339 date-time such as 2026-03-01T09:00:00Z"


def parse_instant(value: Any) -> datetime:
    """Parse an RFC 3339 text or an aware datetime, and convert it to UTC.

    Digits after the microseconds are truncated. A leap second becomes the first instant of the next day.

    :raises ValueError: not a date-time, no offset, or outside 1900–2199.
    """
    if isinstance(value, str):
        instant = _from_text(value)
    elif isinstance(value, datetime):
        instant = value
    else:
        raise ValueError(_FORM)
    if instant.tzinfo is None:
        raise ValueError("must have an offset, such as Z or +01:00")
    try:
        instant = instant.astimezone(UTC)
    except OverflowError:
        raise ValueError("must be between 1900-01-01 and 2199-12-31") from None
    if not EARLIEST <= instant < LATEST:
        raise ValueError("must be between 1900-01-01 and 2199-12-31")
    return instant


def _from_text(text: str) -> datetime:
    # fromisoformat alone also accepts other forms of ISO 8601, and more of them in each Python version.
    found = _RFC3339.fullmatch(text)
    if found is None:
        raise ValueError(_FORM)
    leap = found[1] is not None
    if leap:
        text = f"{text[: _SECOND.start]}59{text[_SECOND.stop :]}"
    try:
        instant = datetime.fromisoformat(text.upper())
    except ValueError:
        raise ValueError(_FORM) from None
    if not leap or instant.tzinfo is None:
        return instant
    try:
        after = instant.astimezone(UTC) + timedelta(seconds=1)
    except OverflowError:
        raise ValueError(_FORM) from None
    if (after.day, after.hour, after.minute) != (1, 0, 0):
        raise ValueError("is a leap second, which is only possible at the end of a month in UTC")
    return after


def from_epoch_ms(milliseconds: int) -> datetime:
    """Convert a Kafka record timestamp (milliseconds since 1970) to an instant from 1900 to 2199.

    A time outside counts as the nearest one inside. Hazard: of a topic that had CreateTime before, the
    publishers chose the timestamps, up to 2**63.
    """
    return datetime.fromtimestamp(min(max(milliseconds, _EARLIEST_MS), _LATEST_MS) / 1000, UTC)


@lru_cache(maxsize=8_192)
def format_instant(instant: datetime) -> str:
    """Format a UTC instant as RFC 3339 text with microseconds and ``Z``, the only form used in JSON.

    Years before 1000 are not supported (``parse_instant`` refuses them).
    """
    # isoformat() takes twice as long, and each command writes the same few instants many times.
    return (
        f"{instant.year}-{_TWO[instant.month]}-{_TWO[instant.day]}T{_TWO[instant.hour]}:"
        f"{_TWO[instant.minute]}:{_TWO[instant.second]}.{instant.microsecond:06}Z"
    )


def begin_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a day, in UTC. Where the clock skips midnight, it is the end of the gap."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def days_around(now: datetime, zone: ZoneInfo) -> tuple[date, datetime, datetime]:
    """The local date, and the first instants of that day and of the next one, in UTC.

    What is planned for before the first of the two is overdue, for before the second due today.
    """
    day = now.astimezone(zone).date()
    return day, begin_of_day(day, zone), begin_of_day(day + timedelta(days=1), zone)
