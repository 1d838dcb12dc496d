"""G1 and G2: confirmed POST ÷ plain insert of the same row, at 50 requests per second: p50 and p99."""

from __future__ import annotations

from bench.metric import Figure, Metric
from bench.ratio import ratio_of
from bench.samples import Samples


def _take(samples: Samples, figure: str) -> Figure:
    ours = [value * 1e3 for value in samples.series("confirmed_post", figure)]
    plain = [value * 1e3 for value in samples.series("plain_post", figure)]
    return ratio_of((f"confirmed_{figure}_ms", ours), (f"plain_{figure}_ms", plain))


P50 = Metric(
    id="G1",
    title="HTTP: p50 of a confirmed POST ÷ a plain FastAPI + psycopg insert, 50/s",
    floor=3.0,
    aim=2.0,
    upper=True,
    scenarios=("confirmed_post", "plain_post"),
    take=lambda samples: _take(samples, "p50"),
)
P99 = Metric(
    id="G2",
    title="HTTP: p99 of a confirmed POST ÷ a plain FastAPI + psycopg insert, 50/s",
    floor=5.0,
    aim=3.0,
    upper=True,
    scenarios=("confirmed_post", "plain_post"),
    take=lambda samples: _take(samples, "p99"),
)
