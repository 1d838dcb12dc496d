"""C2: p99 of a healthy integration's change beside three hostile ones ÷ alone."""

from __future__ import annotations

from bench.arithmetic import percentile, ratios, spread
from bench.metric import Figure, Measure
from bench.samples import Samples


def _take(samples: Samples) -> Figure:
    # A round has too few changes for a 99th percentile of its own, so those of all rounds count together.
    beside = _together(samples, "changes_beside_hostile")
    alone = _together(samples, "changes_alone")
    rounds = [samples.series(arm, "p99") for arm in ("changes_beside_hostile", "changes_alone")]
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
                for arm in ("changes_alone", "changes_beside_hostile")
                for value in samples.series(arm, "refused_by_limit")
            ),
        },
    )


def _together(samples: Samples, arm: str) -> list[float]:
    return [seconds for sample in samples.all(arm) for seconds in sample["seconds"]]


MEASURE = Measure(
    id="C2",
    title="Sync: p99 of a healthy integration's change beside three hostile ones ÷ alone",
    floor=1.5,
    aim=1.1,
    upper=True,
    arms=("changes_alone", "changes_beside_hostile"),
    take=_take,
)
