"""A measure: a figure with a floor and an aim, taken from the samples of the arms it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bench.arithmetic import reaches
from bench.samples import MissingSample, Samples


@dataclass(frozen=True, slots=True)
class Figure:
    """What was found.

    :param value: the figure; ``None`` when it could not be taken, which misses every floor.
    :param parts: what it is made of, ready for JSON: rates, spread, reasons.
    """

    value: float | None
    parts: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One row of the table.

    :param id: ``P1`` and so on; the order of the table.
    :param title: what is divided by what.
    :param floor: what must be reached (with ``upper``: not exceeded); ``aim``: what is hoped for.
    :param unit: printed after the figure; empty for a ratio.
    :param arms: the names of the arms whose samples it reads.
    :param take: the figure from the samples; may raise ``MissingSample``.
    """

    id: str
    title: str
    floor: float
    aim: float
    arms: tuple[str, ...]
    take: Callable[[Samples], Figure]
    upper: bool = False
    unit: str = ""

    def figure(self, samples: Samples) -> Figure:
        """The figure, or why there is none."""
        try:
            return self.take(samples)
        except MissingSample as reason:
            return Figure(None, {"missing": str(reason)})

    def met(self, figure: Figure) -> bool:
        """Whether the floor is reached."""
        return reaches(figure.value, self.floor, upper=self.upper)
