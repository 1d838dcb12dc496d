"""Statistics of the bench: a missed floor must never look reached."""

from __future__ import annotations

import math

import pytest

from bench.arithmetic import percentile, ratios, reaches, spread


def test_each_round_has_its_own_ratio() -> None:
    assert ratios([10.0, 30.0], [5.0, 10.0]) == [2.0, 3.0]


def test_sides_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="2 numerators and 1 denominators"):
        ratios([1.0, 2.0], [1.0])


@pytest.mark.parametrize("denominator", [0.0, -1.0])
def test_a_rate_that_is_not_positive_is_no_measurement(denominator: float) -> None:
    with pytest.raises(ValueError, match="no measurement"):
        ratios([1.0], [denominator])


def test_a_percentile_is_a_value_that_was_measured() -> None:
    values = [float(value) for value in range(1, 101)]
    assert (percentile(values, 0.5), percentile(values, 0.99), percentile(values, 1.0)) == (50.0, 99.0, 100.0)
    assert percentile([7.0], 0.99) == 7.0
    # Below 100 values, the slowest one is the 99th percentile: nothing slow is hidden.
    assert percentile([1.0] * 50 + [9.0], 0.99) == 9.0


def test_a_percentile_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


def test_the_spread_is_the_smallest_and_the_largest() -> None:
    assert spread([3.0, 1.0, 2.0]) == [1.0, 3.0]


@pytest.mark.parametrize(
    ("value", "upper", "reached"),
    [
        (0.6, False, True),
        (0.599, False, False),
        (0.6, True, True),
        (0.601, True, False),
        (None, False, False),
        (None, True, False),
        (math.nan, False, False),
        (math.nan, True, False),
    ],
)
def test_a_bound_is_reached_from_its_own_side_only(value: float | None, upper: bool, reached: bool) -> None:
    assert reaches(value, 0.6, upper=upper) is reached
