"""Lists of people or companies, sorted and filtered by their next interaction, in keyset pages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from api.queries.customer_detail import ENTITY_COLUMNS
from api.queries.keyset import After, Direction
from api.queries.scope import Connection, Row, Scope, fetch
from sinks.search_pattern import like

#: Sort field → its column and the SQL type of a cursor's value.
SORTS: Final[dict[str, tuple[str, str]]] = {
    "nextInteractionAt": ("e.next_interaction_at", "timestamptz"),
    "lastInteractionAt": ("e.last_interaction_at", "timestamptz"),
    "displayName": ("e.display_name", "text"),
    "createdAt": ("e.created_at", "timestamptz"),
    "updatedAt": ("e.updated_at", "timestamptz"),
    "openCount": ("e.open_count", "integer"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerQuery:
    """Filters, sort and page of the list.

    :param after: last row of the previous page. Rows without a value come last in both directions.
    :param overdue: true for a next interaction before ``now``, false for one at or after it.
    """

    kind: Literal["person", "company"]
    limit: int
    sort_field: str
    sort_dir: Direction
    now: datetime
    search: str | None = None
    owner_user_id: str | None = None
    has_next: bool | None = None
    next_from: datetime | None = None
    next_to: datetime | None = None
    overdue: bool | None = None
    after: After | None = None


async def customers(connection: Connection, scope: Scope, query: CustomerQuery) -> list[Row]:
    """One page plus one row if more follow, each with ``sort_key``. One statement."""
    column, kind = SORTS[query.sort_field]
    values: dict[str, Any] = {
        **scope.parameters(),
        "kind": query.kind,
        "limit": query.limit + 1,
        "now": query.now,
        "owner": query.owner_user_id,
        "search": like(query.search) if query.search else None,
        "from": query.next_from,
        "to": query.next_to,
    }
    conditions = ["e.tenant_id = %(tenant)s AND e.organization_id = %(organization)s AND e.kind = %(kind)s"]
    if query.search:
        conditions.append(
            "(e.display_name ILIKE %(search)s OR e.primary_email ILIKE %(search)s"
            " OR e.primary_phone ILIKE %(search)s)"
        )
    if query.owner_user_id is not None:
        conditions.append("e.owner_user_id = %(owner)s")
    if query.has_next is not None:
        conditions.append(f"e.next_interaction_at IS {'NOT ' if query.has_next else ''}NULL")
    if query.next_from is not None:
        conditions.append("e.next_interaction_at >= %(from)s")
    if query.next_to is not None:
        conditions.append("e.next_interaction_at <= %(to)s")
    if query.overdue is not None:
        conditions.append(f"e.next_interaction_at {'<' if query.overdue else '>='} %(now)s")
    if query.after is not None:
        conditions.append(_after(column, kind, query.sort_dir, query.after, values))
    statement = (
        f"SELECT {ENTITY_COLUMNS}, {column} AS sort_key FROM customer_entities e"  # noqa: S608
        f" WHERE {' AND '.join(conditions)}"
        f" ORDER BY {column} {query.sort_dir} NULLS LAST, e.id {query.sort_dir} LIMIT %(limit)s"
    )
    return await fetch(connection, statement, values)


def _after(column: str, kind: str, direction: Direction, after: After, values: dict[str, Any]) -> str:
    values["after_id"] = after.id
    beyond = ">" if direction == "asc" else "<"
    if after.key is None:
        return f"({column} IS NULL AND e.id {beyond} %(after_id)s)"
    values["after"] = after.key
    return f"(({column}, e.id) {beyond} (%(after)s::{kind}, %(after_id)s::uuid) OR {column} IS NULL)"
