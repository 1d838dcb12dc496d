"""The ``interactions connectors`` command group."""

from __future__ import annotations

import typer

from cli.connectors import add, change, first_run, pause, remove, restore, rotate_secrets, show, warnings

_EXAMPLES = """
[bold]Examples[/bold]

  interactions connectors add trello --tenant … --organization … --set board_id=… \
--secret api_key=@key.txt --secret token=@token.txt

  interactions connectors set trello-1f2e3d4c --secret token=@token.txt

  interactions connectors plan trello-1f2e3d4c     preview the first sync; writes nothing

  interactions connectors sync trello-1f2e3d4c     confirm the plan and start syncing

  interactions connectors warnings                 list what needs a decision

  interactions connectors retry --all --integration trello-1f2e3d4c
"""


def register(app: typer.Typer) -> None:
    """Add ``connectors``."""
    group = typer.Typer(
        name="connectors",
        help="Mirror interactions to other systems: set up, watch, resolve.",
        epilog=_EXAMPLES,
        no_args_is_help=True,
    )
    group.command("providers", help="List the providers and the settings each one needs.")(show.providers)
    group.command("list", help="List integrations and their states.")(show.list_all)
    group.command("add", help=add.HELP, epilog=_EXAMPLES)(add.add)
    group.command("set", help=change.HELP)(change.change)
    group.command("remove", help=remove.HELP)(remove.remove)
    group.command("plan", help="Preview the first sync; writes nothing.")(first_run.plan)
    group.command("sync", help=first_run.SYNC_HELP)(first_run.sync)
    group.command("status", help="Show the backlog and the health of an integration.")(show.status)
    group.command("warnings", help="List open warnings: failed items and conflicts.")(warnings.warnings)
    group.command("retry", help=warnings.RETRY_HELP)(warnings.retry)
    group.command("restore", help=restore.HELP)(restore.restore)
    group.command("pause", help="Pause an integration; changes accumulate and nothing is lost.")(pause.pause)
    group.command("resume", help="Resume a paused integration.")(pause.resume)
    group.command("rotate-secrets", help="Encrypt all stored secrets under the newest key.")(
        rotate_secrets.rotate_secrets
    )
    app.add_typer(group)
