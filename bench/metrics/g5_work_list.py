"""G5: p99 of the pages of the work list as it is scrolled ÷ of its first page, with 100,000 tasks."""

from __future__ import annotations

from bench.metric import Figure, Metric
from bench.ratio import ratio_of
from bench.samples import Samples


def _take(samples: Samples) -> Figure:
    later = [value * 1e3 for value in samples.series("work_list", "later_p99")]
    first = [value * 1e3 for value in samples.series("work_list", "first_p99")]
    return ratio_of(("later_p99_ms", later), ("first_p99_ms", first))


METRIC = Metric(
    id="G5",
    title="Pages: p99 of scrolling 100,000 tasks ÷ the first page of the list",
    floor=1.5,
    aim=1.2,
    upper=True,
    scenarios=("work_list",),
    take=_take,
)
