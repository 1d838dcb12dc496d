"""From samples to a figure and a verdict: medians of ratios, spread, percentiles, floors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median


def ratios(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """The ratio of each round: both sides were measured one after the other, under the same conditions.

    :raises ValueError: the sides have different lengths, or a denominator is not positive.
    """
    if len(above) != len(below):
        raise ValueError(f"{len(above)} samples above and {len(below)} below")
    if any(value <= 0 for value in below):
        raise ValueError("a rate of zero is no measurement")
    return [a / b for a, b in zip(above, below, strict=True)]


def spread(values: Sequence[float]) -> list[float]:
    """The smallest and the largest value."""
    return [min(values), max(values)]


def percentile(values: Sequence[float], share: float) -> float:
    """The value that ``share`` of all values do not exceed (nearest rank, no interpolation).

    :raises ValueError: there are no values.
    """
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def reaches(value: float | None, bound: float, *, upper: bool) -> bool:
    """Whether a figure is on the right side of a bound; one that could not be taken never is."""
    if value is None or math.isnan(value):
        return False
    return value <= bound if upper else value >= bound


__all__ = ["median", "percentile", "ratios", "reaches", "spread"]
