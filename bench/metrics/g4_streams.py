"""G4: concurrent event streams, counted by those that are notified of a change."""

from __future__ import annotations

from statistics import median

from bench.metric import Figure, Metric
from bench.samples import Samples


def _take(samples: Samples) -> Figure:
    notified = samples.series("open_streams", "notified")
    return Figure(
        min(notified),
        {
            "seconds_until_last_notified": round(median(samples.series("open_streams", "seconds")), 3),
            "kib_per_stream": round(median(samples.series("open_streams", "kib_per_stream")), 1),
            "rounds": len(notified),
        },
    )


METRIC = Metric(
    id="G4",
    title="HTTP: open event streams notified of a change",
    floor=2000,
    aim=2000,
    scenarios=("open_streams",),
    take=_take,
)
