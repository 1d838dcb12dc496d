"""Entity and version of a row, for the preconditions of a write."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from api.queries.scope import Connection, Scope, fetch


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource whose rows belong to an entity and have a version.

    :param name: as in command types and error codes.
    """

    name: str
    table: str


INTERACTION: Final = Resource("interaction", "customer_interactions")
SIGNAL: Final = Resource("signal", "signals")
DRAFT: Final = Resource("draft", "generated_drafts")


@dataclass(frozen=True, slots=True)
class Head:
    """Stored entity, version and timestamp of a row."""

    entity_id: str
    version: int
    updated_at: datetime


async def head_of(
    connection: Connection, scope: Scope, row_id: str, resource: Resource = INTERACTION
) -> Head | None:
    """The head of one row; ``None`` if this scope does not contain it."""
    statement = (
        f"SELECT entity_id::text AS entity_id, version, updated_at FROM {resource.table}"  # noqa: S608 - constant texts
        " WHERE id = %(id)s AND tenant_id = %(tenant)s AND organization_id = %(organization)s"
    )
    rows = await fetch(connection, statement, {**scope.parameters(), "id": row_id})
    return Head(**rows[0]) if rows else None
