"""P12: all commands on ten customers ÷ spread over thousands."""

from __future__ import annotations

from bench.metric import Figure, Metric
from bench.ratio import ratio_of
from bench.samples import Samples


def _take(samples: Samples) -> Figure:
    return ratio_of(
        ("hot_per_second", samples.series("hot_keys", "rate")),
        ("spread_per_second", samples.series("end_to_end", "rate")),
    )


METRIC = Metric(
    id="P12",
    title="hot keys: all commands on 10 customers ÷ spread",
    floor=0.7,
    aim=0.9,
    scenarios=("end_to_end", "hot_keys"),
    take=_take,
)
