"""``interactions connectors remove``: end an integration; its mirrors stay at the provider."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from cli.connectors.options import secret_box
from cli.console import console
from runtime.settings import load_settings
from schemas.errors import Stop

HELP = (
    "Remove an integration: its settings, secrets, mappings, warnings and what was still to be done.\n\n"
    "Its mirrors stay at the provider as they are. An integration of the same tenant and organization that "
    "is added later for the same board or calendar links them again, under any id."
)


def remove(
    identity: Annotated[str, typer.Argument(help="The integration's id, as the list shows it.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; needs --yes.")] = False,
) -> None:
    """Remove an integration and leave its mirrors alone."""
    from connectors.producer import AcknowledgedSender
    from connectors.service.integration_events import Announcer
    from connectors.service.removal import Removal, removed_data
    from connectors.store.integrations import read_integration
    from connectors.store.mappings import count_mappings
    from runtime.connector_settings import read_connector_settings
    from runtime.postgres import connect

    settings = load_settings()
    with connect(settings, application_name="interactions-connectors-cli", autocommit=True) as connection:
        integration = read_integration(connection, identity)
        if integration is None:
            raise Stop(f"there is no integration {identity}")
        if not yes:
            count = count_mappings(connection, identity)
            if as_json or not sys.stdin.isatty():
                raise Stop(f"{identity} has {count} mirrors; to remove it without a question, give --yes")
            typer.confirm(f"Remove {identity}? Its {count} mirrors stay at the provider.", abort=True)
        removal = Removal(settings, integration, secret_box, read_connector_settings().public_url)
        mirrors = removal.remove(connection)
    if mirrors is None:
        raise Stop(f"{identity} was removed by another session meanwhile")
    webhook = removal.drop_webhook()
    announce = Announcer(AcknowledgedSender(settings))
    announce("state_changed", integration, None, removed_data(integration))
    if as_json:
        sys.stdout.write(json.dumps({"id": identity, "mirrorsLeft": mirrors, "webhook": webhook}) + "\n")
        return
    console().print(f"Removed [bold]{identity}[/bold]. Its {mirrors} mirrors stay at the provider.")
    if webhook == "left":
        console().print("Its webhook could not be deregistered at the provider; delete it there.")
