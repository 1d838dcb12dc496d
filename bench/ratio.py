"""The most common figure: the median of the rounds' ratios of two series, with the spread beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.arithmetic import median, ratios, spread
from bench.metric import Figure


def ratio_of(above: tuple[str, Sequence[float]], below: tuple[str, Sequence[float]], **parts: Any) -> Figure:
    """The figure of two named series that were measured in turns."""
    pairs = min(len(above[1]), len(below[1]))
    found = ratios(above[1][:pairs], below[1][:pairs])
    named: Mapping[str, Any] = {
        above[0]: round(median(above[1]), 1),
        below[0]: round(median(below[1]), 1),
        "spread": [round(value, 3) for value in spread(found)],
        "rounds": pairs,
        **parts,
    }
    return Figure(median(found), named)
