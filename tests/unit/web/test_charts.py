"""Charts: minutes have fixed places, gaps stay gaps, and small values stay visible."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from web.charts import HEIGHT, MINUTES, STEP, chart_of, nice_top

NOW = datetime(2026, 3, 1, 10, 0, 25, tzinfo=UTC)
THIS_MINUTE = NOW.replace(second=0)


def minute(ago: int) -> datetime:
    return THIS_MINUTE - timedelta(minutes=ago)


def test_the_current_minute_is_the_last_place() -> None:
    chart = chart_of("lag", ("lag",), [(minute(59), [1.0]), (minute(3), [2.0]), (minute(0), [3.0])], NOW)
    assert [bar.x for bar in chart.bars] == [0, (MINUTES - 4) * STEP, (MINUTES - 1) * STEP]
    assert (chart.begin, chart.end) == (minute(59), minute(-1))


def test_minutes_outside_of_the_hour_are_left_out() -> None:
    chart = chart_of("lag", ("lag",), [(minute(60), [9.0]), (minute(-1), [9.0])], NOW)
    assert (chart.bars, chart.top, chart.largest, chart.totals) == ((), 1.0, 0.0, (0,))


def test_series_are_stacked_from_the_bottom() -> None:
    [bar] = chart_of("outcomes", ("applied", "rejected"), [(minute(0), [30, 20])], NOW).bars
    lower, upper = bar.parts
    assert (lower.name, lower.y, lower.height) == ("applied", 40.0, 60.0)
    assert (upper.name, upper.y, upper.height) == ("rejected", 0.0, 40.0)


def test_zero_has_no_bar_and_a_small_value_has_one() -> None:
    bars = chart_of("lag", ("lag",), [(minute(1), [0.0]), (minute(0), [0.001])], NOW).bars
    assert [[part.height for part in bar.parts] for bar in bars] == [[], [1.0]]
    [stacked] = chart_of("lag", ("a", "b"), [(minute(0), [1000.0, 0.1])], NOW).bars
    assert all(0 <= part.y <= HEIGHT for part in stacked.parts)


@pytest.mark.parametrize(
    ("largest", "top"), [(0, 1), (0.3, 1), (1, 1), (1.1, 2), (4.9, 5), (5.1, 10), (72, 100), (1001, 2000)]
)
def test_the_scale_ends_at_a_round_number(largest: float, top: float) -> None:
    assert nice_top(largest) == top
