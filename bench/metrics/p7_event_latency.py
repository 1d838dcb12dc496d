"""P7: p99 from commit to readable event at half load ÷ (commit p50 + acknowledgement p50)."""

from __future__ import annotations

from bench.arithmetic import median, spread
from bench.metric import Figure, Metric
from bench.samples import Samples

_TIMES = (
    "event_p50",
    "event_p99",
    "commit_p50",
    "ack_p50",
    "kafka_transaction_p50",
    "kafka_transaction_p99",
)


def _take(samples: Samples) -> Figure:
    runs = samples.all("half_load")
    found = [run["event_p99"] / (run["commit_p50"] + run["ack_p50"]) for run in runs]
    milliseconds = {f"{name}_ms": round(median(float(run[name]) for run in runs) * 1e3, 2) for name in _TIMES}
    return Figure(
        median(found),
        {
            **milliseconds,
            "half_load_per_second": round(median(float(run["pace"]) for run in runs), 1),
            "spread": [round(value, 2) for value in spread(found)],
            "rounds": len(found),
        },
    )


METRIC = Metric(
    id="P7",
    title="p99 commit → event readable ÷ (commit p50 + acknowledgement p50), half load",
    floor=10.0,
    aim=4.0,
    upper=True,
    scenarios=("capacity", "half_load"),
    take=_take,
)
