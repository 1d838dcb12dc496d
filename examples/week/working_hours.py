"""Moments at which an office works: weekdays, 08:30–17:30, on the quarter hour (UTC)."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

_OPENS, _CLOSES, _QUARTER = 8 * 60 + 30, 17 * 60 + 30, 15


def working_moment(rng: random.Random, start: datetime, end: datetime) -> datetime:
    """A working moment inside ``[start, end)``, or ``start`` when there is none to be found."""
    days = max((end.date() - start.date()).days, 0)
    for _ in range(40):
        day = start.date() + timedelta(days=rng.randint(0, days))
        minute = rng.randrange(_OPENS, _CLOSES + 1, _QUARTER)
        moment = datetime(day.year, day.month, day.day, tzinfo=start.tzinfo) + timedelta(minutes=minute)
        if day.weekday() < 5 and start <= moment < end:
            return moment
    return start
