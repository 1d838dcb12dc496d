"""The connectors' stalls, for commands that show how the stack is."""

from __future__ import annotations

from datetime import UTC, datetime

from runtime.settings import load_settings
from runtime.stalls import Stall


def read_sync_stalls() -> list[Stall]:
    """Integrations that make no progress; empty when the database does not answer."""
    from runtime.postgres import connect
    from sinks.sync_stalls import sync_stalls

    try:
        with connect(load_settings(), application_name="interactions-status", autocommit=True) as connection:
            return sync_stalls(connection, datetime.now(UTC))
    except Exception:  # noqa: BLE001 - a server without tables yet, or gone: the rest is worth seeing
        return []
