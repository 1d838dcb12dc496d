"""P14: write-ahead log per command ÷ the size of the interaction's row."""

from __future__ import annotations

from bench.metric import Figure, Metric
from bench.ratio import ratio_of
from bench.samples import Samples


def _take(samples: Samples) -> Figure:
    return ratio_of(
        ("wal_bytes_per_command", samples.series("sql_only", "wal_bytes")),
        ("interaction_row_bytes", samples.series("sql_only", "row_bytes")),
    )


METRIC = Metric(
    id="P14",
    title="write-ahead log per command ÷ bytes of the interaction's row",
    floor=5.0,
    aim=3.5,
    upper=True,
    scenarios=("sql_only",),
    take=_take,
)
