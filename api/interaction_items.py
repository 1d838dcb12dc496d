"""Convert interaction rows to their JSON representation, with the field names that old clients know."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from api.instants import instant_text
from api.principal import Principal
from api.queries.integrations import Enrichment, integrations_of_async
from api.queries.scope import Connection, Row


def interaction_item(row: Row) -> dict[str, Any]:
    """One item. Users and custom fields belong to other systems, so those members are null.

    :param row: the columns of the table, with ids as text and ``deal_title``.
    """
    return {
        "id": row["id"],
        "entityId": row["entity_id"],
        "dealId": row["deal_id"],
        "interactionType": row["interaction_type"],
        "title": row["title"],
        "body": row["body"],
        "status": row["status"],
        "scheduledAt": instant_text(row["scheduled_at"]),
        "occurredAt": instant_text(row["occurred_at"]),
        "priority": row["priority"],
        "authorUserId": row["author_user_id"],
        "ownerUserId": row["owner_user_id"],
        "appearanceIcon": row["appearance_icon"],
        "appearanceColor": row["appearance_color"],
        "source": row["source"],
        "organizationId": row["organization_id"],
        "tenantId": row["tenant_id"],
        "createdAt": instant_text(row["created_at"]),
        "updatedAt": instant_text(row["updated_at"]),
        "authorName": None,
        "authorEmail": None,
        "dealTitle": row["deal_title"],
        "customValues": None,
        "interactionTypeLabel": row.get("type_label"),
        "version": row["version"],
    }


def enriched(item: dict[str, Any], mirrors: Enrichment) -> dict[str, Any]:
    """Add ``_integrations`` to an item that has mirrors (spec "UMES integration response contract").

    :param item: an interaction, activity or todo in any format, with its ``id``.
    """
    found = mirrors.get(item["id"])
    return {**item, "_integrations": found} if found else item


async def mirrors_of(connection: Connection, principal: Principal, rows: Iterable[Row]) -> Enrichment:
    """The mirrors of all rows of a response, in one statement."""
    ids = list(dict.fromkeys(row["id"] for row in rows))
    return await integrations_of_async(connection, principal.tenant_id, principal.organization_id, ids)
