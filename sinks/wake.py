"""The wake-up of the relay: a hint that rows were committed, never relied upon."""

from __future__ import annotations

import contextlib
from typing import Any, Final

import psycopg

CHANNEL: Final = "interactions_outbox"


def wake_relay(connection: psycopg.Connection[tuple[Any, ...]]) -> None:
    """Notify after the commit, in a transaction of its own.

    Hazard: a NOTIFY inside the batch transaction would take a lock at commit that serialises all
    appliers of the database.
    """
    with contextlib.suppress(psycopg.Error), connection.transaction():
        connection.execute(f"NOTIFY {CHANNEL}")
