"""The backfill: all legacy rows in batches, then the failed batches once more."""

from __future__ import annotations

import time
from typing import Any, Final

from schemas.identity import derive_id
from sinks.backfill import count_rows, legacy_tenants, mark_changed, syncing_tenants
from sinks.columns import LEAST_ID
from sinks.jobs.batches import Batch, count_failed, failed_batches, record_batch
from sinks.jobs.store import create_job
from sinks.legacy_rows import KINDS, Kind
from streams.jobs.backfill.batch import BatchFailedError, BatchRunner, Row
from streams.jobs.backfill.report import Report, merge
from streams.jobs.backfill.todo_settings import read_jobs_settings
from streams.jobs.backfill.todo_sources import TodoSourceError, TodoSources
from streams.jobs.context import JobContext, JobFailedError, JobPausedError

#: Kinds of rows that each form of the command moves.
WHAT: Final[dict[str, tuple[Kind, ...]]] = {
    "activities": ("activity",),
    "todos": ("todo",),
    "interactions": ("interaction",),
    "all": KINDS,
}
#: Share of failed batches above which the job pauses, once there are enough batches to tell.
_FAILED_SHARE: Final = 0.05
_ENOUGH_BATCHES: Final = 20


def backfill(context: JobContext) -> None:
    """Move the rows of the job's tenant, or of all tenants; resume behind the last stored batch.

    A crash repeats at most one batch, and a repeated command is a duplicate. At the end a parity check is
    requested.
    """
    settings = context.job.settings
    kinds = WHAT[settings["what"]]
    dry = bool(settings.get("dryRun"))
    tenants = legacy_tenants(context.connection, context.job.tenant_id)
    if not dry and (syncing := syncing_tenants(context.connection, tenants)):
        raise JobPausedError(
            f"External sync is on for {len(syncing)} of the tenants, such as {syncing[0]}. Providers would"
            " get each row. Turn customers.interactions.external-sync off, and resume."
        )
    if context.total is None:
        context.save(total=sum(count_rows(context.connection, kind, context.job.tenant_id) for kind in kinds))
    if not dry and context.cursor is None:
        mark_changed(context.connection, tenants)
    runner = BatchRunner(context, TodoSources(context.settings, read_jobs_settings().todo_sources))
    if context.cursor is not None:
        _retry_failed(context, runner)
    _move_all(context, runner, kinds)
    if failed := _retry_failed(context, runner):
        raise JobFailedError(f"{failed} batches failed; see their reasons, and resume the job to retry them.")
    if not dry:
        create_job(
            context.connection,
            derive_id("parity", context.job.id),
            "parity",
            tenant_id=context.job.tenant_id,
            requested_by="backfill",
        )


def _move_all(context: JobContext, runner: BatchRunner, kinds: tuple[Kind, ...]) -> None:
    position: dict[str, Any] = context.cursor or {"kind": kinds[0], "after": LEAST_ID, "number": 0}
    while position["kind"] is not None:
        context.proceed()
        kind, after, number = position["kind"], position["after"], position["number"]
        began = time.monotonic()
        rows = runner.read(kind, after, limit=runner.rows)
        if rows:
            batch = Batch(
                number=number + 1, source=kind, after_key=after, last_key=rows[-1]["id"], rows=len(rows)
            )
            position = {"kind": kind, "after": batch.last_key, "number": batch.number}
            _run(context, runner, batch, rows, began, cursor=position, done=context.done + len(rows))
            _check_share(context, batch.number)
            runner.pause()
        else:
            following = kinds[kinds.index(kind) + 1 :]
            position = {"kind": following[0] if following else None, "after": LEAST_ID, "number": number}
            context.save(cursor=position)


def _retry_failed(context: JobContext, runner: BatchRunner) -> int:
    """Run the failed batches once more, each alone; return how many failed."""
    for batch in failed_batches(context.connection, context.job.id):
        context.proceed()
        began = time.monotonic()
        rows = runner.read(batch.source, batch.after_key or LEAST_ID, last=batch.last_key, limit=batch.rows)
        _run(context, runner, batch, rows, began)
    return count_failed(context.connection, context.job.id)


def _run(
    context: JobContext, runner: BatchRunner, batch: Batch, rows: list[Row], began: float, **progress: Any
) -> None:
    """Move the rows of a batch, and store its outcome together with the progress of the job."""
    report: Report = {}
    error = None
    try:
        report = runner.move(batch, rows)
    except (BatchFailedError, TodoSourceError) as failure:
        error = str(failure)
    with context.connection.transaction():
        record_batch(
            context.connection,
            context.job.id,
            batch,
            error=error,
            report=report,
            seconds=time.monotonic() - began,
        )
        context.save(**progress, report=merge(context.report, report))


def _check_share(context: JobContext, batches: int) -> None:
    failed = count_failed(context.connection, context.job.id)
    if batches >= _ENOUGH_BATCHES and failed > batches * _FAILED_SHARE:
        raise JobPausedError(
            f"{failed} of {batches} batches failed, more than {_FAILED_SHARE:.0%}. Look at their reasons,"
            " remove the cause, and resume."
        )
