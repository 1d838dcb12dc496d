"""Snoozing moves to another day at the same local time, never into the past."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.snooze import moved_to
from web.day import days_of
from web.snooze import Snooze, day_of, default_time, snoozed

_BERLIN = ZoneInfo("Europe/Berlin")
_INSTANTS = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("choice", "scheduled", "expected"),
    [
        # Now is Wednesday 25 March 2026, 12:10 in Berlin; the clock changes on the 29th.
        ("today", "2026-03-20T14:00", "2026-03-25T14:00"),
        ("today", "2026-03-20T08:00", "2026-03-25T11:30"),  # 09:00 is over: the next half hour
        ("today", None, "2026-03-25T16:00"),
        ("tomorrow", "2026-03-20T08:00", "2026-03-26T08:00"),
        ("next_week", "2026-03-20T08:00", "2026-03-30T07:00"),  # 09:00 in summer time
        ("seven_days", "2026-03-20T08:00", "2026-04-01T07:00"),
    ],
)
def test_the_local_time_stays(choice: str, scheduled: str | None, expected: str) -> None:
    days = days_of(at("2026-03-25T11:10"), _BERLIN)
    assert snoozed(Snooze(choice), at(scheduled) if scheduled else None, days) == at(expected)


@given(st.sampled_from(list(Snooze)), st.none() | _INSTANTS, _INSTANTS)
def test_never_in_the_past(choice: Snooze, scheduled: datetime | None, now: datetime) -> None:
    assert snoozed(choice, scheduled, days_of(now, _BERLIN)) > now


@given(_INSTANTS)
def test_a_suggested_time_is_ahead(now: datetime) -> None:
    assert default_time(days_of(now, _BERLIN)) > now


@given(st.sampled_from(list(Snooze)), st.none() | _INSTANTS, _INSTANTS)
def test_moving_once_more_changes_nothing(choice: Snooze, scheduled: datetime | None, now: datetime) -> None:
    # A job that resumes after a crash may read a date that it has moved already.
    day = day_of(choice, days_of(now, _BERLIN))
    once = moved_to(day, scheduled, _BERLIN, now)
    assert moved_to(day, once, _BERLIN, now) == once
