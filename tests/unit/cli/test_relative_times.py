"""Relative and absolute time formats."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cli.relative_times import absolute, clock, relative

NOW = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("distance", "text"),
    [
        (timedelta(seconds=30), "now"),
        (timedelta(seconds=-59), "now"),
        (timedelta(minutes=1), "in 1 min"),
        (timedelta(minutes=-59), "59 min ago"),
        (timedelta(hours=1), "in 1 h"),
        (timedelta(hours=-23, minutes=-59), "23 h ago"),
        (timedelta(days=1), "in 1 day"),
        (timedelta(days=-2), "2 days ago"),
    ],
)
def test_distance(distance: timedelta, text: str) -> None:
    assert relative(NOW + distance, NOW) == text


def test_moments_are_shown_in_utc() -> None:
    assert absolute(datetime.fromisoformat("2026-03-02T10:15:00+01:00")) == "Mon 2026-03-02 09:15"
    assert clock(1_772_442_900_007) == "2026-03-02 09:15:00.007"
