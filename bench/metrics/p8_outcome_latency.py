"""P8: p99 from publishing to outcome at 1,000 commands per second ÷ p99 of an idle Kafka transaction."""

from __future__ import annotations

from bench.metric import Metric
from bench.metrics.fixed_load import over_idle_transaction

METRIC = Metric(
    id="P8",
    title="p99 publish → outcome received at 1,000/s ÷ the same idle transaction",
    floor=10.0,
    aim=5.0,
    upper=True,
    scenarios=("fixed_load",),
    take=over_idle_transaction("outcome"),
)
