"""P10: healthy commands per second with 1 % bad records ÷ without."""

from __future__ import annotations

from bench.metric import Figure, Metric
from bench.ratio import ratio_of
from bench.samples import Samples


def _take(samples: Samples) -> Figure:
    return ratio_of(
        ("healthy_per_second", samples.series("poison", "rate")),
        ("clean_per_second", samples.series("end_to_end", "rate")),
        kinds=["no JSON", "unknown field", "unknown type", "key is not the customer's"],
    )


METRIC = Metric(
    id="P10",
    title="healthy commands among 1 % poison ÷ clean",
    floor=0.90,
    aim=0.97,
    scenarios=("end_to_end", "poison"),
    take=_take,
)
