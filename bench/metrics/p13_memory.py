"""P13: peak resident memory of an applier under load."""

from __future__ import annotations

from bench.arithmetic import median, spread
from bench.metric import Figure, Metric
from bench.samples import Samples


def _take(samples: Samples) -> Figure:
    peaks = samples.series("end_to_end", "rss_peak")
    return Figure(
        max(peaks),
        {
            "rss_after_load_mib": round(median(samples.series("end_to_end", "rss")), 1),
            "pss_after_load_mib": round(median(samples.series("end_to_end", "pss")), 1),
            "relay_rss_mib": round(median(samples.series("end_to_end", "relay_rss")), 1),
            "spread": [round(value, 1) for value in spread(peaks)],
            "rounds": len(peaks),
        },
    )


METRIC = Metric(
    id="P13",
    title="resident memory of an applier under load, peak",
    floor=200.0,
    aim=160.0,
    upper=True,
    unit="MiB",
    scenarios=("end_to_end",),
    take=_take,
)
