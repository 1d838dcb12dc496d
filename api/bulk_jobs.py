"""Jobs on all tasks of a selection: the person confirms the number, the jobs role sends the commands."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from api.principal import Principal
from api.services import Services
from runtime.postgres import Outage, connect
from runtime.settings import Settings
from schemas.errors import Reject, Retry
from schemas.identity import derive_id, escaped
from sinks.jobs.store import create_job, find_job, request_job
from sinks.task_filter import TaskSelection

BULK: Final = "bulk"


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkOrder:
    """An action that a person confirmed for all tasks of a selection.

    :param action: ``complete``, ``cancel``, ``snooze`` or ``reassign``.
    :param count: number of tasks that the person confirmed.
    :param changes: ``day`` and ``zone`` of a snooze, ``ownerUserId`` of a reassignment.
    :param confirmed_at: newer tasks are left out.
    """

    action: str
    selection: TaskSelection
    count: int
    changes: dict[str, Any]
    confirmed_at: datetime


def bulk_job_id(principal: Principal, key: str) -> str:
    """Id of the job that a form or request with this key creates."""
    return derive_id(
        "bulk-job", principal.tenant_id, principal.organization_id, escaped(principal.subject), escaped(key)
    )


def refuse_under_guards(services: Services) -> None:
    """Refuse jobs where guards decide each write; a job's commands do not pass them.

    :raises Reject: the gateway has such guards.
    """
    if services.mutation_guards.before:
        raise Reject(
            "guards_decide_each",
            "Guards of this installation decide each change, so no job may act on all. Act on fewer tasks.",
            status=409,
        )


async def start_bulk(services: Services, principal: Principal, order: BulkOrder, key: str) -> str:
    """Create the job, unless this key has created it before; return its id.

    :param key: of the form or request.
    :raises Retry: the database is unavailable. Nothing was started.
    """
    job_id = bulk_job_id(principal, key)
    settings = {
        "action": order.action,
        "selection": order.selection.as_settings(),
        "count": order.count,
        "confirmedAt": order.confirmed_at.isoformat(),
        **order.changes,
    }
    await asyncio.to_thread(_create, services.settings, principal, job_id, settings)
    return job_id


async def cancel_bulk(services: Services, job_id: str) -> None:
    """Cancel a job. What it has done stays done.

    :raises Reject: it is over.
    :raises Retry: the database is unavailable.
    """
    await asyncio.to_thread(_cancel, services.settings, job_id)


def _create(settings: Settings, principal: Principal, job_id: str, given: dict[str, Any]) -> None:
    try:
        with connect(settings, application_name="interactions-gateway", autocommit=True) as connection:
            create_job(
                connection,
                job_id,
                BULK,
                tenant_id=principal.tenant_id,
                organization_id=principal.organization_id,
                settings=given,
                requested_by=principal.subject,
                total=given["count"],
            )
    except Outage:
        raise Retry("The database does not respond; retry.", after=2) from None


def _cancel(settings: Settings, job_id: str) -> None:
    try:
        with connect(settings, application_name="interactions-gateway", autocommit=True) as connection:
            if request_job(connection, job_id, "cancel"):
                return
            job = find_job(connection, job_id)
    except Outage:
        raise Retry("The database does not respond; retry.", after=2) from None
    if job is None or job.state != "canceled":
        raise Reject("job_over", "This work is over, so it cannot be stopped.", status=409)
