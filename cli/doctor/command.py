"""`interactions doctor`: check everything the pipeline needs, with advice for each failure."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console

from cli.doctor.machine import machine_checks
from cli.doctor.servers import server_checks

EXAMPLES = """
[bold]Examples[/bold]

  interactions doctor                        one line per check

  interactions doctor --json | jq '.checks[] | select(.state == "fail")'

[bold]Exit codes[/bold]

  0 no check failed, 1 at least one check failed
"""
_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command(epilog=EXAMPLES)(doctor)


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check this machine, the servers, the topics and the database. Changes nothing."""
    checks = [*machine_checks(), *server_checks()]
    if as_json:
        typer.echo(json.dumps({"checks": [asdict(check) for check in checks]}))
    else:
        console = Console(highlight=False, soft_wrap=True)
        for check in checks:
            colour = _COLOURS[check.state]
            console.print(f"[{colour}]{check.state:4}[/{colour}]  {check.name}: ", end="")
            console.print(check.detail, markup=False)
            if check.advice:
                console.print(f"      → {check.advice}", markup=False)
    if any(check.state == "fail" for check in checks):
        raise typer.Exit(1)
