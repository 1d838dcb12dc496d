"""Options, reads and output that the connector commands share."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from runtime.settings import load_settings
from schemas.errors import Stop

if TYPE_CHECKING:
    from connectors.store.integrations import Integration
    from runtime.postgres import Connection

Id = Annotated[
    str, typer.Argument(metavar="ID", help="Integration id, as shown by `interactions connectors list`.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, one object per line.")]
Tenant = Annotated[UUID | None, typer.Option(help="Only this tenant.")]


@contextlib.contextmanager
def database() -> Iterator[Connection]:
    """An autocommit connection to the database of the settings."""
    from runtime.postgres import connect

    with connect(
        load_settings(), application_name="interactions-connectors-cli", autocommit=True
    ) as connection:
        yield connection


def get_integration(connection: Connection, identity: str) -> Integration:
    """Read an integration.

    :raises Stop: there is no such integration.
    """
    from connectors.store.integrations import read_integration

    integration = read_integration(connection, identity)
    if integration is None:
        raise Stop(f"There is no integration {identity}. See: interactions connectors list")
    return integration


def state_reasons(integration: Integration) -> str:
    """Reasons for the state and for bad health, without duplicates."""
    health = integration.health_detail if integration.healthy is False else None
    return "; ".join(dict.fromkeys(filter(None, (integration.state_reason, health))))


def integration_json(integration: Integration) -> dict[str, Any]:
    """An integration as JSON, without settings and secrets."""
    return {
        "id": integration.id,
        "provider": integration.provider,
        "tenantId": integration.tenant_id,
        "organizationId": integration.organization_id,
        "state": integration.state,
        "reason": integration.state_reason,
        "healthy": integration.healthy,
        "health": integration.health_detail,
        "why": state_reasons(integration),
    }


def print_json(value: dict[str, Any]) -> None:
    """Write one JSON line to standard output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
