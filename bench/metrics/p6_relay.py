"""P6: the relay's drain ÷ the rate of effects, in the same unit: commands whose events are out."""

from __future__ import annotations

from statistics import median

from bench.metric import Figure, Measure
from bench.ratio import ratio_of
from bench.samples import Samples


def _take(samples: Samples) -> Figure:
    return ratio_of(
        ("drained_commands_per_second", samples.series("end_to_end", "drain_commands")),
        ("end_to_end_per_second", samples.series("end_to_end", "rate")),
        outbox_rows_per_second=round(median(samples.series("end_to_end", "drain_rows")), 1),
        outbox_rows_per_command=round(median(samples.series("end_to_end", "rows_per_command")), 3),
        kafka_records_per_outbox_row=2,
    )


MEASURE = Measure(
    id="P6",
    title="relay drain (transactional) ÷ effects, both in commands a second",
    floor=1.5,
    aim=3.0,
    arms=("end_to_end",),
    take=_take,
)
