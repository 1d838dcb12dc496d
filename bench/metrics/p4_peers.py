"""P4: two appliers ÷ Debezium's JDBC sink, which only upserts the interaction row; their processor time."""

from __future__ import annotations

from statistics import median
from typing import Final

from bench.metric import Figure, Metric
from bench.ratio import ratio_of
from bench.samples import Samples

_SINKS: Final = ("debezium_sink", "debezium_sink_two")
_SCENARIOS: Final = ("two_processes", *_SINKS)


def _best(samples: Samples) -> str:
    # A peer that cannot run makes the figure missing: it might have been the fastest.
    return max(_SINKS, key=lambda name: median(samples.series(name, "rate")))


def _rate(samples: Samples) -> Figure:
    best = _best(samples)
    return ratio_of(
        ("two_appliers_per_second", samples.series("two_processes", "rate")),
        (f"{best}_per_second", samples.series(best, "rate")),
        quixstreams_rows_per_second=round(median(samples.series("quix", "rate")), 1),
        **{f"{name}_rows_per_second": round(median(samples.series(name, "rate")), 1) for name in _SINKS},
    )


def _processor_time(samples: Samples) -> Figure:
    best = _best(samples)
    return ratio_of(
        ("debezium_us_per_row", samples.series(best, "all_us")),
        ("our_us_per_command", samples.series("two_processes", "all_us")),
        parties="Postgres, Kafka, and the sink or two appliers",
    )


def _per_row_written(samples: Samples) -> Figure:
    best = _best(samples)
    rows = median(samples.series("sql_only", "rows")) / median(samples.series("sql_only", "commands"))
    return ratio_of(
        ("debezium_us_per_row", samples.series(best, "all_us")),
        ("our_us_per_row", [us / rows for us in samples.series("two_processes", "all_us")]),
        our_rows_per_command=round(rows, 2),
        rows="interactions and journal, without the update of the customer and without the result record",
    )


RATE: Final = Metric(
    id="P4",
    title="two appliers ÷ Debezium's JDBC sink doing less (upserts of the interaction row)",
    floor=0.80,
    aim=1.0,
    scenarios=(*_SCENARIOS, "quix"),
    take=_rate,
)
PROCESSOR_TIME: Final = Metric(
    id="P4c",
    title="processor time of all parties: Debezium's row ÷ our command",
    floor=0.70,
    aim=0.85,
    scenarios=_SCENARIOS,
    take=_processor_time,
)
PER_ROW: Final = Metric(
    id="P4r",
    title="the same per row written",
    floor=1.5,
    aim=1.5,
    scenarios=("sql_only", *_SCENARIOS),
    take=_per_row_written,
)
