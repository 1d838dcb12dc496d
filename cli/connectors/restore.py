"""``interactions connectors restore``: bring back what deletions at a provider ended by mistake."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from cli.console import console
from runtime.settings import load_settings
from schemas.errors import Stop
from schemas.instants import parse_instant

HELP = (
    "Bring back mirrors whose objects were deleted at the provider, and reopen what that canceled.\n\n"
    "An object that is there again is linked again; for one that is not, a new one is made. The connectors "
    "do the work as soon as the integration is active."
)


def restore(
    identity: Annotated[str, typer.Argument(help="The integration's id, as the list shows it.")],
    *,
    since: Annotated[
        str | None, typer.Option(help="Only what was found deleted since then (RFC 3339); all if not given.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count, and change nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Bring back what deletions at the provider ended."""
    from connectors.store.integrations import read_integration
    from connectors.sync.restoration import find_restorable
    from connectors.sync.restoration import restore as bring_back
    from runtime.postgres import connect

    try:
        moment = parse_instant(since) if since is not None else None
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--since") from None
    settings = load_settings()
    with connect(settings, application_name="interactions-connectors-cli", autocommit=True) as connection:
        integration = read_integration(connection, identity)
        if integration is None:
            raise Stop(f"there is no integration {identity}")
        found = find_restorable(connection, integration, moment)
        if not dry_run:
            bring_back(connection, found, datetime.now(UTC))
    count = len(found.mirrors)
    if as_json:
        shown = {"mirrors": count, "reopened": found.canceled, "dryRun": dry_run}
        sys.stdout.write(json.dumps(shown) + "\n")
        return
    said = "would be" if dry_run else "are to be"
    console().print(
        f"{count} mirrors of {identity} {said} brought back; {found.canceled} interactions that were canceled"
        f" with them {said} reopened."
    )
    if count and integration.state != "active":
        console().print(f"{identity} is {integration.state}: the work begins once it is active.")
