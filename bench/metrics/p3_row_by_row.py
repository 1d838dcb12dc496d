"""P3: end to end ÷ the same rules in a stock Faust agent, one command per transaction."""

from __future__ import annotations

from bench.metric import Figure, Metric
from bench.ratio import ratio_of
from bench.samples import Samples


def _take(samples: Samples) -> Figure:
    return ratio_of(
        ("end_to_end_per_second", samples.series("end_to_end", "rate")),
        ("stock_faust_per_second", samples.series("stock_faust", "rate")),
    )


METRIC = Metric(
    id="P3",
    title="end to end ÷ the same rules row by row, SQLAlchemy in a stock Faust agent",
    floor=40.0,
    aim=60.0,
    scenarios=("end_to_end", "stock_faust"),
    take=_take,
)
