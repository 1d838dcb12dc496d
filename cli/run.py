"""`interactions run`: one role in this process. Imports little, so that a killed role restarts fast."""

from __future__ import annotations

from typing import Annotated

import typer

from runtime.logs import configure_logging
from runtime.settings import Settings, load_settings
from schemas.errors import Stop
from stack.roles import ROLES

RUN_EXAMPLES = """
[bold]Examples[/bold]

  interactions run applier                   one applier, against the stack of this home

  INTERACTIONS_LOG_FORMAT=console interactions run relay
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=RUN_EXAMPLES)(run)


def run(role: Annotated[str, typer.Argument(help=f"One of: {', '.join(ROLES)}.")]) -> None:
    """Run one role in the foreground, against the running stack or your own servers."""
    if role not in ROLES:
        raise Stop(f"There is no role {role!r}; the roles are {', '.join(ROLES)}.")
    settings: Settings = load_settings()
    configure_logging(settings)
    if role == "gateway":
        from api.serve import run_gateway
        from web.app import make_app

        run_gateway(settings, make_app)
        return
    if role == "connectors":
        from connectors.service.process import run_connectors

        run_connectors(settings)
        return
    from streams.run_role import run_role

    run_role(role, settings)
