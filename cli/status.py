"""`interactions status`: what runs, and how far behind it is."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console

from cli.stack_view import process_table
from cli.sync_stalls import read_sync_stalls
from runtime.running_stack import RunningStack, read_running_stack
from runtime.settings import load_settings, read_settings

EXAMPLES = """
[bold]Examples[/bold]

  interactions status                        a table for people

  interactions status --json | jq '.processes[] | select(.state != "running")'

[bold]Exit codes[/bold]

  0 all processes run, 1 one does not, 2 no stack runs here

[bold]Lag[/bold]

  applier: commands not applied yet; relay: events not published yet; timers: due moments not announced yet
"""


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command(epilog=EXAMPLES)(status)


def status(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")] = False,
) -> None:
    """Show each process of the stack: role, pid, state, lag."""
    home = read_settings().home
    running = read_running_stack(home)
    lag = _lag() if running is not None else {}
    stalls = read_sync_stalls() if running is not None else []
    if as_json:
        shown = [asdict(stall) for stall in stalls]
        typer.echo(json.dumps({"processes": _rows(running, lag), "stalls": shown}))
    elif running is None:
        typer.echo(f"No stack runs in {home}. Start one with `interactions up --detach`.", err=True)
    else:
        Console(highlight=False).print(process_table(running.processes, lag))
        for stall in stalls:
            typer.echo(f"stalled ({stall.stage}): {stall.reason}")
    if running is None:
        raise typer.Exit(2)
    if any(process.state != "running" for process in running.processes):
        raise typer.Exit(1)


def _rows(running: RunningStack | None, lag: dict[str, int | None]) -> list[dict[str, Any]]:
    if running is None:
        return []
    return [
        {
            "role": process.role,
            "name": process.name,
            "pid": process.pid,
            "state": process.state,
            "restarts": process.restarts,
            "lag": lag.get(process.role),
        }
        for process in running.processes
    ]


def _lag() -> dict[str, int | None]:
    """Lag by role; empty when the servers do not answer: the table is then still worth seeing."""
    # The Kafka client takes its time to load; most of this command does without.
    from streams.lag import lag_by_role

    try:
        return lag_by_role(load_settings())
    except Exception:  # noqa: BLE001 - servers without tables or topics yet, or gone: the rest is worth seeing
        return {}
