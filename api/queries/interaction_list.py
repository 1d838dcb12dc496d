"""The list of interactions: one statement per page, along an index if there is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from api.queries.keyset import After, Direction, order_sql
from api.queries.scope import Connection, Row, Scope, fetch
from schemas.events import SNAPSHOT
from sinks.search_pattern import like

#: Sort field → its column, the type of its values, and whether they can be NULL.
SORTS: Final[dict[str, tuple[str, type, bool]]] = {
    "scheduledAt": ("scheduled_at", datetime, True),
    "occurredAt": ("occurred_at", datetime, True),
    "createdAt": ("created_at", datetime, False),
    "updatedAt": ("updated_at", datetime, False),
    "status": ("status", str, False),
    "priority": ("priority", int, True),
    "interactionType": ("interaction_type", str, False),
    "title": ("title", str, True),
}
_STATUSES: Final = ("planned", "done", "canceled")
_CONDITIONS: Final = {
    "entity_id": "entity_id = %(entity_id)s",
    "deal_id": "deal_id = %(deal_id)s",
    "owner_user_id": "owner_user_id = %(owner_user_id)s",
    "interaction_types": "interaction_type = ANY(%(interaction_types)s)",
    "earliest": "coalesce(occurred_at, scheduled_at, created_at) >= %(earliest)s",
    "latest": "coalesce(occurred_at, scheduled_at, created_at) <= %(latest)s",
    "search": "(title ILIKE %(search)s OR body ILIKE %(search)s)",
}


def _selected(name: str) -> str:
    return f"i.{name}::text AS {name}" if name == "id" or name.endswith("_id") else f"i.{name}"


#: Columns of the published snapshot, with ids as text, and names from the tables that a row refers to.
COLUMNS: Final = ", ".join(
    (*map(_selected, SNAPSHOT.values()), "d.title AS deal_title", "t.label AS type_label")
)
JOINS: Final = """
LEFT JOIN customer_deals d ON d.id = i.deal_id
  AND d.tenant_id = i.tenant_id AND d.organization_id = i.organization_id
LEFT JOIN interaction_types t ON t.tenant_id = i.tenant_id
  AND t.organization_id = i.organization_id AND t.code = i.interaction_type
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Filters of the list; ``None`` does not filter.

    :param earliest: bound of the first of ``occurred_at``, ``scheduled_at`` and ``created_at`` that is set;
        ``latest`` likewise.
    :param search: case-insensitive substring of title or body.
    """

    entity_id: str | None = None
    deal_id: str | None = None
    owner_user_id: str | None = None
    statuses: tuple[str, ...] | None = None
    interaction_types: tuple[str, ...] | None = None
    earliest: datetime | None = None
    latest: datetime | None = None
    search: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Sort, direction and position of a page.

    :param sort: a name of ``SORTS``.
    """

    sort: str = "scheduledAt"
    direction: Direction = "asc"
    limit: int = 25
    after: After | None = None


@dataclass(slots=True)
class _Statement:
    parameters: dict[str, Any] = field(default_factory=dict)
    conditions: list[str] = field(default_factory=list)


async def interaction_page(
    connection: Connection, scope: Scope, filters: Filters, page: Page
) -> tuple[list[Row], bool]:
    """The rows of one page, and whether more follow.

    Rows have the columns of the table, ``deal_title``, ``type_label`` and ``sort_key``.
    """
    built = _filtered(scope, filters)
    column, _, nullable = SORTS[page.sort]
    order = order_sql(column, "id", page.direction)
    built.parameters["rows"] = page.limit + 1
    if page.after is not None:
        built.parameters |= {"after_key": page.after.key, "after_id": page.after.id}
    branches = [
        f"(SELECT id, {column} AS sort_key FROM customer_interactions"  # noqa: S608 - constant texts
        f" WHERE {' AND '.join([*built.conditions, *narrowed])} ORDER BY {order} LIMIT %(rows)s)"
        for narrowed in _branches(page, filters, column, nullable=nullable)
    ]
    outer = order_sql("sort_key", "id", page.direction)
    statement = f"""
    SELECT {COLUMNS}, p.sort_key
    FROM (SELECT id, sort_key FROM ({" UNION ALL ".join(branches)}) b
          ORDER BY {outer} LIMIT %(rows)s) p
    JOIN customer_interactions i ON i.id = p.id
    {JOINS}
    WHERE i.tenant_id = %(tenant)s AND i.organization_id = %(organization)s
    ORDER BY {order_sql("p.sort_key", "p.id", page.direction)}
    """  # noqa: S608 - constant texts
    rows = await fetch(connection, statement, built.parameters)
    return rows[: page.limit], len(rows) > page.limit


async def interaction_by_id(connection: Connection, scope: Scope, interaction_id: str) -> Row | None:
    """One interaction with the columns of a page's rows; ``None`` if this scope does not contain it."""
    found = await interactions_by_id(connection, scope, [interaction_id])
    return found.get(interaction_id)


async def interactions_by_id(
    connection: Connection, scope: Scope, interaction_ids: Sequence[str]
) -> dict[str, Row]:
    """The interactions of this scope with the columns of a page's rows, by id."""
    statement = f"""
    SELECT {COLUMNS} FROM customer_interactions i {JOINS}
    WHERE i.id = ANY(%(ids)s::uuid[]) AND i.tenant_id = %(tenant)s AND i.organization_id = %(organization)s
    """  # noqa: S608 - constant texts
    rows = await fetch(connection, statement, {**scope.parameters(), "ids": list(interaction_ids)})
    return {row["id"]: row for row in rows}


def _filtered(scope: Scope, filters: Filters) -> _Statement:
    built = _Statement(scope.parameters(), ["tenant_id = %(tenant)s", "organization_id = %(organization)s"])
    for name, condition in _CONDITIONS.items():
        value = getattr(filters, name)
        if value is not None:
            built.parameters[name] = (
                like(value) if name == "search" else list(value) if isinstance(value, tuple) else value
            )
            built.conditions.append(condition)
    return built


def _branches(page: Page, filters: Filters, column: str, *, nullable: bool) -> list[list[str]]:
    """Conditions that split the list into disjoint parts, each of which an index returns in order.

    The index is (organization, tenant, status, scheduled_at, id), with NULLs together at one end. So each
    part fixes the status, and whether the sort column is NULL.
    """
    statuses: tuple[str | None, ...] = filters.statuses or (None,)
    if filters.statuses is None and column == "scheduled_at" and filters.entity_id is None:
        statuses = _STATUSES
    sign = ">" if page.direction == "asc" else "<"
    found: list[list[str]] = []
    for status in statuses:
        fixed = [f"status = '{status}'"] if status in _STATUSES else []
        after = page.after
        behind = [] if after is None else [f"({column}, id) {sign} (%(after_key)s, %(after_id)s::uuid)"]
        if not nullable:
            found.append([*fixed, *behind])
            continue
        empty_last = page.direction == "asc"
        if after is None or after.key is not None:
            found.append([*fixed, f"{column} IS NOT NULL", *behind])
            if after is None or empty_last:
                found.append([*fixed, f"{column} IS NULL"])
        else:
            found.append([*fixed, f"{column} IS NULL", f"id {sign} %(after_id)s::uuid"])
            if not empty_last:
                found.append([*fixed, f"{column} IS NOT NULL"])
    return found
