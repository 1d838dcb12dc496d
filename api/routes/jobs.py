"""``/api/customers/jobs``: progress and reports of the tenant's long-running work."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import Query
from pydantic import AfterValidator, Field

from api.authorization import authorized_router, require_features
from api.cursor import MAX_LENGTH, make_cursor, read_cursor
from api.instants import instant_text
from api.principal import Principal
from api.queries.jobs import STATES, failed_batches, job_by_id, job_page
from api.queries.scope import Row
from api.query_lists import one_or_more, parts_of
from api.response_models import Id, ResponseModel, Timestamp, responses_of
from api.services import ServicesDep
from schemas.errors import Reject
from schemas.values import UuidText

router = authorized_router("jobs")
_PATH: Final = "/api/customers/jobs"
VIEW: Final = "customers.jobs.view"
_MISSING: Final = "Your tenant has no such job."
_SORT: Final = ("createdAt", "desc")
_MOST_FAILURES: Final = 100
_States = Annotated[str, Field(max_length=100), AfterValidator(one_or_more(*STATES))]


class Job(ResponseModel):
    """Long-running work on the tenant's data, such as a recomputation.

    `total` is the number of source rows, `null` while it is unknown. `organizationId` is `null` for work on
    all organizations. `reason` tells why a job is paused or failed. `remainingSeconds` is an estimate.
    """

    id: Id
    kind: str
    organization_id: Id | None
    state: Literal["waiting", "running", "paused", "completed", "failed", "canceled"]
    reason: str | None
    requested_by: str | None
    total: int | None
    done: int
    rows_per_second: float | None
    remaining_seconds: float | None
    failed_batches: int
    created_at: Timestamp
    started_at: Timestamp | None
    finished_at: Timestamp | None
    updated_at: Timestamp


class FailedBatch(ResponseModel):
    """A batch of source rows that failed. It is retried when the job is resumed."""

    number: int
    rows: int
    attempts: int
    error: str | None


class JobDetail(Job):
    """A job with its first failed batches, and its report: counts and ids by kind of job, never text."""

    failures: list[FailedBatch]
    report: dict[str, Any]


class JobPage(ResponseModel):
    """One page, with ``nextCursor`` if more follow."""

    items: list[Job]
    next_cursor: str = ""


@router.get(_PATH, responses=responses_of(JobPage))
async def list_jobs(
    services: ServicesDep,
    state: Annotated[_States | None, Query(description="One or more, separated by commas.")] = None,
    kind: Annotated[str | None, Query(max_length=100, pattern=r"^[^\x00]*$")] = None,
    cursor: Annotated[str | None, Query(min_length=1, max_length=MAX_LENGTH)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 25,
    principal: Principal = require_features(VIEW),
) -> dict[str, Any]:
    """Jobs of the caller's tenant in keyset pages, newest first."""
    states = parts_of(state)
    filters = {"states": states, "kind": kind}
    after = read_cursor(cursor, *_SORT, filters, datetime) if cursor is not None else None
    async with services.reads.connection() as connection:
        rows, more = await job_page(
            connection,
            principal.scope,
            states=states,
            kind=kind,
            after=after if after is not None and after.key is not None else None,
            limit=limit,
        )
    answer: dict[str, Any] = {"items": [_item(row) for row in rows]}
    if more:
        answer["nextCursor"] = make_cursor(*_SORT, filters, rows[-1]["created_at"], rows[-1]["id"])
    return answer


@router.get(_PATH + "/{job_id}", responses=responses_of(JobDetail, status_404=_MISSING))
async def get_job(
    job_id: UuidText, services: ServicesDep, principal: Principal = require_features(VIEW)
) -> dict[str, Any]:
    """One job of the caller's tenant, with its report."""
    async with services.reads.connection() as connection:
        row = await job_by_id(connection, principal.scope, job_id)
        if row is None:
            raise Reject("not_found", _MISSING, status=404)
        failures = await failed_batches(connection, principal.scope, job_id, _MOST_FAILURES)
    return {**_item(row), "failures": failures, "report": row["report"]}


def _item(row: Row) -> dict[str, Any]:
    """JSON form of a row."""
    rate, left = pace_of(row)
    return {
        "id": row["id"],
        "kind": row["kind"],
        "organizationId": row["organization_id"],
        "state": row["state"],
        "reason": row["reason"],
        "requestedBy": row["requested_by"],
        "total": row["total"],
        "done": row["done"],
        "rowsPerSecond": round(rate, 1) if rate is not None else None,
        "remainingSeconds": round(left, 1) if left is not None else None,
        "failedBatches": row["failed_batches"],
        "createdAt": instant_text(row["created_at"]),
        "startedAt": instant_text(row["started_at"]),
        "finishedAt": instant_text(row["finished_at"]),
        "updatedAt": instant_text(row["updated_at"]),
    }


def pace_of(row: Row) -> tuple[float | None, float | None]:
    """Source rows per second of the time that a job ran, and the seconds that the rest will take."""
    done, total, seconds = row["done"], row["total"], row["active_seconds"]
    rate = done / seconds if done and seconds else None
    finished = row["state"] in ("completed", "failed", "canceled")
    return rate, max(0, total - done) / rate if rate and total is not None and not finished else None
