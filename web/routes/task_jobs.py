"""``/backend/customer-tasks/all``: one action on all tasks that match, as a job with progress."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from api.authorization import require_features
from api.bulk_jobs import (
    BULK,
    BulkOrder,
    bulk_job_id,
    cancel_bulk,
    other_content,
    refuse_under_guards,
    start_bulk,
)
from api.principal import Principal
from api.queries.interaction_list import interactions_by_id
from api.queries.jobs import job_by_id
from api.queries.scope import Connection, Row
from api.queries.task_list import task_counts
from api.routes.jobs import VIEW, pace_of
from api.services import ServicesDep
from schemas.errors import Reject
from schemas.values import UuidText
from sinks.task_filter import TaskSelection
from web.dictionary import Types, types_of
from web.page_route import page_router, target_of
from web.rendering import render
from web.routes.task_actions import changes_of
from web.routes.tasks import PATH, filtered, filters_of, group_of, kept_of, ranges_of
from web.snooze import day_of
from web.submission import submission_of
from web.viewer import Viewer, viewer_of

router = page_router()
ALL: Final = PATH + "/all"
_ACTIONS: Final = ("complete", "snooze", "reassign", "cancel")
#: A job that waits for longer is said to wait for the jobs role.
_PROMPT: Final = timedelta(seconds=15)


@router.get(ALL)
async def choose(
    request: Request, services: ServicesDep, principal: Principal = require_features("customers.edit")
) -> Response:
    """The number of tasks that match, and the form that confirms it with an action."""
    refuse_under_guards(services)
    viewer = viewer_of(request, principal)
    async with services.reads.connection() as connection:
        types = await types_of(connection, principal.scope)
        count, _ = await _matching(request, viewer, types, connection)
    return render(
        "task_job_form.html",
        viewer,
        back=target_of(request),
        list_path=filtered(PATH, request),
        action=filtered(ALL, request),
        count=count,
        group=group_of(request),
        kept=kept_of(request),
        types=types,
    )


@router.post(ALL)
async def start(
    request: Request, services: ServicesDep, principal: Principal = require_features("customers.edit")
) -> Response:
    """Start the job, if as many tasks match as the form said."""
    refuse_under_guards(services)
    form = await submission_of(request, principal)
    action = form.text("do") or ""
    if action not in _ACTIONS:
        raise Reject("nothing_chosen", "Choose an action.")
    choice = form.text("choice" if action == "snooze" else "owner") or ""
    changes = changes_of(form, action, choice)
    if "snooze" in changes:
        days = form.viewer.days
        changes = {"day": day_of(changes["snooze"], days).isoformat(), "zone": days.zone.key}
    job_id = bulk_job_id(principal, form.key)
    shown = RedirectResponse(filtered(f"{ALL}/{job_id}", request), 303)
    async with services.reads.connection() as connection:
        job = await job_by_id(connection, principal.scope, job_id)
        if job is not None and job["action"] != action:
            raise other_content()
        if job is not None:
            return shown  # the form was sent twice
        types = await types_of(connection, principal.scope)
        count, selection = await _matching(request, form.viewer, types, connection)
    if count != form.integer("count"):
        words = form.viewer.language
        raise Reject("count_changed", words.text("bulk.count_changed", n=count), status=409)
    order = BulkOrder(
        action=action,
        selection=selection,
        count=count,
        changes=changes,
        confirmed_at=form.viewer.days.now,
    )
    await start_bulk(services, principal, order, form.key)
    return shown


@router.get(ALL + "/{job_id}")
async def progress(
    job_id: UuidText,
    request: Request,
    services: ServicesDep,
    principal: Principal = require_features("customers.view"),
) -> Response:
    """Progress and outcome of a job, with the tasks that were refused."""
    viewer = viewer_of(request, principal)
    async with services.reads.connection() as connection:
        job = await _job(connection, principal, job_id)
        samples: dict[str, list[str]] = job["report"].get("samples", {})
        ids = [it for found in samples.values() for it in found]
        rows = await interactions_by_id(connection, principal.scope, ids)
        types = await types_of(connection, principal.scope)
    rate, left = pace_of(job)
    return render(
        "task_job.html",
        viewer,
        back=target_of(request),
        list_path=filtered(PATH, request),
        job=job,
        tasks=job["report"].get("tasks", {}),
        rejected=job["report"].get("rejected", {}),
        samples={code: [(it, rows.get(it)) for it in found] for code, found in samples.items()},
        types=types,
        rate=rate,
        left=left,
        open=job["state"] in ("waiting", "running", "paused"),
        slow=job["state"] == "waiting" and viewer.days.now - job["created_at"] > _PROMPT,
        own=job["requested_by"] == principal.subject,
    )


@router.post(ALL + "/{job_id}")
async def cancel(
    job_id: UuidText,
    request: Request,
    services: ServicesDep,
    principal: Principal = require_features("customers.edit"),
) -> Response:
    """Stop the viewer's own job. What it has done stays done."""
    form = await submission_of(request, principal)
    async with services.reads.connection() as connection:
        job = await _job(connection, principal, job_id)
    if job["requested_by"] != principal.subject:
        raise Reject("not_own_job", "Only the person who started this work can stop it here.", status=403)
    await cancel_bulk(services, job_id)
    return form.back()


async def _matching(
    request: Request, viewer: Viewer, types: Types, connection: Connection
) -> tuple[int, TaskSelection]:
    """The selection of the address, and the number of its tasks."""
    group, ranges = group_of(request), ranges_of(viewer)
    filters = filters_of(request, viewer.principal, types)
    counts: dict[str, int] = await task_counts(connection, viewer.principal.scope, filters, ranges)
    if group is None:
        return sum(counts.values()), TaskSelection(filters=filters)
    range_ = ranges[group.value]
    if range_ is None:
        return counts[group.value], TaskSelection(filters=filters, dated=False)
    return counts[group.value], TaskSelection(filters=filters, dated=True, range_=range_)


async def _job(connection: Connection, principal: Principal, job_id: str) -> Row:
    """A job of the viewer, or one that they may see.

    :raises Reject: there is none.
    """
    job = await job_by_id(connection, principal.scope, job_id)
    own = job is not None and (job["requested_by"] == principal.subject or principal.has(VIEW))
    if job is None or job["kind"] != BULK or not own:
        raise Reject("job_not_found", "There is no such work.", status=404)
    return job
