"""Latencies at a fixed rate, in units of a Kafka transaction on the idle broker."""

from __future__ import annotations

from collections.abc import Callable

from bench.arithmetic import median, ratios, spread
from bench.metric import Figure
from bench.samples import Samples


def over_idle_transaction(what: str) -> Callable[[Samples], Figure]:
    """Figure of one latency.

    :param what: ``event`` or ``outcome``.
    """

    def take(samples: Samples) -> Figure:
        runs = samples.all("fixed_load")
        found = ratios(
            samples.series("fixed_load", f"{what}_p99"), samples.series("fixed_load", "transaction_p99")
        )
        times = [
            *(f"{kind}_{tail}" for kind in (what, "transaction") for tail in ("p50", "p99")),
            "publisher_late_p99",
        ]
        return Figure(
            median(found),
            {
                **{f"{name}_ms": round(median(float(run[name]) for run in runs) * 1e3, 2) for name in times},
                "per_second": round(median(float(run["pace"]) for run in runs), 1),
                "samples": sum(int(run["samples"]) for run in runs),
                "spread": [round(value, 2) for value in spread(found)],
                "rounds": len(found),
            },
        )

    return take
