"""Jobs on all tasks of a selection: the person confirms the number, the jobs role sends the commands."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

import orjson

from api.principal import Principal
from api.queries.jobs import job_settings
from api.services import Services
from runtime.bounded_call import within
from runtime.postgres import AsyncConnection, Outage, connect
from runtime.settings import Settings
from schemas.errors import Reject, Retry
from schemas.identity import derive_id, escaped
from sinks.jobs.store import SEARCH, create_job, find_job, request_job
from sinks.task_filter import TaskSelection

BULK: Final = "bulk"
#: Longest write of a job.
_WRITE_SECONDS: Final = 5.0


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

    @property
    def content(self) -> dict[str, Any]:
        """Everything but the moment of the confirmation: the same for a repeated request."""
        selection = self.selection.as_settings()
        return {"action": self.action, "selection": selection, "count": self.count, **self.changes}

    def started_as(self, settings: dict[str, Any]) -> bool:
        """Report whether these are the settings of the job that this order started."""
        return _comparable(settings, settings) == _comparable(self.content, settings)


def _comparable(content: dict[str, Any], stored: dict[str, Any]) -> dict[str, Any]:
    """The content of an order, as JSON. A job that is over has dropped its search text (``sinks.jobs``)."""
    plain = orjson.loads(orjson.dumps({**content, "confirmedAt": None}))
    if SEARCH[-1] not in stored["selection"]["filters"]:
        plain["selection"]["filters"].pop(SEARCH[-1], None)
    return cast("dict[str, Any]", plain)


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


async def started_by(connection: AsyncConnection, principal: Principal, order: BulkOrder, key: str) -> bool:
    """Report whether this order has started its job already.

    :param key: of the request.
    :raises Reject: the key has started a job with another content (422).
    """
    settings = await job_settings(connection, principal.scope, bulk_job_id(principal, key))
    if settings is None:
        return False
    if not order.started_as(settings):
        raise other_content()
    return True


def other_content() -> Reject:
    """422: the key of a form or request has started a job with another content."""
    # draft-ietf-httpapi-idempotency-key-header-07, section 2.7
    detail = "This Idempotency-Key has started a job with another content. Nothing was started now."
    return Reject("idempotency_conflict", detail, status=422)


async def start_bulk(services: Services, principal: Principal, order: BulkOrder, key: str) -> str:
    """Create the job, unless this key has created it before; return its id.

    :param key: of the form or request.
    :raises Reject: a concurrent request with this key has started another job (422).
    :raises Retry: the database is unavailable. A repeated request with the same key is safe.
    """
    job_id = bulk_job_id(principal, key)
    await _in_time(lambda: _create(services.settings, principal, job_id, order))
    return job_id


async def cancel_bulk(services: Services, job_id: str) -> None:
    """Cancel a job. What it has done stays done.

    :raises Reject: it is over.
    :raises Retry: the database is unavailable.
    """
    await _in_time(lambda: _cancel(services.settings, job_id))


async def _in_time(write: Callable[[], None]) -> None:
    """Execute a write in a thread.

    :raises Retry: the database is unavailable or does not respond: a frozen server accepts a connection and
        never answers. The error of the client, which names the server, is not passed on.
    """
    try:
        await asyncio.to_thread(within, _WRITE_SECONDS, "the write of a job", write)
    except (Outage, Retry):
        raise Retry("The database does not respond; retry.", after=2) from None


def _create(settings: Settings, principal: Principal, job_id: str, order: BulkOrder) -> None:
    with connect(settings, application_name="interactions-gateway", autocommit=True) as connection:
        created = create_job(
            connection,
            job_id,
            BULK,
            tenant_id=principal.tenant_id,
            organization_id=principal.organization_id,
            settings={**order.content, "confirmedAt": order.confirmed_at.isoformat()},
            requested_by=principal.subject,
            total=order.count,
        )
        job = None if created else find_job(connection, job_id)
    if job is not None and not order.started_as(job.settings):
        raise other_content()


def _cancel(settings: Settings, job_id: str) -> None:
    with connect(settings, application_name="interactions-gateway", autocommit=True) as connection:
        if request_job(connection, job_id, "cancel"):
            return
        job = find_job(connection, job_id)
    if job is None or job.state != "canceled":
        raise Reject("job_over", "This work is over, so it cannot be stopped.", status=409)
