"""`interactions status`: processes, their lag, stalled work, and the integrity of the stored rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from cli.stack.integrity import integrity_json, integrity_lines, is_problem, read_integrity
from cli.stack.recurring import read_schedules, recurring_json, recurring_lines
from cli.stack.role_health import not_ready
from cli.stack.view import process_table
from runtime.health import Stall
from runtime.running_stack import RunningStack, read_running_stack
from runtime.settings import Settings, load_settings, read_settings

EXAMPLES = """
[bold]Examples[/bold]

  interactions status                        a table

  interactions status --json | jq '.stalls[].reason'

  interactions status --json | jq .integrity

[bold]Exit codes[/bold]

  0 all processes are running and ready, no work is stalled and no row is wrong, 1 otherwise, 2 no stack is
  running

[bold]Lag[/bold]

  applier: commands not applied yet, including those in open transactions; relay: events not published yet;
  timers: due and overdue marks not published yet; watch: journal entries not compared with their rows yet
"""


def _core_stalls(settings: Settings) -> list[Stall]:
    # Imported late: the Kafka client is slow to load, and most of this command does not need it.
    from streams.stalls import core_stalls

    return core_stalls(settings)


def _sync_stalls(settings: Settings) -> list[Stall]:
    from connectors.store.stalls import sync_stalls
    from runtime.postgres import connect

    with connect(settings, application_name="interactions-status", autocommit=True) as connection:
        return sync_stalls(connection, datetime.now(UTC))


#: Detectors of stalled work, one per part of the product.
STALL_SOURCES: Final[tuple[Callable[[Settings], list[Stall]], ...]] = (_core_stalls, _sync_stalls)


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command(epilog=EXAMPLES)(status)


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show each process of the stack (role, pid, state, lag), stalled work, and violations of integrity."""
    home = read_settings().home
    running = read_running_stack(home)
    if running is None:
        if as_json:
            typer.echo(json.dumps({"processes": [], "stalls": [], "integrity": None}))
        else:
            typer.echo(f"No stack is running in {home}. Start one with: interactions up --detach", err=True)
        raise typer.Exit(2)
    lag, stalls, integrity = _lag(), _stalls(), read_integrity()
    schedules = read_schedules()
    watched, jobs_run = (
        any(process.role == role for process in running.processes) for role in ("watch", "jobs")
    )
    patience = read_settings().stalled_after_seconds
    unready = {process.name: not_ready(process) for process in running.processes}
    if as_json:
        found = [asdict(stall) for stall in stalls]
        shown = {
            "processes": _rows(running, lag, unready),
            "stalls": found,
            "integrity": integrity_json(integrity),
            "projections": recurring_json(schedules),
        }
        typer.echo(json.dumps(shown))
    else:
        _show(running, lag, unready, stalls)
        console = Console(highlight=False, soft_wrap=True)
        for line in integrity_lines(integrity, watched=watched, patience=patience):
            console.print(line)
        for line in recurring_lines(schedules, jobs_run=jobs_run):
            console.print(line)
    stopped = any(process.state != "running" for process in running.processes)
    wrong = is_problem(integrity, watched=watched, patience=patience)
    if stopped or any(unready.values()) or stalls or wrong:
        raise typer.Exit(1)


def _show(
    running: RunningStack, lag: dict[str, int | None], unready: dict[str, list[str]], stalls: list[Stall]
) -> None:
    console = Console(highlight=False, soft_wrap=True)
    shown = {stall.reason for stall in stalls}
    console.print(
        process_table(running.processes, lag, {name for name, reasons in unready.items() if reasons})
    )
    for stall in stalls:
        console.print(f"[red]stalled[/red] {stall.stage}, {stall.place}: {stall.reason}")
    for name, reasons in unready.items():
        for reason in reasons:
            if reason not in shown:
                console.print(f"[yellow]not ready[/yellow] {name}: {reason}")


def _rows(
    running: RunningStack, lag: dict[str, int | None], unready: dict[str, list[str]]
) -> list[dict[str, Any]]:
    return [
        {
            "role": process.role,
            "name": process.name,
            "pid": process.pid,
            "state": process.state,
            "restarts": process.restarts,
            "lag": lag.get(process.role),
            "url": process.url,
            "notReady": unready[process.name],
        }
        for process in running.processes
    ]


def _lag() -> dict[str, int | None]:
    """Lag per role; empty when the servers are unavailable, so that the process table is still shown."""
    from streams.lag import lag_by_role

    try:
        return lag_by_role(load_settings())
    except Exception:  # noqa: BLE001 - servers unavailable, or without tables and topics: show the rest
        return {}


def _stalls() -> list[Stall]:
    found: list[Stall] = []
    for source in STALL_SOURCES:
        try:
            found += source(load_settings())
        except Exception:  # noqa: BLE001, S112 - as above; the roles report unavailable servers themselves
            continue
    return found
