"""P7: p99 from commit to readable event at 1,000 commands per second ÷ p99 of an idle Kafka transaction."""

from __future__ import annotations

from bench.metric import Metric
from bench.metrics.fixed_load import over_idle_transaction

METRIC = Metric(
    id="P7",
    title="p99 commit → event readable at 1,000/s ÷ p99 of an idle Kafka transaction, same partitions",
    floor=8.0,
    aim=4.0,
    upper=True,
    scenarios=("fixed_load",),
    take=over_idle_transaction("event"),
)
