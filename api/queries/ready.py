"""Whether the database answers."""

from __future__ import annotations

from api.queries.scope import Connection


async def is_ready(connection: Connection) -> bool:
    """Ask the smallest question there is."""
    cursor = await connection.execute("SELECT 1")
    return await cursor.fetchone() is not None
