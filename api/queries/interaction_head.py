"""Entity and version of an interaction, for the preconditions of a write."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from api.queries.scope import Connection, Scope, fetch

_SQL: Final = """
SELECT entity_id::text AS entity_id, version, updated_at FROM customer_interactions
WHERE id = %(id)s AND tenant_id = %(tenant)s AND organization_id = %(organization)s
"""


@dataclass(frozen=True, slots=True)
class Head:
    """Stored entity, version and timestamp of an interaction."""

    entity_id: str
    version: int
    updated_at: datetime


async def head_of(connection: Connection, scope: Scope, interaction_id: str) -> Head | None:
    """The head of one interaction; ``None`` if this scope does not contain it."""
    rows = await fetch(connection, _SQL, {**scope.parameters(), "id": interaction_id})
    return Head(**rows[0]) if rows else None
