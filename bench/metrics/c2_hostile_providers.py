"""C2: p99 of a healthy integration's changes next to three hostile ones ÷ alone."""

from __future__ import annotations

from bench.arithmetic import percentile, ratios, spread
from bench.metric import Figure, Metric
from bench.samples import Samples


def _take(samples: Samples) -> Figure:
    # One round has too few changes for a 99th percentile, so all rounds are pooled.
    beside = _pooled(samples, "changes_beside_hostile")
    alone = _pooled(samples, "changes_alone")
    rounds = [samples.series(scenario, "p99") for scenario in ("changes_beside_hostile", "changes_alone")]
    pairs = min(map(len, rounds))
    found = ratios(rounds[0][:pairs], rounds[1][:pairs])
    return Figure(
        percentile(beside, 0.99) / percentile(alone, 0.99),
        {
            "beside_p99_ms": round(percentile(beside, 0.99) * 1e3, 1),
            "alone_p99_ms": round(percentile(alone, 0.99) * 1e3, 1),
            "beside_p50_ms": round(percentile(beside, 0.5) * 1e3, 1),
            "alone_p50_ms": round(percentile(alone, 0.5) * 1e3, 1),
            "spread": [round(value, 3) for value in spread(found)],
            "rounds": pairs,
            "changes_per_side": min(len(beside), len(alone)),
            "hostile_connections": sum(
                map(int, samples.series("changes_beside_hostile", "hostile_connections"))
            ),
            "refused_by_limit": sum(
                int(value)
                for scenario in ("changes_alone", "changes_beside_hostile")
                for value in samples.series(scenario, "refused_by_limit")
            ),
        },
    )


def _pooled(samples: Samples, scenario: str) -> list[float]:
    return [seconds for sample in samples.all(scenario) for seconds in sample["seconds"]]


METRIC = Metric(
    id="C2",
    title="Sync: p99 of a healthy integration's changes next to three hostile ones ÷ alone",
    floor=1.5,
    aim=1.1,
    upper=True,
    scenarios=("changes_alone", "changes_beside_hostile"),
    take=_take,
)
