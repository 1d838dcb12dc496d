"""Convert rows of customers and deals to their JSON representations."""

from __future__ import annotations

from typing import Any

from api.instants import instant_text

Row = dict[str, Any]


def customer(row: Row) -> Row:
    """One person or company with its projection, which is derived and never written by a client."""
    return {
        "id": row["id"],
        "kind": row["kind"],
        "displayName": row["display_name"],
        "primaryEmail": row["primary_email"],
        "primaryPhone": row["primary_phone"],
        "ownerUserId": row["owner_user_id"],
        "nextInteractionAt": instant_text(row["next_interaction_at"]),
        "nextInteractionName": row["next_interaction_name"],
        "nextInteractionRefId": row["next_interaction_ref_id"],
        "nextInteractionIcon": row["next_interaction_icon"],
        "nextInteractionColor": row["next_interaction_color"],
        "lastInteractionAt": instant_text(row["last_interaction_at"]),
        "lastInteractionName": row["last_interaction_name"],
        "lastInteractionRefId": row["last_interaction_ref_id"],
        "openCount": row["open_count"],
        "overdueCount": row["overdue_count"],
        "doneCount": row["done_count"],
        "version": row["entity_version"],
        "organizationId": row["organization_id"],
        "tenantId": row["tenant_id"],
        "createdAt": instant_text(row["created_at"]),
        "updatedAt": instant_text(row["updated_at"]),
    }


def deal(row: Row) -> Row:
    """One deal."""
    return {
        "id": row["id"],
        "entityId": row["entity_id"],
        "title": row["title"],
        "status": row["status"],
        "version": row["version"],
        "createdAt": instant_text(row["created_at"]),
        "updatedAt": instant_text(row["updated_at"]),
    }
