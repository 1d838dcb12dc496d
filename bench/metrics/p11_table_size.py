"""P11: rate on large tables ÷ on small ones."""

from __future__ import annotations

from bench.metric import Figure, Metric
from bench.ratio import ratio_of
from bench.samples import Samples


def _take(samples: Samples) -> Figure:
    last = samples.all("growth")[-1]
    return ratio_of(
        ("large_per_second", samples.series("growth", "many_rate")),
        ("small_per_second", samples.series("growth", "few_rate")),
        large_interactions=last["many"],
        small_interactions=last["few"],
        journal="10 × as many rows next to the large tables",
        work="half creates, a quarter completions, a quarter reschedules, through SQL only",
    )


METRIC = Metric(
    id="P11",
    title="10 million interactions (quick run: 1 million), 10 × journal ÷ 100 thousand",
    floor=0.80,
    aim=0.95,
    scenarios=("growth",),
    take=_take,
)
