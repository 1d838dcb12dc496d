"""P1: all effects through SQL only ÷ raw COPY of a fixed reference row set."""

from __future__ import annotations

from statistics import median

from bench.metric import Figure, Metric
from bench.ratio import ratio_of
from bench.samples import Samples


def _take(samples: Samples) -> Figure:
    return ratio_of(
        ("applied_per_second", samples.series("sql_only", "applied")),
        ("copied_per_second", samples.series("sql_only", "copied")),
        rows_per_command=round(median(samples.series("sql_only", "rows")) / _commands(samples), 2),
        client_us_per_command=round(median(samples.series("sql_only", "client_us")), 1),
        server_us_per_command=round(median(samples.series("sql_only", "server_us")), 1),
        copy_server_us_per_command=round(median(samples.series("sql_only", "copy_server_us")), 1),
        wal_bytes_per_command=round(median(samples.series("sql_only", "wal_bytes"))),
        copied_wal_bytes_per_command=round(median(samples.series("sql_only", "copied_wal_bytes"))),
        disk_bytes_per_command=round(median(samples.series("sql_only", "disk_bytes"))),
        checkpoints=int(samples.series("sql_only", "checkpoints")[-1]),
        connections=1,
    )


def _commands(samples: Samples) -> float:
    return median(samples.series("sql_only", "commands"))


METRIC = Metric(
    id="P1",
    title="all effects through SQL only ÷ raw COPY of a fixed reference row set",
    floor=0.60,
    aim=0.70,
    scenarios=("sql_only",),
    take=_take,
)
