"""``interactions retention``: how long rows are kept and why, and removal of what is older."""

from __future__ import annotations

import json
import math
import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from cli.console import console, table
from cli.jobs.commands import database
from runtime.settings import load_settings
from sinks.retention_policy import require_safe

if TYPE_CHECKING:
    from streams.jobs.retention import RetentionPlan

_EXAMPLES = """
[bold]Examples[/bold]

  interactions retention show

  interactions retention apply --dry-run

  INTERACTIONS_RETENTION_JOURNAL_DAYS=200 interactions retention apply --json
"""
_SHOW_HELP = (
    "Show each policy with its floor, and what would go now.\n\n"
    "Months of the journal are dropped whole. Afterwards a command id of that month is unknown: the same "
    "command is applied once more, and its undo is rejected.\n\n"
    "Exit status: 0 all policies are safe; 1 one is below its floor."
)
_APPLY_HELP = (
    "Remove what the policies allow. The jobs role does the same once a day.\n\n"
    "A policy below its floor is refused, and nothing is removed. A month of the journal that something "
    "still needs is kept. While another process applies retention, nothing is done.\n\n"
    "Exit status: 0 done; 1 a month was in use and is left to the next run; 2 a policy is below its floor."
)
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def register(app: typer.Typer) -> None:
    """Add ``retention``."""
    group = typer.Typer(
        name="retention",
        help="Show how long rows are kept, and remove what is older.",
        epilog=_EXAMPLES,
        no_args_is_help=True,
    )
    group.command("show", help=_SHOW_HELP)(show)
    group.command("apply", help=_APPLY_HELP)(apply)
    app.add_typer(group)


def show(*, as_json: AsJson = False) -> None:
    """Show the policies, and what would go now."""
    plan = _plan()
    if as_json:
        _print_plan_json(plan)
    else:
        _print_plan(plan)
    if any(policy.refused for policy in plan.policies):
        raise typer.Exit(1)


def apply(
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would go, and change nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Remove what the policies allow."""
    from streams.jobs.retention import apply_retention

    if dry_run:
        plan = _plan()
        require_safe(plan.policies)
        if as_json:
            _print_plan_json(plan)
        else:
            _print_plan(plan)
        return
    with database() as connection:
        removed = apply_retention(connection, load_settings(), lambda: None, time.sleep)
    if removed is None:
        notes = Console(stderr=True, highlight=False)
        notes.print("Another process applies retention at the moment. Nothing was done.")
        return
    if as_json:
        sys.stdout.write(json.dumps(removed.to_json()) + "\n")
    else:
        for name in removed.months:
            console().print(f"{name} dropped")
        for setting, rows in removed.rows.items():
            if rows:
                console().print(f"{rows:,} rows removed ({setting})")
        for name in removed.busy:
            console().print(f"[yellow]{name} is in use[/yellow] by a transaction that stays open; it is kept")
        if not removed.months and not removed.busy and not any(removed.rows.values()):
            console().print("There is nothing to remove.")
    if removed.busy:
        raise typer.Exit(1)


def _plan() -> RetentionPlan:
    from streams.jobs.retention import plan_retention

    with database() as connection:
        return plan_retention(connection, load_settings())


def _print_plan_json(plan: RetentionPlan) -> None:
    from streams.jobs.retention import plan_json

    sys.stdout.write(json.dumps(plan_json(plan)) + "\n")


def _print_plan(plan: RetentionPlan) -> None:
    rows = {it.policy.setting: it for it in plan.rows}
    shown = table("Retention")
    for name in ("rows", "table", "kept", "since", "floor", "go now", "table size"):
        shown.add_column(name, overflow="fold")
    for it in plan.policies:
        counted = rows.get(it.setting)
        going = [month for month in plan.months if month.drop]
        shown.add_row(
            it.subject,
            it.table,
            f"[red]{_days(it.days)}[/red]" if it.refused else _days(it.days),
            it.since,
            _days(it.floor),
            f"{counted.rows:,}" if counted is not None else f"{len(going)} months",
            _size(counted.bytes if counted is not None else sum(month.bytes for month in plan.months)),
        )
    console().print(shown)
    for it in plan.policies:
        mark = "[red]refused[/red], " if it.refused else ""
        console().print(f"{it.setting}: {mark}at least {_days(it.floor)}, because {escape(it.reason)}.")
    months = table("Months of the journal")
    for name in ("month", "rows (about)", "size", "", "why"):
        months.add_column(name)
    for month in plan.months:
        verdict = "[yellow]goes[/yellow]" if month.drop else "kept"
        months.add_row(month.name, f"{month.rows:,}", _size(month.bytes), verdict, escape(month.reason))
    console().print(months)
    topics = ", ".join(f"{name} {_days(days)}" for name, days in plan.topics.items())
    console().print(f"Retention of topics, set at the broker: {topics}.")


def _days(count: float) -> str:
    return "1 day" if count == 1 else "for good" if math.isinf(count) else f"{count:g} days"


def _size(count: int) -> str:
    """``12 MB``, in units of 1000."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
