"""Numbered pages of the two deprecated lists, with totals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from api.queries.interaction_views import View, view_sql
from api.queries.scope import Connection, Row, Scope, fetch
from sinks.search_pattern import like

#: Most rows of a response to ``all=true``.
MAX_ROWS: Final = 2000

_IDS: Final = ("id", "entity_id", "deal_id", "author_user_id", "owner_user_id", "todo_id")
_SHOWN: Final = ", ".join(f"v.{name}::text AS {name}" for name in _IDS)
_SORTS: Final = {
    "occurredAt": "coalesce(v.occurred_at, v.scheduled_at)",
    "createdAt": "v.created_at",
    "updatedAt": "v.updated_at",
    "activityType": "v.interaction_type",
    "subject": "v.title",
}
_NEWEST: Final = "coalesce(v.occurred_at, v.scheduled_at, v.created_at)"


@dataclass(frozen=True, slots=True, kw_only=True)
class OldListQuery:
    """Filters, sort and page of a deprecated list. The first page is 1."""

    page: int = 1
    page_size: int = 50
    entity_id: str | None = None
    deal_id: str | None = None
    activity_type: tuple[str, ...] = ()
    search: str | None = None
    sort_field: str | None = None
    sort_dir: Literal["asc", "desc"] = "desc"
    everything: bool = False


async def old_list(
    connection: Connection, scope: Scope, view: View, query: OldListQuery, *, legacy: bool
) -> tuple[list[Row], int]:
    """One page and the total number of rows, in two statements.

    Each row has the view's columns and ``type_label``, ``deal_title``, ``display_name``, ``kind``.
    """
    parameters: dict[str, Any] = {
        **scope.parameters(),
        "entity": query.entity_id,
        "deal": query.deal_id,
        "types": list(query.activity_type),
        "search": like(query.search) if query.search else None,
        "limit": MAX_ROWS if query.everything else query.page_size,
        "offset": 0 if query.everything else (query.page - 1) * query.page_size,
    }
    conditions = ["true"]
    if query.deal_id is not None:
        conditions.append("v.deal_id = %(deal)s")
    if query.activity_type:
        conditions.append("v.interaction_type = ANY(%(types)s)")
    if query.search:
        conditions.append("(v.title ILIKE %(search)s OR e.display_name ILIKE %(search)s)")
    rows = (
        f"FROM ({view_sql(view, legacy=legacy, of_entity=query.entity_id is not None)}) v"
        f"{_CUSTOMER if query.search else ''} WHERE {' AND '.join(conditions)}"
    )
    order = _SORTS.get(query.sort_field or "", _NEWEST)
    # The labels are joined to the rows of the page only.
    page = (
        f"SELECT v.*, {order} AS sort_value {rows}"
        f" ORDER BY {order} {query.sort_dir} NULLS LAST, v.id {query.sort_dir}"
        " LIMIT %(limit)s OFFSET %(offset)s"
    )
    total = await fetch(connection, f"SELECT count(*) AS total {rows}", parameters)
    found = await fetch(
        connection,
        f"SELECT v.*, {_SHOWN}, {_LABELS} FROM ({page}) v{_CUSTOMER}{_JOINS}"  # noqa: S608
        f" ORDER BY v.sort_value {query.sort_dir} NULLS LAST, v.id {query.sort_dir}",
        parameters,
    )
    return found, int(total[0]["total"])


# Tenant-isolation invariant: even a join by id is restricted to tenant and organization.
_CUSTOMER: Final = (
    " LEFT JOIN customer_entities e ON e.id = v.entity_id"
    " AND e.tenant_id = %(tenant)s AND e.organization_id = %(organization)s"
)
_JOINS: Final = (
    " LEFT JOIN customer_deals d ON d.id = v.deal_id"
    " AND d.tenant_id = %(tenant)s AND d.organization_id = %(organization)s"
    " LEFT JOIN interaction_types t ON t.code = v.interaction_type"
    " AND t.tenant_id = %(tenant)s AND t.organization_id = %(organization)s"
)
_LABELS: Final = (
    "t.label AS type_label, d.title AS deal_title, e.display_name, e.kind,"
    " e.owner_user_id::text AS customer_owner_user_id"
)
