"""``interactions connectors restore``: undo the effects of mistaken deletions at a provider."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from cli.connectors.common import Id, database, get_integration, print_json
from cli.console import console
from schemas.instants import parse_instant

HELP = (
    "Bring back mirrors whose objects were deleted at the provider, and reopen the interactions that "
    "were canceled with them.\n\n"
    "An object that exists again is linked again; for a missing one a new object is created. The connectors "
    "role does the work while the integration is active."
)


def restore(
    identity: Id,
    *,
    since: Annotated[
        str | None, typer.Option(help="Only deletions found since this instant (RFC 3339). Default: all.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count only; change nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Bring back deleted mirrors and reopen their interactions."""
    from connectors.sync.restoration import find_restorable
    from connectors.sync.restoration import restore as restore_mirrors

    try:
        moment = parse_instant(since) if since is not None else None
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--since") from None
    with database() as connection:
        integration = get_integration(connection, identity)
        found = find_restorable(connection, integration, moment)
        if not dry_run:
            restore_mirrors(connection, found, datetime.now(UTC))
    count = len(found.mirrors)
    if as_json:
        print_json({"mirrors": count, "reopened": found.canceled, "dryRun": dry_run})
        return
    verb = "would be" if dry_run else "will be"
    console().print(
        f"{count} mirrors of {identity} {verb} brought back;"
        f" {found.canceled} interactions that were canceled with them {verb} reopened."
    )
    if count and integration.state != "active":
        console().print(f"{identity} is {integration.state}: the work starts once it is active.")
