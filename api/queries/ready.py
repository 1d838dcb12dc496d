"""Readiness of the database."""

from __future__ import annotations

from api.queries.scope import Connection


async def is_ready(connection: Connection) -> bool:
    """Run the cheapest statement."""
    cursor = await connection.execute("SELECT 1")
    return await cursor.fetchone() is not None
