"""``/api/customers/dashboard/widgets/…``: data of the dashboard widgets (spec "Dashboard widgets")."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Query

from api.adapters.old_items import old_instant
from api.authorization import authorized_router, require_features
from api.feature_flags import legacy_shows
from api.interaction_items import enriched, mirrors_of
from api.principal import Principal
from api.queries import widgets
from api.response_models import Id, Kind, Mirrored, ResponseModel, Timestamp, responses_of
from api.services import ServicesDep

router = authorized_router("widgets")

_Limit = Annotated[int, Query(ge=1, le=20)]


class NextItem(ResponseModel):
    """A customer in the widget of next interactions."""

    id: Id
    display_name: str
    kind: Kind
    organization_id: Id
    next_interaction_at: Timestamp
    next_interaction_name: str
    next_interaction_icon: str | None
    next_interaction_color: str | None
    owner_user_id: Id | None


class NextWidget(ResponseModel):
    """The widget of next interactions, overdue ones first."""

    items: list[NextItem]
    now: Timestamp


class TodoOwner(ResponseModel):
    """The customer of a todo in the widget."""

    id: Id | None
    display_name: str | None
    kind: Kind | None
    owner_user_id: Id | None


class TodoItem(Mirrored):
    """A todo in the widget."""

    id: Id
    todo_id: Id
    todo_source: str
    todo_title: str | None
    created_at: Timestamp
    organization_id: Id
    entity: TodoOwner


class TodoWidget(ResponseModel):
    """The widget of open todos."""

    items: list[TodoItem]


@router.get("/api/customers/dashboard/widgets/next-interactions", responses=responses_of(NextWidget))
async def next_interactions(
    services: ServicesDep,
    limit: _Limit = 5,
    include_past: Annotated[bool, Query(alias="includePast")] = True,
    principal: Principal = require_features("customers.view"),
) -> dict[str, Any]:
    """Customers with their next interaction, overdue first. ``includePast=false`` omits overdue ones."""
    now = datetime.now(UTC)
    async with services.reads.connection() as connection:
        rows = await widgets.next_interactions(
            connection, principal.scope, now=now, limit=limit, include_past=include_past
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
    services: ServicesDep, limit: _Limit = 5, principal: Principal = require_features("customers.view")
) -> dict[str, Any]:
    """Open todos: overdue first, then by schedule, then newest first."""
    legacy = await legacy_shows(services, principal)
    async with services.reads.connection() as connection:
        rows = await widgets.customer_todos(connection, principal.scope, limit=limit, legacy=legacy)
        mirrors = await mirrors_of(connection, principal, rows)
    items = [
        {
            "id": row["id"],
            "todoId": row["todo_id"],
            "todoSource": row["todo_source"],
            "todoTitle": row["title"],
            "createdAt": old_instant(row["created_at"]),
            "organizationId": principal.organization_id,
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
