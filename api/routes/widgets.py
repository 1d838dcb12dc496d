"""``/api/customers/dashboard/widgets/…``: what the dashboard shows (spec "Dashboard widgets")."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Query

from api.adapters.old_items import old_instant
from api.feature_flags import legacy_shows
from api.guards import require_features
from api.interaction_items import enriched, mirrors_of
from api.principal import Principal
from api.queries import widgets
from api.response_models import NextWidget, TodoWidget, responses_of
from api.routing import guarded_router
from api.services import Needed

router = guarded_router("widgets")

_Limit = Annotated[int, Query(ge=1, le=20)]


@router.get("/api/customers/dashboard/widgets/next-interactions", responses=responses_of(NextWidget))
async def next_interactions(
    services: Needed,
    limit: _Limit = 5,
    include_past: Annotated[bool, Query(alias="includePast")] = True,
    who: Principal = require_features("customers.view"),
) -> dict[str, Any]:
    """Customers with what comes next, overdue ones first; ``includePast=false`` leaves those out."""
    now = datetime.now(UTC)
    async with services.reads.connection() as connection:
        rows = await widgets.next_interactions(
            connection, who.scope, now=now, limit=limit, include_past=include_past
        )
    return {
        "items": [
            {
                "id": row["id"],
                "displayName": row["display_name"],
                "kind": row["kind"],
                "organizationId": row["organization_id"],
                "nextInteractionAt": old_instant(row["next_interaction_at"]),
                "nextInteractionName": row["next_interaction_name"],
                "nextInteractionIcon": row["next_interaction_icon"],
                "nextInteractionColor": row["next_interaction_color"],
                "ownerUserId": row["owner_user_id"],
            }
            for row in rows
        ],
        "now": old_instant(now),
    }


@router.get("/api/customers/dashboard/widgets/customer-todos", responses=responses_of(TodoWidget))
async def customer_todos(
    services: Needed, limit: _Limit = 5, who: Principal = require_features("customers.view")
) -> dict[str, Any]:
    """The open todos: overdue ones first, then by schedule, then the newest."""
    legacy = await legacy_shows(services, who)
    async with services.reads.connection() as connection:
        rows = await widgets.customer_todos(connection, who.scope, limit=limit, legacy=legacy)
        mirrors = await mirrors_of(connection, who, rows)
    items = [
        {
            "id": row["id"],
            "todoId": row["todo_id"],
            "todoSource": row["todo_source"],
            "todoTitle": row["title"],
            "createdAt": old_instant(row["created_at"]),
            "organizationId": who.organization_id,
            "entity": {
                "id": row["entity_id"],
                "displayName": row["display_name"],
                "kind": row["kind"],
                "ownerUserId": row["owner_user_id"],
            },
        }
        for row in rows
    ]
    return {"items": [enriched(item, mirrors) for item in items]}
