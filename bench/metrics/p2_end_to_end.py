"""P2: end to end ÷ through SQL only, one connection each."""

from __future__ import annotations

from statistics import median

from bench.metric import Figure, Metric
from bench.ratio import ratio_of
from bench.samples import Samples


def _take(samples: Samples) -> Figure:
    return ratio_of(
        ("end_to_end_per_second", samples.series("end_to_end", "rate")),
        ("applied_per_second", samples.series("sql_only", "applied")),
        processor_us_per_command=round(median(samples.series("end_to_end", "processor_us")), 1),
        checkpoints=int(samples.series("end_to_end", "checkpoints")[-1]),
        connections=1,
    )


METRIC = Metric(
    id="P2",
    title="end to end (record → committed, result sent) ÷ through SQL only",
    floor=0.70,
    aim=0.80,
    scenarios=("sql_only", "end_to_end"),
    take=_take,
)
