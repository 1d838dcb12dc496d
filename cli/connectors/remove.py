"""``interactions connectors remove``: remove an integration; its mirrors stay at the provider."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from cli.connectors.common import Id, database, get_integration, print_json
from cli.connectors.options import secret_box
from cli.console import console
from runtime.settings import load_settings
from schemas.errors import InteractionsError, Stop
from schemas.topics import INTEGRATION_EVENTS

HELP = (
    "Remove an integration: its settings, secrets, mappings, warnings and pending work.\n\n"
    "Its mirrors stay at the provider unchanged. An integration that is added later for the same board "
    "or calendar, in the same tenant and organization, links them again, under any id."
)


def remove(
    identity: Id,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; needs --yes.")] = False,
) -> None:
    """Remove an integration; its mirrors stay at the provider."""
    from connectors.service.integration_events import IntegrationEvents
    from connectors.service.removal import Removal, removed_data
    from connectors.store.mappings import count_mappings
    from runtime.acknowledged_sender import AcknowledgedSender
    from runtime.connector_settings import read_connector_settings
    from runtime.schema_registration import known_ids
    from schemas.avro_codec import AvroEncoder

    settings = load_settings()
    with database() as connection:
        integration = get_integration(connection, identity)
        if not yes:
            count = count_mappings(connection, identity)
            if as_json or not sys.stdin.isatty():
                raise Stop(
                    f"{identity} has {count} mirrors. Nothing was removed; confirm the removal with --yes."
                )
            typer.confirm(f"Remove {identity}? Its {count} mirrors stay at the provider.", abort=True)
        removal = Removal(settings, integration, secret_box, read_connector_settings().public_url)
        mirrors = removal.remove(connection)
    if mirrors is None:
        raise Stop(f"{identity} has just been removed by another session.")
    webhook = removal.delete_webhook()
    try:
        encode = AvroEncoder(known_ids(settings, (INTEGRATION_EVENTS,))).encode
        events = IntegrationEvents(AcknowledgedSender(settings).send, encode)
        events.announce("state_changed", integration, None, removed_data(integration))
    except InteractionsError as error:
        typer.echo(f"Open pages do not show the removal until they are reloaded: {error}", err=True)
    if as_json:
        print_json({"id": identity, "mirrorsLeft": mirrors, "webhook": webhook})
        return
    console().print(f"Removed [bold]{identity}[/bold]. Its {mirrors} mirrors stay at the provider.")
    if webhook == "left":
        console().print("Its webhook could not be deregistered; delete it at the provider.")
