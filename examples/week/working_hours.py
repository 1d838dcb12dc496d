"""Random moments within office hours: weekdays, 08:30–17:30 UTC, on the quarter hour."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

_OPENS, _CLOSES, _QUARTER = 8 * 60 + 30, 17 * 60 + 30, 15


def working_moment(rng: random.Random, start: datetime, end: datetime) -> datetime:
    """A random moment of office hours in ``[start, end)``, or ``start`` if none is found in 40 draws."""
    days = max((end.date() - start.date()).days, 0)
    for _ in range(40):
        day = start.date() + timedelta(days=rng.randint(0, days))
        minute = rng.randrange(_OPENS, _CLOSES + 1, _QUARTER)
        moment = datetime(day.year, day.month, day.day, tzinfo=start.tzinfo) + timedelta(minutes=minute)
        if day.weekday() < 5 and start <= moment < end:
            return moment
    return start
