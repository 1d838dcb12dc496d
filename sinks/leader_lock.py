"""Leader election by a session-level advisory lock."""

from __future__ import annotations

from typing import Final

from runtime.postgres import Connection

_LOCK: Final = 0x1A7E0005


def try_lead(connection: Connection, duty: str) -> bool:
    """Try to become the only leader of a duty (such as a relay's shard) for the lifetime of this session."""
    row = connection.execute("SELECT pg_try_advisory_lock(%s, hashtext(%s))", (_LOCK, duty)).fetchone()
    return bool(row and row[0])


def resign(connection: Connection, duty: str) -> None:
    """End the leadership before the end of the session."""
    connection.execute("SELECT pg_advisory_unlock(%s, hashtext(%s))", (_LOCK, duty))
