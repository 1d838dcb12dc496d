"""Terminal output of a starting and of a running stack."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from rich.console import Console
from rich.table import Table

from runtime.running_stack import ProcessRecord, RunningStack
from stack.launch import launch_stack

_err = Console(stderr=True, highlight=False)


def progress_line(step: str) -> None:
    """Print one step to standard error."""
    _err.print(f"[dim]·[/dim] {step} …")


def follow_start(home: Path, roles: str, *, ephemeral: bool, stop_with: int | None) -> None:
    """Start the stack in the background and show its progress until it is ready.

    :raises Stop: the stack did not start.
    """
    running = launch_stack(home, roles, ephemeral=ephemeral, stop_with=stop_with, progress=progress_line)
    say_ready(running, detached=True)


def say_ready(running: RunningStack, *, detached: bool = False) -> None:
    """Print a summary: processes, addresses, next steps."""
    _err.print(process_table(running.processes))
    registry = running.addresses.schema_registry_url
    _err.print(f"Kafka {running.addresses.kafka_bootstrap_servers}   registry {registry}")
    if running.api_url is not None:
        _err.print(f"HTTP  {running.api_url}   token: [bold]interactions token --help[/bold]")
        _err.print("Pages [bold]interactions open[/bold]")
    if detached:
        _err.print(
            'Ready. Next: [bold]eval "$(interactions env)"[/bold]. Stop with: [bold]interactions down[/bold]'
        )
    else:
        _err.print("Ready. Ctrl-C stops everything; data is kept.")


def process_table(
    processes: list[ProcessRecord],
    lag: dict[str, int | None] | None = None,
    unready: Collection[str] = (),
) -> Table:
    """Processes as a table, with lag and health URL when ``lag`` is given.

    :param unready: names of running processes that report not ready.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("process", "pid", "state", "restarts"):
        table.add_column(column)
    if lag is not None:
        table.add_column("lag", justify="right")
        table.add_column("health")
    for process in processes:
        state = "not ready" if process.name in unready else process.state
        colour = "green" if state == "running" else "yellow"
        row = [
            process.name,
            str(process.pid or "–"),
            f"[{colour}]{state}[/{colour}]",
            str(process.restarts or ""),
        ]
        if lag is not None:
            known = lag.get(process.role)
            row.append("–" if known is None else str(known))
            row.append(f"{process.url}/readyz" if process.url is not None else "")
        table.add_row(*row)
    return table
