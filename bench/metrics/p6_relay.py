"""P6: the relay's drain rate ÷ the end-to-end rate, both in commands per second."""

from __future__ import annotations

from statistics import median

from bench.metric import Figure, Metric
from bench.ratio import ratio_of
from bench.samples import Samples


def _take(samples: Samples) -> Figure:
    return ratio_of(
        ("drained_commands_per_second", samples.series("end_to_end", "drain_commands")),
        ("end_to_end_per_second", samples.series("end_to_end", "rate")),
        events_per_second=round(median(samples.series("end_to_end", "drain_events")), 1),
        events_per_command=round(median(samples.series("end_to_end", "events_per_command")), 3),
        kafka_records_per_event=2,
    )


METRIC = Metric(
    id="P6",
    title="relay drain (transactional) ÷ effects, both in commands per second",
    floor=1.5,
    aim=2.0,
    scenarios=("end_to_end",),
    take=_take,
)
