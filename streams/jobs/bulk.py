"""One action on all tasks of a selection: a command per task, on behalf of the person who confirmed it."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from domain.snooze import moved_to
from runtime import crash_points
from schemas.identity import derive_id
from schemas.instants import format_instant
from schemas.payloads import COMPLETE, PREFIX
from sinks.jobs.outcomes import Outcome
from sinks.jobs.tasks import Task, tasks_after
from sinks.task_filter import selection_of
from streams.jobs.batch_size import BatchSize
from streams.jobs.commands import JobCommand
from streams.jobs.context import JobContext
from streams.jobs.paced import PacedCommands

#: Action → its command.
_TYPES: Final = {
    "complete": COMPLETE,
    "cancel": f"{PREFIX}interaction.cancel",
    "snooze": f"{PREFIX}interaction.update",
    "reassign": f"{PREFIX}interaction.update",
}
#: Most commands of a batch, which the cursor holds until their outcomes are counted.
_BATCH: Final = 500
#: Tasks per query; each query reads all that still match.
_READ_AHEAD: Final = 5000
#: Refused tasks that the report names, per error code.
_SAMPLES: Final = 20


def bulk(context: JobContext) -> None:
    """Act on the tasks in the order of their ids, on no more than were confirmed.

    The cursor holds the batch that is being sent. A batch that is repeated after a crash has the same
    commands, so its outcomes are those that it had, and each task is counted once. The report counts applied,
    unchanged and rejected commands, and names some of the rejected tasks by error code.
    """
    job, settings = context.job, context.job.settings
    assert job.tenant_id is not None
    assert job.organization_id is not None
    scope, selection = (job.tenant_id, job.organization_id), selection_of(settings["selection"])
    confirmed_at, confirmed = datetime.fromisoformat(settings["confirmedAt"]), settings["count"]
    commands = PacedCommands(context, BatchSize(maximum=_BATCH))
    after = (context.cursor or {}).get("after")
    batch = (context.cursor or {}).get("batch", [])
    ahead: deque[Task] = deque()
    while True:
        context.proceed()
        if not batch:
            size = min(commands.rows, confirmed - context.done)
            if size > 0 and not ahead:
                ahead += tasks_after(
                    context.connection,
                    scope,
                    selection,
                    created_until=confirmed_at,
                    after=after,
                    limit=_READ_AHEAD,
                )
            batch = [_entry(settings, ahead.popleft()) for _ in range(min(size, len(ahead)))]
            if not batch:
                context.save(total=context.done)
                return
            context.save(cursor={"after": after, "batch": batch})
        outcomes = commands.run([_command(context, entry) for entry in batch], actor=job.requested_by)
        crash_points.reach("bulk-before-count")
        after = batch[-1]["id"]
        report = _counted(context.report, {it["id"]: outcomes[_command_id(job.id, it["id"])] for it in batch})
        context.save(cursor={"after": after}, done=context.done + len(batch), report=report)
        batch = []
        context.take_turns()
        commands.pause()


def _counted(report: Mapping[str, Any], outcomes: Mapping[str, Outcome]) -> dict[str, Any]:
    """Add the outcomes of a batch, by the id of the task."""
    tasks = Counter(report.get("tasks", {}))
    rejected = Counter(report.get("rejected", {}))
    samples = {code: list(ids) for code, ids in report.get("samples", {}).items()}
    for interaction_id, (outcome, code) in outcomes.items():
        tasks[outcome] += 1
        if outcome == "rejected":
            rejected[code or "unknown"] += 1
            named = samples.setdefault(code or "unknown", [])
            if len(named) < _SAMPLES:
                named.append(interaction_id)
    return {"tasks": dict(tasks), "rejected": dict(rejected), "samples": samples}


def _entry(settings: Mapping[str, Any], task: Task) -> dict[str, Any]:
    """Everything that the command of a task follows from, as JSON."""
    entry: dict[str, Any] = {"id": task.id, "entityId": task.entity_id}
    if settings["action"] == "snooze":
        day, zone = date.fromisoformat(settings["day"]), ZoneInfo(settings["zone"])
        moment = moved_to(day, task.scheduled_at, zone, datetime.fromisoformat(settings["confirmedAt"]))
        entry["scheduledAt"] = format_instant(moment)
    if settings["action"] in ("snooze", "reassign"):
        # A task that was completed meanwhile keeps its date and its owner.
        entry["version"] = task.version
    return entry


def _command(context: JobContext, entry: Mapping[str, Any]) -> JobCommand:
    job, settings = context.job, context.job.settings
    assert job.tenant_id is not None
    assert job.organization_id is not None
    data = {"id": entry["id"]}
    if settings["action"] == "snooze":
        data["scheduledAt"] = entry["scheduledAt"]
    if settings["action"] == "reassign":
        data["ownerUserId"] = settings["ownerUserId"]
    return JobCommand(
        type=_TYPES[settings["action"]],
        command_id=_command_id(job.id, entry["id"]),
        tenant_id=job.tenant_id,
        organization_id=job.organization_id,
        entity_id=entry["entityId"],
        data=data,
        expected_version=entry.get("version"),
    )


def _command_id(job_id: str, interaction_id: str) -> str:
    return derive_id("bulk", job_id, interaction_id)
