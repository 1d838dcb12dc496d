"""Format timestamps for the HTTP API."""

from __future__ import annotations

from datetime import UTC, datetime


def instant_text(instant: datetime | None) -> str | None:
    """RFC 3339 in UTC with milliseconds, as old clients expect, or microseconds if there are any."""
    if instant is None:
        return None
    exact = instant.microsecond % 1000 != 0
    text = instant.astimezone(UTC).isoformat(timespec="microseconds" if exact else "milliseconds")
    return text.replace("+00:00", "Z")
