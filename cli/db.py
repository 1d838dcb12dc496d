"""``interactions db``: the database's tables brought up to date, or compared with the code."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from runtime.settings import load_settings

_UPGRADE_EXAMPLES = """
[bold]Examples[/bold]

  interactions db upgrade                    against the running stack

  INTERACTIONS_DATABASE_URL=postgresql://… interactions db upgrade
"""
_CHECK_EXAMPLES = """
[bold]Examples[/bold]

  interactions db check && echo up to date

  interactions db check --json
"""


def register(app: typer.Typer) -> None:
    """Add ``db``."""
    group = typer.Typer(help="Bring the database's tables up to date, or check them.", no_args_is_help=True)
    group.command("upgrade", epilog=_UPGRADE_EXAMPLES)(upgrade)
    group.command("check", epilog=_CHECK_EXAMPLES)(check)
    app.add_typer(group, name="db")


def upgrade() -> None:
    """Make or alter the tables to the newest revision; safe to repeat, and from several places at once."""
    from sinks import migrate

    migrate.upgrade(load_settings())
    typer.echo("The tables are up to date.")


def check(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Compare the tables with the code. Exit status: 0 when they agree, 1 when they differ."""
    from sinks import migrate  # imported late: Alembic would slow every other command

    differences = migrate.check(load_settings())
    if as_json:
        typer.echo(json.dumps({"differences": differences}, indent=2))
    elif differences:
        typer.echo("The tables differ from the code; bring them up to date with: interactions db upgrade")
        for difference in differences:
            typer.echo(f"  {difference}")
    else:
        typer.echo("The tables are as the code wants them.")
    if differences:
        raise typer.Exit(1)
