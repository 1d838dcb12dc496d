"""``/api/customers/integrations/warnings``: conflicts and failures of mirrors that need a decision."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Path, Query
from pydantic import Field

from api.authorization import authorized_router, require_features
from api.bodies import RequestBody
from api.instants import instant_text
from api.mutation_guards import Mutation
from api.principal import Principal
from api.queries.integration_warnings import chosen_warnings, open_warnings
from api.response_models import Id, ResponseModel, Timestamp, responses_of
from api.services import ServicesDep
from schemas.errors import Reject
from schemas.instants import format_instant
from schemas.integration_decisions import CHOICES, MAX_WARNINGS, Resolution, SeenWarning, WarningsDecision
from schemas.values import Instant

router = authorized_router("integration warnings")
_Kind = Literal["conflict", "refused", "failed", "detached", "brake", "auth", "disabled", "superseded"]


class WarningItem(ResponseModel):
    """A warning that needs a decision. ``resolution`` was decided and is being executed."""

    id: Id
    integration_id: str
    interaction_id: Id | None
    entity_id: Id | None
    external_id: str | None
    kind: str
    field: str | None
    detail: str
    local_value: Any
    remote_value: Any
    resolution: str | None
    created_at: Timestamp
    updated_at: Timestamp


class WarningList(ResponseModel):
    """Open warnings, newest first."""

    items: list[WarningItem]


class Decided(ResponseModel):
    """Outcome of a decision: warnings that took it, and those left as they were closed or have changed."""

    ok: Literal[True]
    taken: list[Id]
    left: list[Id]


@router.get("/api/customers/integrations/warnings", responses=responses_of(WarningList))
async def list_warnings(
    services: ServicesDep,
    integration: Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]*$")] = None,
    kind: _Kind | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 25,
    principal: Principal = require_features("customers.view"),
) -> dict[str, Any]:
    """Open warnings of the caller's organization, newest first. None while external sync is off."""
    async with services.reads.connection() as connection:
        rows = await open_warnings(
            connection, principal.scope, integration=integration, kind=kind, limit=limit
        )
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


class SeenBody(RequestBody):
    """A warning as the list showed it."""

    id: UUID
    updated_at: Instant


class DecisionBody(RequestBody):
    """One decision on one or more warnings."""

    resolution: Resolution
    warnings: list[SeenBody] = Field(min_length=1, max_length=MAX_WARNINGS)


@router.post(
    "/api/customers/integrations/{integration}/warnings/decide",
    responses=responses_of(Decided, status_404="None of these is a warning of this integration."),
)
async def decide(
    integration: Annotated[str, Path(max_length=200, pattern=r"^[^\x00]*$")],
    body: DecisionBody,
    services: ServicesDep,
    principal: Principal = require_features("customers.edit"),
) -> dict[str, Any]:
    """Decide one or more warnings: keep the local value, take the provider's, retry, or dismiss.

    Send `updatedAt` as in the list. A warning that has changed since is left, because its new values were
    not seen. The response comes once the connectors have committed the decision. Resubmitting a decision is
    safe; each warning applies it at most once.
    """
    seen = {str(warning.id): format_instant(warning.updated_at) for warning in body.warnings}
    async with services.reads.connection() as connection:
        found = await chosen_warnings(connection, principal.scope, integration, list(seen))
    if not found:
        raise Reject("not_found", "None of these is a warning of this integration.", status=404)
    kinds = {row["kind"] for row in found if row["state"] == "open"}
    unfit = sorted(kind for kind in kinds if body.resolution not in CHOICES.get(kind, frozenset()))
    if unfit:
        detail = f"{body.resolution} is not a choice for warnings of this kind: {', '.join(unfit)}."
        raise Reject("not_a_choice", detail, status=409)
    decision = WarningsDecision(
        integrationId=integration,
        resolution=body.resolution,
        warnings=[SeenWarning(id=identity, updatedAt=moment) for identity, moment in seen.items()],
    )
    mutation = Mutation(
        principal=principal,
        action="decide",
        resource_kind="integrations.warning",
        resource_id=integration,
        data=decision.model_dump(by_alias=True),
    )
    await services.mutation_guards.run_before(mutation)
    decided = await services.decisions.execute(principal, decision)
    await services.mutation_guards.run_after(mutation, decided.model_dump(by_alias=True))
    return {"ok": True, "taken": decided.taken, "left": decided.left}
