"""``interactions connectors pause`` and ``resume``."""

from __future__ import annotations

from typing import Literal

from cli.connectors.common import Id, database, get_integration
from cli.console import console
from schemas.errors import Stop


def pause(identity: Id) -> None:
    """Pause an integration; changes accumulate and nothing is lost."""
    _operate(identity, "pause")


def resume(identity: Id) -> None:
    """Resume a paused integration."""
    _operate(identity, "resume")


def _operate(identity: str, operation: Literal["pause", "resume"]) -> None:
    from connectors.service.integration_operations import operate
    from schemas.integration_decisions import IntegrationOperation

    with database() as connection:
        integration = get_integration(connection, identity)
        wanted = IntegrationOperation(integrationId=identity, operation=operation)
        outcome = operate(connection, integration, wanted)
    if outcome["outcome"] == "refused":
        raise Stop(outcome["detail"])
    state = outcome["state"]
    console().print(f"{identity} is {'already ' if integration.state == state else ''}{state}.")
