"""G3: p99 of list requests with a million interactions ÷ with ten thousand."""

from __future__ import annotations

from bench.metric import Figure, Metric
from bench.ratio import ratio_of
from bench.samples import Samples


def _take(samples: Samples) -> Figure:
    many = [value * 1e3 for value in samples.series("list_pages", "many_p99")]
    few = [value * 1e3 for value in samples.series("list_pages", "few_p99")]
    return ratio_of(("many_p99_ms", many), ("few_p99_ms", few))


METRIC = Metric(
    id="G3",
    title="HTTP: p99 of lists, 1 million interactions ÷ 10 thousand",
    floor=1.5,
    aim=1.2,
    upper=True,
    scenarios=("list_pages",),
    take=_take,
)
