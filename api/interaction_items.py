"""Convert interaction rows to their JSON representation, with the field names that old clients know."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from api.instants import instant_text
from api.principal import Principal
from api.queries.integrations import Enrichment, integrations_of_async
from api.queries.scope import Connection, Row
from schemas.events import SNAPSHOT, SNAPSHOT_INSTANTS


def interaction_item(row: Row) -> dict[str, Any]:
    """One item. Users and custom fields belong to other systems, so those members are null.

    :param row: the columns of the table, with ids as text and ``deal_title``.
    """
    members = {name: row[column] for name, column in SNAPSHOT.items()}
    for name in SNAPSHOT_INSTANTS:
        members[name] = instant_text(members[name])
    return {
        **members,
        "authorName": None,
        "authorEmail": None,
        "dealTitle": row["deal_title"],
        "customValues": None,
        "interactionTypeLabel": row.get("type_label"),
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
