"""The usual figure: median of the ratios per round of two series, with their spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.arithmetic import median, ratios, spread
from bench.metric import Figure


def ratio_of(
    numerator: tuple[str, Sequence[float]], denominator: tuple[str, Sequence[float]], **parts: Any
) -> Figure:
    """Compute the figure of two named series, measured in turns."""
    pairs = min(len(numerator[1]), len(denominator[1]))
    found = ratios(numerator[1][:pairs], denominator[1][:pairs])
    named: Mapping[str, Any] = {
        numerator[0]: round(median(numerator[1]), 1),
        denominator[0]: round(median(denominator[1]), 1),
        "spread": [round(value, 3) for value in spread(found)],
        "rounds": pairs,
        **parts,
    }
    return Figure(median(found), named)
