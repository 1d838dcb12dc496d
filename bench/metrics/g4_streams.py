"""G4: event streams held at once, counted by those that are told of a change."""

from __future__ import annotations

from statistics import median

from bench.metric import Figure, Measure
from bench.samples import Samples


def _take(samples: Samples) -> Figure:
    told = samples.series("open_streams", "told")
    return Figure(
        min(told),
        {
            "seconds_until_the_last_is_told": round(median(samples.series("open_streams", "seconds")), 3),
            "kib_per_stream": round(median(samples.series("open_streams", "kib_per_stream")), 1),
            "rounds": len(told),
        },
    )


MEASURE = Measure(
    id="G4",
    title="HTTP: open event streams that are told of a change",
    floor=2000,
    aim=2000,
    arms=("open_streams",),
    take=_take,
)
