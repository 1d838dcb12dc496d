"""A digest has one instant per local date, whatever the clocks do."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from connectors.sdk.digest import DigestTime

_ZONES = (
    "UTC",
    "Europe/Berlin",
    "Pacific/Pago_Pago",
    "Pacific/Kiritimati",
    "America/Santiago",
    "Asia/Kolkata",
)


def _at(hour: int, zone: str) -> DigestTime:
    return DigestTime(hour, ZoneInfo(zone))


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("hour", "zone", "before", "begins", "day"),
    [
        (8, "Europe/Berlin", "2026-01-15 06:59:59", "2026-01-15 07:00", date(2026, 1, 15)),
        (8, "Europe/Berlin", "2026-07-15 05:59:59", "2026-07-15 06:00", date(2026, 7, 15)),
        (0, "Pacific/Kiritimati", "2026-03-01 09:59:59", "2026-03-01 10:00", date(2026, 3, 2)),
        (0, "Pacific/Pago_Pago", "2026-03-01 10:59:59", "2026-03-01 11:00", date(2026, 3, 1)),
        # 02:00 does not exist: the clocks go from 02:00 to 03:00.
        (2, "Europe/Berlin", "2026-03-29 00:59:59", "2026-03-29 01:00", date(2026, 3, 29)),
        # 02:00 exists twice; the first one is at 00:00 UTC.
        (2, "Europe/Berlin", "2026-10-24 23:59:59", "2026-10-25 00:00", date(2026, 10, 25)),
        # Midnight does not exist.
        (0, "America/Santiago", "2026-09-06 03:59:59", "2026-09-06 04:00", date(2026, 9, 6)),
    ],
)
def test_the_hour_begins(hour: int, zone: str, before: str, begins: str, day: date) -> None:
    at = _at(hour, zone)
    assert at.day(_utc(before)) != day
    assert at.day(_utc(begins)) == day
    assert at.seconds_until_next(_utc(before)) == 1


@pytest.mark.parametrize("zone", _ZONES)
@pytest.mark.parametrize("hour", [0, 2, 3, 23])
def test_a_year_of_looks_finds_every_date_once(hour: int, zone: str) -> None:
    at, now, dates = _at(hour, zone), _utc("2026-01-01 12:30"), []
    for _ in range(366):
        now += timedelta(seconds=at.seconds_until_next(now))
        found = at.day(now)
        assert found is not None
        assert at.day(now - timedelta(seconds=1)) != found
        dates.append(found)
    assert dates == [dates[0] + timedelta(days=number) for number in range(366)]
