"""Statistics on samples: ratios, spread, percentiles, floors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median


def ratios(numerators: Sequence[float], denominators: Sequence[float]) -> list[float]:
    """Ratio per round; both sides of a round were measured one after the other, under the same conditions.

    :raises ValueError: the lengths differ, or a denominator is not positive.
    """
    if len(numerators) != len(denominators):
        raise ValueError(f"{len(numerators)} numerators and {len(denominators)} denominators")
    if any(value <= 0 for value in denominators):
        raise ValueError("a rate of zero is no measurement")
    return [a / b for a, b in zip(numerators, denominators, strict=True)]


def spread(values: Sequence[float]) -> list[float]:
    """Minimum and maximum."""
    return [min(values), max(values)]


def percentile(values: Sequence[float], share: float) -> float:
    """Percentile by nearest rank, without interpolation.

    :param share: 0.99 for the 99th percentile.

    :raises ValueError: there are no values.
    """
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def reaches(value: float | None, bound: float, *, upper: bool) -> bool:
    """Return whether a figure meets a bound; a missing figure never does."""
    if value is None or math.isnan(value):
        return False
    return value <= bound if upper else value >= bound


__all__ = ["median", "percentile", "ratios", "reaches", "spread"]
