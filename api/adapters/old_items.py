"""Convert rows of the views to the items that old clients read."""

from __future__ import annotations

from datetime import UTC, datetime
from math import ceil
from typing import Any

from api.queries.interaction_views import LEGACY_TODO
from api.queries.scope import Scope

Row = dict[str, Any]


def old_instant(value: datetime | None) -> str | None:
    """Format as JavaScript does: ``2026-03-01T09:00:00.000Z``, truncated to milliseconds."""
    if value is None:
        return None
    text = value.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"


def activity(row: Row) -> Row:
    """An item of ``GET /api/customers/activities``. User names belong to another system and are null."""
    return {
        "id": row["id"],
        "activityType": row["interaction_type"],
        "subject": row["title"],
        "body": row["body"],
        "occurredAt": old_instant(row["occurred_at"] or row["scheduled_at"]),
        "createdAt": old_instant(row["created_at"]),
        "appearanceIcon": row["appearance_icon"],
        "appearanceColor": row["appearance_color"],
        "entityId": row["entity_id"],
        "authorUserId": row["author_user_id"],
        "authorName": None,
        "authorEmail": None,
        "dealId": row["deal_id"],
        "dealTitle": row.get("deal_title"),
        "customValues": None,
        "activityTypeLabel": row.get("type_label"),
    }


def todo(row: Row, scope: Scope) -> Row:
    """An item of ``GET /api/customers/todos``. For a link that is not moved yet, only the link is known."""
    known = row["source"] != LEGACY_TODO
    due = old_instant(row["scheduled_at"])
    custom = {"priority": row["priority"], "description": row["body"], "due_at": due}
    return {
        "id": row["id"],
        "todoId": row["todo_id"],
        "todoSource": row["todo_source"],
        "todoTitle": row["title"],
        "todoIsDone": row["status"] == "done" if known else None,
        "todoPriority": row["priority"],
        "todoSeverity": None,
        "todoDescription": row["body"],
        "todoDueAt": due,
        "todoCustomValues": custom if known else None,
        "todoOrganizationId": scope.organization_id if known else None,
        "todoUpdatedAt": old_instant(row["updated_at"]) if known else None,
        "organizationId": scope.organization_id,
        "tenantId": scope.tenant_id,
        "createdAt": old_instant(row["created_at"]),
        "externalHref": None,
        "customer": {
            "id": row["entity_id"],
            "displayName": row.get("display_name"),
            "kind": row.get("kind"),
        },
    }


def page(items: list[Row], *, total: int, number: int, size: int) -> Row:
    """The page object around the items."""
    return {
        "items": items,
        "total": total,
        "page": number,
        "pageSize": size,
        # 1 even for an empty list: old clients page while "page < totalPages" and show "1 of 1".
        "totalPages": max(1, ceil(total / size)) if size else 1,
    }
