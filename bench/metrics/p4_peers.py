"""P4: end to end ÷ the fastest peer, which only upserts the interaction row."""

from __future__ import annotations

from statistics import median

from bench.metric import Figure, Metric
from bench.ratio import ratio_of
from bench.samples import Samples


def _take(samples: Samples) -> Figure:
    # A peer that cannot run makes the figure missing: it might have been the fastest.
    peers = {
        "debezium_jdbc_sink": samples.series("debezium_sink", "rate"),
        "quixstreams_postgresql_sink": samples.series("quix", "rate"),
    }
    best = max(peers, key=lambda name: median(peers[name]))
    return ratio_of(
        ("end_to_end_per_second", samples.series("end_to_end", "rate")),
        (f"{best}_per_second", peers[best]),
        best_peer=best,
        **{f"{name}_rows_per_second": round(median(rates), 1) for name, rates in peers.items()},
    )


METRIC = Metric(
    id="P4",
    title="end to end ÷ the best peer doing less (upserts of the interaction row)",
    floor=1.0,
    aim=2.0,
    scenarios=("end_to_end", "debezium_sink", "quix"),
    take=_take,
)
