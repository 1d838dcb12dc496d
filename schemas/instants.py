"""Instants: aware, UTC, microseconds, inside the years a calendar can hold (RFC 3339)."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

EARLIEST: Final = datetime(1900, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)
_TWO: Final = tuple(f"{number:02}" for number in range(60))


def parse_instant(value: Any) -> datetime:
    """Read an RFC 3339 text or an aware datetime as UTC.

    :raises ValueError: no date-time, no offset, or outside 1900–2199.
    """
    if isinstance(value, str):
        try:
            instant = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("must be an RFC 3339 date-time such as 2026-03-01T09:00:00Z") from None
    elif isinstance(value, datetime):
        instant = value
    else:
        raise ValueError("must be an RFC 3339 date-time such as 2026-03-01T09:00:00Z")
    if instant.tzinfo is None:
        raise ValueError("must carry an offset, such as Z or +01:00")
    try:
        instant = instant.astimezone(UTC)
    except OverflowError:
        raise ValueError("must lie between 1900-01-01 and 2199-12-31") from None
    if not EARLIEST <= instant < LATEST:
        raise ValueError("must lie between 1900-01-01 and 2199-12-31")
    return instant


def from_epoch_ms(milliseconds: int) -> datetime:
    """The instant of a Kafka record timestamp (milliseconds since 1970)."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


@lru_cache(maxsize=8_192)
def format_instant(instant: datetime) -> str:
    """An aware UTC instant as RFC 3339 text with microseconds and ``Z``: the one rendering in JSON.

    Instants before the year 1000 are not supported (``parse_instant`` refuses them).
    """
    # isoformat() takes twice as long, and the same few instants are written many times for a command.
    return (
        f"{instant.year}-{_TWO[instant.month]}-{_TWO[instant.day]}T{_TWO[instant.hour]}:"
        f"{_TWO[instant.minute]}:{_TWO[instant.second]}.{instant.microsecond:06}Z"
    )
