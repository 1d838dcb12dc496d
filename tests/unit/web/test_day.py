"""One function decides the day of an instant, in every zone and on the days when clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.day import Due, days_of

_ZONES = sorted(available_timezones())
_INSTANTS = st.datetimes(datetime(2000, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "now", "scheduled", "due"),
    [
        # 23:30 in Berlin is still today there, and tomorrow in UTC.
        ("Europe/Berlin", "2026-11-29T22:00", "2026-11-29T22:30", Due.TODAY),
        ("Europe/Berlin", "2026-11-29T22:00", "2026-11-29T23:00", Due.TOMORROW),
        # UTC−11: yesterday evening there is today in UTC.
        ("Pacific/Pago_Pago", "2026-11-29T10:00", "2026-11-29T11:30", Due.TOMORROW),
        ("Pacific/Pago_Pago", "2026-11-29T10:00", "2026-11-28T10:30", Due.OVERDUE),
        ("Pacific/Pago_Pago", "2026-11-29T10:00", "2026-11-28T11:00", Due.TODAY),
        # UTC+14: the day begins at 10:00 of the day before in UTC.
        ("Pacific/Kiritimati", "2026-11-29T12:00", "2026-11-29T09:59", Due.OVERDUE),
        ("Pacific/Kiritimati", "2026-11-29T12:00", "2026-11-29T10:00", Due.TODAY),
        ("Pacific/Kiritimati", "2026-11-29T12:00", "2026-11-30T10:00", Due.TOMORROW),
        # A day of 23 hours, then one of 25.
        ("Europe/Berlin", "2026-03-29T10:00", "2026-03-28T23:00", Due.TODAY),
        ("Europe/Berlin", "2026-03-29T10:00", "2026-03-29T22:00", Due.TOMORROW),
        ("Europe/Berlin", "2026-10-25T10:00", "2026-10-25T22:59", Due.TODAY),
        ("Europe/Berlin", "2026-10-25T10:00", "2026-10-25T23:00", Due.TOMORROW),
        # The clock skips midnight: the day begins at 01:00.
        ("Africa/Cairo", "2026-04-24T10:00", "2026-04-23T22:00", Due.TODAY),
        ("Africa/Cairo", "2026-04-24T10:00", "2026-04-23T21:59", Due.OVERDUE),
        # Sunday: the week ends today, so that the day after tomorrow is later.
        ("UTC", "2026-11-29T10:00", "2026-12-01T10:00", Due.LATER),
        ("UTC", "2026-11-25T10:00", "2026-11-28T10:00", Due.WEEK),
        ("UTC", "2026-11-25T10:00", "2026-11-29T23:59", Due.WEEK),
        ("UTC", "2026-11-25T10:00", "2026-11-30T00:00", Due.LATER),
    ],
)
def test_the_day_is_the_viewers(zone: str, now: str, scheduled: str, due: Due) -> None:
    assert days_of(at(now), ZoneInfo(zone)).due(at(scheduled)) == due


@given(st.sampled_from(_ZONES), _INSTANTS, st.integers(-40 * 86_400, 40 * 86_400))
def test_groups_agree_with_the_calendar(zone: str, now: datetime, seconds: int) -> None:
    days = days_of(now, ZoneInfo(zone))
    scheduled = now + timedelta(seconds=seconds)
    late = days.days_late(scheduled)
    expected = Due.OVERDUE if late > 0 else {0: Due.TODAY, -1: Due.TOMORROW}.get(late)
    due = days.due(scheduled)
    assert due == expected if expected else due in (Due.WEEK, Due.LATER)


@given(st.sampled_from(_ZONES), _INSTANTS)
def test_the_ranges_follow_each_other(zone: str, now: datetime) -> None:
    days = days_of(now, ZoneInfo(zone))
    edges = [days.today, days.tomorrow, days.after_tomorrow, days.next_week]
    assert edges == sorted(edges)
    assert days.today <= now < days.tomorrow
    assert [begin for begin, _ in days.ranges().values()] == [None, *edges]
    assert [end for _, end in days.ranges().values()] == [*edges, None]


def test_no_date_is_a_group_of_its_own() -> None:
    assert days_of(at("2026-11-29T10:00"), ZoneInfo("UTC")).due(None) == Due.NO_DATE
