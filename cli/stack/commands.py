"""`interactions up`, `down` and `env`: start and stop the stack of this machine."""

from __future__ import annotations

import shlex
import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from cli.stack.view import follow_start, progress_line, say_ready
from runtime.logs import configure_logging
from runtime.running_stack import RunningStack, read_running_stack
from runtime.settings import read_settings
from schemas.errors import Stop
from stack.down import stop_stack
from stack.options import StackOptions
from stack.roles import ROLES, address_environment, default_roles, parse_roles
from stack.supervisor import Preparation, StackPlan, Supervisor

UP_EXAMPLES = """
[bold]Examples[/bold]

  interactions up                            in this terminal, until Ctrl-C

  interactions up --detach                   in the background

  interactions up --roles applier=2,relay    two appliers and a relay only

  interactions up --roles applier,relay,timers,drafts,gateway,connectors    with the connectors

  interactions up --roles none               servers only

  INTERACTIONS_KAFKA_BOOTSTRAP_SERVERS=broker:9092 interactions up    with your own Kafka
"""
DOWN_EXAMPLES = """
[bold]Examples[/bold]

  interactions down                          stop everything; data is kept

  INTERACTIONS_HOME=/tmp/trial interactions down    the stack of another home
"""
ENV_EXAMPLES = """
[bold]Examples[/bold]

  eval "$(interactions env)"                 point this shell at the running stack

  eval "$(interactions env)"; psql "$INTERACTIONS_DATABASE_URL"
"""


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command(epilog=UP_EXAMPLES)(up)
    app.command(epilog=DOWN_EXAMPLES)(down)
    app.command(epilog=ENV_EXAMPLES)(env)


def up(
    detach: Annotated[
        bool,
        typer.Option("--detach", "-d", help="Run in the background; return when everything is ready."),
    ] = False,
    roles: Annotated[
        str,
        typer.Option(
            help=f"Roles to run: {', '.join(ROLES)}; with counts, as in applier=2; `none` for servers only."
        ),
    ] = default_roles(),
    ephemeral: Annotated[
        bool, typer.Option("--ephemeral", help="Use a temporary home folder and delete it at the end.")
    ] = False,
    stop_with: Annotated[int | None, typer.Option(hidden=True, help="Stop when this process ends.")] = None,
    delete_home: Annotated[bool, typer.Option("--delete-home", hidden=True)] = False,
) -> None:
    """Start Kafka, Postgres, the schema registry and the roles, and keep them running.

    A server whose address is set in the environment is used and not started.
    """
    counts = parse_roles(roles)
    settings = read_settings()
    if ephemeral:
        settings = settings.model_copy(update={"home": Path(tempfile.mkdtemp(prefix="interactions-"))})
    if detach:
        follow_start(settings.home, roles, ephemeral=ephemeral, stop_with=stop_with)
        if ephemeral:
            # The temporary home is not the default one: without this line the stack could not be found again.
            typer.echo(f"export INTERACTIONS_HOME={shlex.quote(str(settings.home))}")
        return
    configure_logging(settings)
    plan = StackPlan(
        settings=settings,
        options=StackOptions(),
        roles=counts,
        preparations=preparations() if counts else (),
        stop_with=stop_with,
        progress=progress_line,
        ready=say_ready,
    )
    Supervisor(plan).run()
    # After a failure the folder is kept for its logs.
    if ephemeral or delete_home:
        shutil.rmtree(settings.home)


def preparations() -> tuple[Preparation, ...]:
    """Idempotent steps on ready servers before the first role starts."""
    from runtime.schema_registration import register_schemas
    from runtime.topics import ensure_topics
    from sinks.migrate import upgrade

    return (
        Preparation(title="upgrading the database", run=upgrade),
        Preparation(title="creating the topics", run=ensure_topics),
        Preparation(title="registering the schemas", run=register_schemas),
    )


def down() -> None:
    """Stop the stack of this home. Data is kept."""
    home = read_settings().home
    if stop_stack(home):
        typer.echo(f"Stopped. Data is kept in {home}.")
    else:
        typer.echo(f"No stack is running in {home}.")


def env() -> None:
    """Print `export` lines that point a shell at the running stack."""
    home = read_settings().home
    running = _running(home)
    lines = {"INTERACTIONS_HOME": str(home), **address_environment(running.addresses)}
    if running.api_url is not None:
        lines["INTERACTIONS_API_URL"] = running.api_url
    for name, value in lines.items():
        typer.echo(f"export {name}={shlex.quote(value)}")


def _running(home: Path) -> RunningStack:
    running = read_running_stack(home)
    if running is None:
        raise Stop(f"No stack is running in {home}. Start one with: interactions up --detach")
    return running
