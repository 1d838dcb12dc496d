"""The connectors' stalls, for commands that show how the stack is."""

from __future__ import annotations

from datetime import UTC, datetime

from runtime.settings import Settings
from runtime.stalls import Stall


def read_sync_stalls(settings: Settings) -> list[Stall]:
    """Integrations that make no progress."""
    from connectors.store.stalls import sync_stalls
    from runtime.postgres import connect

    with connect(settings, application_name="interactions-status", autocommit=True) as connection:
        return sync_stalls(connection, datetime.now(UTC))
