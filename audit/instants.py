"""Instants as integer microseconds since the Unix epoch: compact, and exact to compare."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: Valid range by contract: 1900-01-01 up to, not including, 2200-01-01.
EARLIEST: Final = -2_208_988_800_000_000
LATEST: Final = 7_258_118_400_000_000
FIVE_MINUTES: Final = 5 * 60 * 1_000_000
_DAY: Final = 86_400 * 1_000_000
_TEXT: Final = re.compile(
    r"\d{4}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)",
    re.ASCII | re.IGNORECASE,
)


def micros(value: Any) -> int | None:
    """Convert an instant from a table, an Avro record or JSON to microseconds.

    :raises ValueError: neither an instant nor ``None``, or an instant without a UTC offset.
    """
    if value is None or type(value) is int:
        return value
    if isinstance(value, str):
        return _read(value)
    return _count(value)


def _count(value: Any) -> int:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise ValueError("not an instant with a UTC offset")
    delta = value - EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def _read(text: str) -> int:
    """Parse RFC 3339; a leap second counts as the second after it."""
    found = _TEXT.fullmatch(text)
    if found is None:
        raise ValueError("not an RFC 3339 date-time")
    if found[2] != "60":
        return _count(datetime.fromisoformat(text.upper()))
    moment = _count(datetime.fromisoformat(text.upper().replace(":60", ":59", 1))) + 1_000_000
    midnight = moment - moment % _DAY
    if moment - midnight >= 1_000_000 or (EPOCH + timedelta(microseconds=midnight)).day != 1:
        raise ValueError("a leap second that is not at the end of a month")
    return moment


def show(value: int | None) -> str:
    """Format an instant for display: RFC 3339 in UTC."""
    if value is None:
        return "none"
    seconds, rest = divmod(value, 1_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:06d}Z"
