"""``/backend/operations``: throughput, lag, the watch's verdict and the tenant's jobs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from fastapi import Request, Response

from api.authorization import require_features
from api.dead_letters.index import DeadLetterIndex
from api.letter_groups import OPERATE, visible_to
from api.letter_groups import VIEW as VIEW_LETTERS
from api.operations.samples import OUTCOMES, SAMPLE_SECONDS, Sample, per_minute
from api.principal import Principal
from api.queries.jobs import job_page
from api.queries.operations import violations_by_check, watch_progress
from api.queries.scope import Row
from api.routes.jobs import VIEW as VIEW_JOBS
from api.routes.jobs import pace_of
from api.routes.operations import VIEW, integrity
from api.services import ServicesDep
from web.charts import Chart, chart_of
from web.page_route import page_router, target_of
from web.rendering import render
from web.viewer import viewer_of

router = page_router()
PATH: Final = "/backend/operations"
_UNFINISHED: Final = ("running", "waiting", "paused")
_FINISHED: Final = ("completed", "failed", "canceled")
#: Jobs of each kind on the page.
_JOBS: Final = 20
_ENDED: Final = 5
_STALE: Final = timedelta(seconds=3 * SAMPLE_SECONDS)


@router.get(PATH)
async def operations(
    request: Request, services: ServicesDep, principal: Principal = require_features(VIEW, OPERATE)
) -> Response:
    """Figures of the last hour from the samples of this gateway. Nothing is counted for them."""
    viewer = viewer_of(request, principal)
    everything = principal.has(OPERATE)
    async with services.reads.connection() as connection:
        progress = await watch_progress(connection)
        violations = await violations_by_check(connection, principal.scope, all_tenants=everything)
        jobs: list[Row] = []
        if principal.has(VIEW_JOBS):
            for states, limit in ((_UNFINISHED, _JOBS), (_FINISHED, _ENDED)):
                rows, _ = await job_page(
                    connection, principal.scope, states=states, kind=None, after=None, limit=limit
                )
                jobs += rows
    samples = services.sampler.samples.all()
    last = samples[-1] if samples else None
    now = viewer.days.now
    return render(
        "operations.html",
        viewer,
        back=target_of(request),
        charts=charts_of(samples, now),
        last=last,
        since=samples[0].at if samples else None,
        stale=last is not None and (bool(services.sampler.unavailable) or now - last.at > _STALE),
        unavailable=services.sampler.unavailable,
        sample_seconds=SAMPLE_SECONDS,
        lag=_lag_of(last),
        verdict=integrity(progress, violations, patience=services.settings.stalled_after_seconds),
        progress=progress,
        violations=violations,
        everything=everything,
        jobs=[{"row": row, **_pace(row)} for row in jobs],
        letters=_open_letters(services.dead_letters.ready_index(), principal)
        if principal.has(VIEW_LETTERS)
        else None,
    )


def charts_of(samples: list[Sample], now: datetime) -> list[Chart]:
    """The charts of the page: rate, outcomes, lag, relay lag and batch times, per minute."""
    minutes = per_minute(samples)
    return [
        chart_of(
            "commands",
            ("commands",),
            [(it.at, [it.applied / it.seconds if it.seconds else 0.0]) for it in minutes],
            now,
        ),
        chart_of(
            "outcomes", OUTCOMES, [(it.at, [it.outcomes[name] for name in OUTCOMES]) for it in minutes], now
        ),
        chart_of("lag", ("lag",), [(it.at, [it.lag_seconds]) for it in minutes], now),
        chart_of("relay", ("relay",), [(it.at, [it.relay_seconds]) for it in minutes], now),
        chart_of("batch", ("batch",), [(it.at, [it.batch_seconds * 1000]) for it in minutes], now),
    ]


def _lag_of(last: Sample | None) -> dict[str, float]:
    """Records and seconds of all partitions, and the most records of one."""
    lags = list(last.partitions.values()) if last is not None else []
    return {
        "records": sum(lag.records for lag in lags),
        "seconds": max((lag.seconds for lag in lags), default=0.0),
        "most": max((lag.records for lag in lags), default=0),
    }


def _pace(row: Row) -> dict[str, Any]:
    rate, left = pace_of(row)
    return {"rate": rate, "left": left}


def _open_letters(index: DeadLetterIndex | None, principal: Principal) -> int | None:
    """Open dead letters; ``None`` while they are still being read."""
    return index.counts(visible_to(principal))["open"] if index is not None else None
