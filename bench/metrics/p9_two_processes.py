"""P9: two applier processes ÷ one."""

from __future__ import annotations

from bench.metric import Figure, Metric
from bench.ratio import ratio_of
from bench.samples import Samples


def _take(samples: Samples) -> Figure:
    return ratio_of(
        ("two_per_second", samples.series("two_processes", "rate")),
        ("one_per_second", samples.series("end_to_end", "rate")),
    )


METRIC = Metric(
    id="P9",
    title="two applier processes ÷ one (two cores, shared with the servers)",
    floor=1.25,
    aim=1.5,
    scenarios=("end_to_end", "two_processes"),
    take=_take,
)
