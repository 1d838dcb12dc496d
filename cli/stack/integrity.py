"""Line of `interactions status` on the integrity of the stored rows, as the watch found it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pydantic.alias_generators import to_camel

from runtime.settings import Settings, load_settings

if TYPE_CHECKING:
    from sinks.integrity.report import IntegrityReport


def read_integrity() -> IntegrityReport | None:
    """Read the state of the checks; ``None`` when the database is unavailable or has no such tables."""
    from runtime.postgres import connect
    from sinks.integrity.report import integrity_report

    try:
        settings: Settings = load_settings()
        with connect(settings, application_name="interactions-status", autocommit=True) as connection:
            return integrity_report(connection)
    except Exception:  # noqa: BLE001 - show the rest; the roles report unavailable servers themselves
        return None


def is_problem(report: IntegrityReport | None, *, watched: bool, patience: float) -> bool:
    """Return whether an operator has to act: a violation, or a watch that makes no progress.

    :param watched: a watch runs in this stack.
    :param patience: seconds without progress after which it is stalled.
    """
    if report is None:
        return False
    return bool(report.violations) or (watched and _stalled(report, patience))


def integrity_lines(report: IntegrityReport | None, *, watched: bool, patience: float) -> list[str]:
    """Lines for a console, with its markup.

    :param watched: as for :func:`is_problem`; likewise ``patience``.
    """
    if report is None:
        return []
    if report.violations:
        counts = ", ".join(f"{check} {count}" for check, count in report.violations.items())
        total = sum(report.violations.values())
        noun = "violation" if total == 1 else "violations"
        first = [
            f"[red]{it['check']}[/red] {it['subject']} {it['subjectId']}: {it['what']}" for it in report.first
        ]
        advice = "See `interactions audit`, and 'The watch' in docs/operations.md."
        return [f"[red]integrity: {total} {noun}[/red] ({counts}). {advice}", *first]
    if not watched:
        return ["[dim]integrity: not watched; no process of the role watch runs[/dim]"]
    if _stalled(report, patience):
        idle = report.idle_seconds
        since = "has not begun" if idle is None else f"has not moved for {idle:.0f} s"
        return [f"[red]integrity: the watch {since}[/red]; its log says why"]
    if report.checked_seconds is None:
        return ["[yellow]integrity: no violation so far; the first sweep is not complete[/yellow]"]
    return [
        f"[green]integrity: no violation[/green]; everything checked within {report.checked_seconds:.0f} s"
    ]


def integrity_json(report: IntegrityReport | None) -> dict[str, Any] | None:
    """Build the member of the JSON output."""
    return None if report is None else {to_camel(name): value for name, value in asdict(report).items()}


def _stalled(report: IntegrityReport, patience: float) -> bool:
    return report.idle_seconds is None or report.idle_seconds > patience
