"""P5: duplicates ÷ first time, through SQL only; the slower of redelivered and repeated commands."""

from __future__ import annotations

from statistics import median

from bench.metric import Figure, Metric
from bench.ratio import ratio_of
from bench.samples import Samples


def _take(samples: Samples) -> Figure:
    kinds = {name: samples.series("sql_only", name) for name in ("redelivered", "repeated")}
    slower = min(kinds, key=lambda name: median(kinds[name]))
    first, again = samples.series("end_to_end", "rate"), samples.series("end_to_end", "repeated_rate")
    return ratio_of(
        (f"{slower}_per_second", kinds[slower]),
        ("first_time_per_second", samples.series("sql_only", "applied")),
        redelivered_same_offsets_per_second=round(median(kinds["redelivered"]), 1),
        repeated_new_offsets_per_second=round(median(kinds["repeated"]), 1),
        end_to_end_ratio=round(median(a / b for a, b in zip(again, first, strict=True)), 3),
    )


METRIC = Metric(
    id="P5",
    title="redelivered (duplicate) commands ÷ first time",
    floor=2.5,
    aim=4.0,
    scenarios=("sql_only", "end_to_end"),
    take=_take,
)
