"""C1: p99 of confirmed POSTs while the provider hangs ÷ while it responds and everything is mirrored."""

from __future__ import annotations

from bench.arithmetic import median
from bench.metric import Figure, Metric
from bench.ratio import ratio_of
from bench.samples import Samples


def _take(samples: Samples) -> Figure:
    down = [value * 1e3 for value in samples.series("writes_provider_down", "p99")]
    up = [value * 1e3 for value in samples.series("writes_provider_up", "p99")]
    return ratio_of(
        ("hung_p99_ms", down),
        ("answering_p99_ms", up),
        hung_p50_ms=round(median(samples.series("writes_provider_down", "p50")) * 1e3, 1),
        answering_p50_ms=round(median(samples.series("writes_provider_up", "p50")) * 1e3, 1),
        without_sync_p99_ms=round(median(samples.series("confirmed_post", "p99")) * 1e3, 1),
        waiting_while_hung=median(samples.series("writes_provider_down", "waiting")),
    )


METRIC = Metric(
    id="C1",
    title="Sync: p99 of a confirmed POST with a hung provider ÷ with a responding one",
    floor=1.1,
    aim=1.0,
    upper=True,
    scenarios=("confirmed_post", "writes_provider_up", "writes_provider_down"),
    take=_take,
)
