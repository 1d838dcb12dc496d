"""``interactions connectors remove``: end an integration; its mirrors stay at the provider."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from cli.connector_setup import secret_box
from cli.console import console
from runtime.settings import load_settings
from schemas.errors import Stop

if TYPE_CHECKING:
    from connectors.links import Opened
    from connectors.pulling import PulledCommand
    from sinks.sync_integrations import Integration

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
    from runtime.postgres import connect
    from sinks.sync_integrations import read_integration
    from sinks.sync_mappings import count_mappings
    from sinks.sync_removal import remove_integration

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
        opened = _opened(integration)
        mirrors = remove_integration(connection, integration)
    if mirrors is None:
        raise Stop(f"{identity} was removed by another session meanwhile")
    webhook = _drop_webhook(opened)
    _announce(integration)
    if as_json:
        sys.stdout.write(json.dumps({"id": identity, "mirrorsLeft": mirrors, "webhook": webhook}) + "\n")
        return
    console().print(f"Removed [bold]{identity}[/bold]. Its {mirrors} mirrors stay at the provider.")
    if webhook == "left":
        console().print("Its webhook could not be deregistered at the provider; delete it there.")


def _opened(integration: Integration) -> Opened | None:
    """Open a provider session while its secrets are there; ``None`` if it cannot be opened."""
    from connectors.links import open_link
    from runtime.connector_settings import read_connector_settings

    def send(commands: Sequence[PulledCommand]) -> None:
        raise Stop(f"a removal publishes no commands ({len(commands)} were to be sent)")

    try:
        public_url = read_connector_settings().public_url
        return open_link(load_settings(), integration, secret_box(), send, public_url=public_url)
    except Stop:
        return None


def _drop_webhook(opened: Opened | None) -> str:
    """Deregister the webhook, best effort: ``none``, ``deregistered`` or ``left``."""
    if opened is None:
        return "left"
    try:
        if "webhooks" not in opened.link.declaration.features or not opened.link.hears:
            return "none"
        opened.link.provider.drop_webhook()
    except Exception:  # noqa: BLE001 - the removal holds whatever the provider answers
        return "left"
    else:
        return "deregistered"
    finally:
        opened.close()


def _announce(integration: Integration) -> None:
    from connectors.integration_events import Announcer
    from runtime.acknowledged_sender import AcknowledgedSender
    from schemas import cache_tags

    scope = integration.tenant_id, integration.organization_id
    tags = list(cache_tags.of_mirror(integration.id, *scope))
    announce = Announcer(AcknowledgedSender(load_settings()))
    announce("state_changed", integration, None, {"state": "removed", "invalidates": tags})
