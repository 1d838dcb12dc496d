"""P10: healthy commands a second among one per cent of bad records ÷ without them."""

from __future__ import annotations

from bench.metric import Figure, Measure
from bench.ratio import ratio_of
from bench.samples import Samples


def _take(samples: Samples) -> Figure:
    return ratio_of(
        ("healthy_per_second", samples.series("poison", "rate")),
        ("clean_per_second", samples.series("end_to_end", "rate")),
        kinds=["no JSON", "unknown field", "unknown type", "key is not the customer's"],
    )


MEASURE = Measure(
    id="P10",
    title="healthy commands among 1 % poison ÷ clean",
    floor=0.90,
    aim=0.97,
    arms=("end_to_end", "poison"),
    take=_take,
)
