"""A job as JSON, and as lines for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from rich.markup import escape

from cli.relative_times import relative
from schemas.instants import format_instant

if TYPE_CHECKING:
    from sinks.jobs.schedules import Schedule
    from sinks.jobs.store import Job

#: Colours of the states on a terminal; the word is always shown, too.
COLOURS: Final = {
    "waiting": "dim",
    "running": "cyan",
    "paused": "yellow",
    "completed": "green",
    "failed": "red",
    "canceled": "dim",
}
#: Kinds of jobs whose reports have views of their own.
OWN_VIEWS: Final = ("backfill", "parity")
_MOST_ITEMS: Final = 20


@dataclass(frozen=True, slots=True)
class Batches:
    """Batches of a job: all, the failed ones, and the first of these (number, rows, attempts, error)."""

    count: int = 0
    failed: int = 0
    first_failed: tuple[tuple[int, int, int, str], ...] = ()


def rate_of(job: Job) -> float | None:
    """Rows per second of the time that the job ran; ``None`` before the first row."""
    return job.done / job.active_seconds if job.done and job.active_seconds else None


def job_json(job: Job, batches: Batches) -> dict[str, Any]:
    """JSON form: camelCase names, RFC 3339 instants."""
    rate, remaining = rate_of(job), job.remaining_seconds
    return {
        "id": job.id,
        "kind": job.kind,
        "tenantId": job.tenant_id,
        "organizationId": job.organization_id,
        "state": job.state,
        "reason": job.reason,
        "requestedBy": job.requested_by,
        "total": job.total,
        "done": job.done,
        "rowsPerSecond": round(rate, 1) if rate is not None else None,
        "remainingSeconds": round(remaining, 1) if remaining is not None else None,
        "activeSeconds": round(job.active_seconds, 1),
        "batches": batches.count,
        "failedBatches": batches.failed,
        "failures": [
            {"number": number, "rows": rows, "attempts": attempts, "error": error}
            for number, rows, attempts, error in batches.first_failed
        ],
        "settings": job.settings,
        "report": job.report,
        "createdAt": format_instant(job.created_at),
        "startedAt": format_instant(job.started_at) if job.started_at else None,
        "finishedAt": format_instant(job.finished_at) if job.finished_at else None,
        "updatedAt": format_instant(job.updated_at),
    }


def schedule_json(schedule: Schedule) -> dict[str, Any]:
    """JSON form of a schedule."""
    instants = {
        "dueAt": schedule.due_at,
        "startedAt": schedule.started_at,
        "finishedAt": schedule.finished_at,
    }
    return {
        "name": schedule.name,
        **{name: format_instant(moment) if moment else None for name, moment in instants.items()},
        "running": schedule.running,
        "outcome": schedule.outcome,
        "result": schedule.result,
    }


def state_text(job: Job) -> str:
    """State with its colour as console markup."""
    return f"[{COLOURS[job.state]}]{job.state}[/{COLOURS[job.state]}]"


def progress_text(job: Job) -> str:
    """``1,200 of 5,000 (24 %)``; without a percentage while the total is unknown."""
    if job.total is None:
        return f"{job.done:,}" if job.done else "–"
    if not job.total:
        return "nothing to do"
    return f"{job.done:,} of {job.total:,} ({min(100, int(100 * job.done / job.total))} %)"


def detail_lines(job: Job, batches: Batches) -> Iterator[str]:
    """Lines with console markup: state, progress, reason, failed batches and report."""
    scope = f"tenant {job.tenant_id}" if job.tenant_id else "all tenants"
    yield f"[bold]{escape(job.kind)}[/bold] {job.id} ({scope}): {state_text(job)}"
    if job.reason:
        yield f"  {escape(job.reason)}"
    rate, remaining = rate_of(job), job.remaining_seconds
    pace = f", {rate:,.0f} rows/s" if rate is not None else ""
    left = f", about {duration(remaining)} left" if remaining is not None and job.state == "running" else ""
    yield f"  progress: {progress_text(job)}{pace}{left}"
    now = datetime.now(UTC)
    times = {"created": job.created_at, "started": job.started_at, "finished": job.finished_at}
    shown = [f"{name} {relative(moment, now)}" for name, moment in times.items() if moment is not None]
    yield f"  {', '.join(shown)}"
    if batches.failed:
        yield f"  [red]{batches.failed} of {batches.count} batches failed[/red]; a resumed job retries them"
    for number, rows, attempts, error in batches.first_failed:
        yield f"    batch {number} ({rows} rows, {attempts} attempts): {escape(error)}"
    for name, value in _flat(job.report) if job.kind not in OWN_VIEWS else ():
        yield f"  {escape(name)}: {escape(value)}"


def duration(seconds: float) -> str:
    """``45 s``, ``12 min``, ``3.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _flat(report: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in report.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        elif isinstance(value, list):
            yield f"{prefix}{name}", str(len(value))
            for item in value[:_MOST_ITEMS]:
                pairs = item.items() if isinstance(item, Mapping) else [("", item)]
                yield "  –", ", ".join(f"{key} {each}".strip() for key, each in pairs if each is not None)
        else:
            yield f"{prefix}{name}", f"{value:,}" if isinstance(value, int) else str(value)
