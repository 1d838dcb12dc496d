"""P8: p99 from the intended publish time to the received outcome, at half load ÷ at a tenth."""

from __future__ import annotations

from bench.arithmetic import median, ratios, spread
from bench.metric import Figure, Metric
from bench.samples import Samples


def _take(samples: Samples) -> Figure:
    half, tenth = samples.all("half_load"), samples.all("tenth_load")
    found = ratios(samples.series("half_load", "outcome_p99"), samples.series("tenth_load", "outcome_p99"))
    parts = {
        f"{load}_{name}_ms": round(median(float(run[f"outcome_{name}"]) for run in runs) * 1e3, 2)
        for load, runs in (("half", half), ("tenth", tenth))
        for name in ("p50", "p99")
    }
    return Figure(
        median(found),
        {
            **parts,
            "half_per_second": round(median(float(run["pace"]) for run in half), 1),
            "tenth_per_second": round(median(float(run["pace"]) for run in tenth), 1),
            "publisher_late_p99_ms": round(median(float(run["publisher_late_p99"]) for run in half) * 1e3, 2),
            "samples": [sum(int(run["samples"]) for run in runs) for runs in (half, tenth)],
            "spread": [round(value, 2) for value in spread(found)],
            "rounds": len(found),
        },
    )


METRIC = Metric(
    id="P8",
    title="p99 publish → outcome received, half load ÷ a tenth",
    floor=3.0,
    aim=1.5,
    upper=True,
    scenarios=("capacity", "half_load", "tenth_load"),
    take=_take,
)
