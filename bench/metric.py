"""A metric: a figure with a floor and an aim, computed from the samples of its scenarios."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bench.arithmetic import reaches
from bench.samples import MissingSample, Samples


@dataclass(frozen=True, slots=True)
class Figure:
    """Value of one metric in one run.

    :param value: the figure; ``None`` if it could not be measured, which misses every floor.
    :param parts: its components, ready for JSON: rates, spread, reasons.
    """

    value: float | None
    parts: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """Definition of one metric.

    :param id: ``P1`` and so on, in table order.
    :param title: numerator ÷ denominator.
    :param floor: required bound. ``aim``: desired bound. With ``upper``, both are maxima.
    :param unit: printed after the figure; empty for a ratio.
    :param scenarios: names of the scenarios whose samples it reads.
    :param take: computes the figure from the samples; may raise ``MissingSample``.
    """

    id: str
    title: str
    floor: float
    aim: float
    scenarios: tuple[str, ...]
    take: Callable[[Samples], Figure]
    upper: bool = False
    unit: str = ""

    def figure(self, samples: Samples) -> Figure:
        """Compute the figure, or give the reason why there is none."""
        try:
            return self.take(samples)
        except MissingSample as reason:
            return Figure(None, {"missing": str(reason)})

    def met(self, figure: Figure) -> bool:
        """Return whether the floor is reached."""
        return reaches(figure.value, self.floor, upper=self.upper)
