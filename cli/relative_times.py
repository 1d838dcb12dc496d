"""Times formatted for people: relative and absolute."""

from __future__ import annotations

from datetime import UTC, datetime

from schemas.instants import from_epoch_ms


def relative(moment: datetime, now: datetime) -> str:
    """``in 3 h``, ``2 days ago``: the largest unit that fits, rounded down."""
    seconds = int((moment - now).total_seconds())
    distance = abs(seconds)
    if distance < 60:
        return "now"
    for size, unit in ((86_400, "day"), (3_600, "h"), (60, "min")):
        if distance >= size:
            count = distance // size
            name = unit if unit != "day" or count == 1 else "days"
            return f"in {count} {name}" if seconds > 0 else f"{count} {name} ago"
    return "now"


def absolute(moment: datetime) -> str:
    """``Mon 2026-03-02 09:15``, in UTC."""
    return moment.astimezone(UTC).strftime("%a %Y-%m-%d %H:%M")


def clock(timestamp_ms: int) -> str:
    """A record timestamp as ``2026-03-02 09:15:00.123`` in UTC."""
    moment = from_epoch_ms(timestamp_ms)
    return moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{timestamp_ms % 1000:03d}"
