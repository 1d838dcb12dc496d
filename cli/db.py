"""``interactions db``: migrate the database schema, or check it."""

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
    group = typer.Typer(help="Migrate the database schema, or check it.", no_args_is_help=True)
    group.command("upgrade", epilog=_UPGRADE_EXAMPLES)(upgrade)
    group.command("check", epilog=_CHECK_EXAMPLES)(check)
    app.add_typer(group, name="db")


def upgrade() -> None:
    """Migrate the database to the newest schema revision. Safe to repeat and to run concurrently."""
    from sinks import migrate

    migrate.upgrade(load_settings())
    typer.echo("The database schema is up to date.")


def check(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Compare the database schema with the code. Exit status: 0 no differences, 1 differences."""
    from sinks import migrate  # imported late: Alembic would slow every other command

    differences = migrate.check(load_settings())
    if as_json:
        typer.echo(json.dumps({"differences": differences}, indent=2))
    elif differences:
        typer.echo("The database schema differs from the code. Migrate it with: interactions db upgrade")
        for difference in differences:
            typer.echo(f"  {difference}")
    else:
        typer.echo("The database schema is up to date.")
    if differences:
        raise typer.Exit(1)
