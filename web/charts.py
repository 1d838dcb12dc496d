"""Bar charts of the last hour: geometry for the template, and the values of the table beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

#: Minutes of a chart, and its size in units of the view box.
MINUTES: Final = 60
STEP: Final = 10
HEIGHT: Final = 100
_MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Part:
    """One rectangle of a bar, from the top of the chart downwards."""

    name: str
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """One minute.

    :param x: left edge.
    :param values: one per series.
    """

    at: datetime
    x: int
    values: tuple[float, ...]
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """:param name: names the texts of the chart.
    :param series: parts of a bar, from the bottom.
    :param bars: minutes that have a value, oldest first; a minute without one is a gap.
    :param top: value at the upper edge.
    """

    name: str
    series: tuple[str, ...]
    bars: tuple[Bar, ...]
    top: float
    begin: datetime
    end: datetime

    @property
    def totals(self) -> tuple[float, ...]:
        """Sum per series."""
        return tuple(sum(bar.values[place] for bar in self.bars) for place in range(len(self.series)))

    @property
    def largest(self) -> float:
        """The highest bar's value."""
        return max((sum(bar.values) for bar in self.bars), default=0.0)


def chart_of(
    name: str, series: tuple[str, ...], minutes: Sequence[tuple[datetime, Sequence[float]]], now: datetime
) -> Chart:
    """Lay out one bar per minute of the hour that ends with the current minute.

    :param minutes: start of a minute → one value per series, none negative; ascending.
    """
    end = now.replace(second=0, microsecond=0) + _MINUTE
    begin = end - MINUTES * _MINUTE
    shown = [(at, tuple(values)) for at, values in minutes if begin <= at < end]
    top = nice_top(max((sum(values) for _, values in shown), default=0.0))
    bars = tuple(
        Bar(at, (at - begin) // _MINUTE * STEP, values, _parts(series, values, top)) for at, values in shown
    )
    return Chart(name, series, bars, top, begin, end)


def nice_top(largest: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that is not below a value; at least 1."""
    if largest <= 1:
        return 1.0
    power = 10.0 ** math.floor(math.log10(largest))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= largest)


def _parts(series: tuple[str, ...], values: tuple[float, ...], top: float) -> tuple[Part, ...]:
    """Rectangles from the bottom up; a value above zero is always visible."""
    parts, edge = [], float(HEIGHT)
    for name, value in zip(series, values, strict=True):
        if value > 0:
            height = max(1.0, round(value / top * HEIGHT, 1))
            edge = max(0.0, round(edge - height, 1))
            parts.append(Part(name, edge, height))
    return tuple(parts)
