"""Line of `interactions status` on the reconciler of projections, and on recurring work that is late."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runtime.settings import Settings, load_settings

if TYPE_CHECKING:
    from sinks.jobs.schedules import Schedule


def read_schedules() -> list[Schedule] | None:
    """Read the schedules; ``None`` when the database is unavailable or has no such table."""
    from runtime.postgres import connect
    from sinks.jobs.schedules import list_schedules

    try:
        settings: Settings = load_settings()
        with connect(settings, application_name="interactions-status", autocommit=True) as connection:
            return list_schedules(connection)
    except Exception:  # noqa: BLE001 - show the rest; the roles report unavailable servers themselves
        return None


def recurring_lines(schedules: list[Schedule] | None, *, jobs_run: bool) -> list[str]:
    """Lines for a console, with its markup.

    :param jobs_run: a process of the role jobs runs in this stack.
    """
    if schedules is None:
        return []
    if not schedules and not jobs_run:
        return ["[dim]projections: not reconciled; no process of the role jobs runs[/dim]"]
    lines = [_projections(it) for it in schedules if it.name == "reconcile"]
    for it in schedules:
        if ":" in it.name:
            continue  # of an integration, which may be paused; the stalls tell what is late
        if it.outcome == "failed":
            reason = (it.result or {}).get("reason") or "see its log"
            lines.append(f"[red]{it.name}: the last run failed[/red]: {reason}")
        elif not it.running and it.late_seconds > 300:
            lines.append(f"[yellow]{it.name}: due since {it.late_seconds / 60:.0f} min[/yellow]")
    return lines


def recurring_json(schedules: list[Schedule] | None) -> dict[str, Any] | None:
    """Build the member of the JSON output: the last run of the reconciler by its counts."""
    for it in schedules or ():
        if it.name == "reconcile":
            report = (it.result or {}).get("report", {})
            return {
                "running": it.running,
                "outcome": it.outcome,
                "finishedSecondsAgo": it.finished_seconds,
                **{name: report.get(name) for name in ("compared", "drifts", "repaired", "unrepaired")},
            }
    return None


def _projections(it: Schedule) -> str:
    if it.running:
        return "projections: being compared now"
    if it.outcome != "completed" or it.finished_seconds is None:
        return "[yellow]projections: not compared yet[/yellow]"
    report, age = (it.result or {}).get("report", {}), f"{it.finished_seconds / 60:.0f} min ago"
    compared, drifts = report.get("compared", 0), report.get("drifts", 0)
    if report.get("unrepaired"):
        return f"[red]projections: {report['unrepaired']} are wrong after their repair[/red] ({age})"
    if drifts:
        return f"[yellow]projections: {drifts} of {compared} were wrong and are repaired[/yellow] ({age})"
    return f"[green]projections: no drift[/green]; {compared} customers compared {age}"
