"""``/api/customers/integrations/warnings``: conflicts and failures of mirrors that wait for a person."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Query

from api.guards import require_features
from api.instants import instant_text
from api.principal import Principal
from api.routing import guarded_router
from api.services import Needed
from api.shapes import WarningList, shaped
from sinks.reads.integration_warnings import open_warnings

router = guarded_router("integration warnings")
_Kind = Literal["conflict", "refused", "failed", "detached", "brake", "auth", "disabled", "superseded"]


@router.get("/api/customers/integrations/warnings", responses=shaped(WarningList))
async def list_warnings(
    services: Needed,
    integration: Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]*$")] = None,
    kind: _Kind | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 25,
    who: Principal = require_features("customers.view"),
) -> dict[str, Any]:
    """Open warnings of the caller's organization, newest first; none while external sync is off.

    `interactions connectors retry` decides them: the gateway writes nothing of the connectors.
    """
    async with services.reads.connection() as connection:
        rows = await open_warnings(connection, who.scope, integration=integration, kind=kind, limit=limit)
    return {
        "items": [
            {
                "id": row["id"],
                "integrationId": row["integration_id"],
                "interactionId": row["interaction_id"],
                "entityId": row["entity_id"],
                "externalId": row["external_id"],
                "kind": row["kind"],
                "field": row["field"],
                "detail": row["detail"],
                "localValue": row["local_value"],
                "remoteValue": row["remote_value"],
                "resolution": row["resolution"],
                "createdAt": instant_text(row["created_at"]),
                "updatedAt": instant_text(row["updated_at"]),
            }
            for row in rows
        ]
    }
