"""``POST /api/customers/integrations/{integration}/…``: plan, sync, pause, resume, test the connection."""

from __future__ import annotations

from typing import Any, Literal

from api.authorization import authorized_router, require_features
from api.bodies import RequestBody
from api.integration_items import IntegrationPlan
from api.mutation_guards import Mutation
from api.principal import Principal
from api.queries.integration_list import stored_plan
from api.queries.integrations import has_integration
from api.response_models import ResponseModel, responses_of
from api.routes.integration_views import MANAGE, MISSING, PATH, IntegrationId
from api.services import Services, ServicesDep
from schemas.errors import Reject
from schemas.integration_decisions import IntegrationOperation
from schemas.integration_events import IntegrationChanged

router = authorized_router("integrations")
_REFUSED = "Refused; nothing was changed. `code` and `detail` give the reason."


class SyncBody(RequestBody):
    """``acceptMassChange`` confirms that the deletions found at the provider are intended."""

    accept_mass_change: bool = False


class SyncStarted(ResponseModel):
    """The integration is active, and ``rows`` interactions are queued."""

    ok: Literal[True]
    state: str
    rows: int


class StateDone(ResponseModel):
    """The integration has this state now."""

    ok: Literal[True]
    state: str


class ConnectionTested(ResponseModel):
    """The provider answered with the stored settings and secrets; ``detail`` is one sentence about it."""

    ok: Literal[True]
    detail: str


@router.post(
    PATH + "/{integration}/plan",
    responses=responses_of(IntegrationPlan, status_404=MISSING, status_409=_REFUSED),
)
async def make_plan(
    integration: IntegrationId, services: ServicesDep, principal: Principal = require_features(MANAGE)
) -> dict[str, Any]:
    """Preview the first sync: read both sides and count. Nothing is written at the provider or here.

    A large board takes longer than a request may: after 504, read the plan with `GET` when it is `made`.
    """
    await execute(services, principal, IntegrationOperation(integrationId=integration, operation="plan"))
    async with services.reads.connection() as connection:
        plan = await stored_plan(connection, principal.scope, integration)
    if plan is None:
        raise Reject("removed", "The integration was removed in the meantime.", status=409)
    return plan


@router.post(
    PATH + "/{integration}/sync",
    responses=responses_of(SyncStarted, status_404=MISSING, status_409=_REFUSED),
)
async def start_sync(
    integration: IntegrationId,
    body: SyncBody,
    services: ServicesDep,
    principal: Principal = require_features(MANAGE),
) -> dict[str, Any]:
    """Confirm the plan: queue every interaction and activate the integration.

    409 `mass_change` means that many objects were deleted at the provider: check there first, then confirm
    with `acceptMassChange`. On an active integration it starts a full sync.
    """
    wanted = IntegrationOperation(
        integrationId=integration, operation="start", acceptMassChange=body.accept_mass_change
    )
    done = await execute(services, principal, wanted)
    return {"ok": True, "state": done.state, "rows": done.rows or 0}


@router.post(
    PATH + "/{integration}/pause",
    responses=responses_of(StateDone, status_404=MISSING, status_409=_REFUSED),
)
async def pause(
    integration: IntegrationId, services: ServicesDep, principal: Principal = require_features(MANAGE)
) -> dict[str, Any]:
    """Pause an integration. Changes accumulate, and nothing is lost.

    The connectors stop within seconds, once the items in flight are done.
    """
    wanted = IntegrationOperation(integrationId=integration, operation="pause")
    done = await execute(services, principal, wanted)
    return {"ok": True, "state": done.state}


@router.post(
    PATH + "/{integration}/resume",
    responses=responses_of(StateDone, status_404=MISSING, status_409=_REFUSED),
)
async def resume(
    integration: IntegrationId, services: ServicesDep, principal: Principal = require_features(MANAGE)
) -> dict[str, Any]:
    """Resume an integration that was paused, or that stopped because of its credentials."""
    wanted = IntegrationOperation(integrationId=integration, operation="resume")
    done = await execute(services, principal, wanted)
    return {"ok": True, "state": done.state}


@router.post(
    PATH + "/{integration}/test-connection",
    responses=responses_of(ConnectionTested, status_404=MISSING, status_409=_REFUSED),
)
async def check_connection(
    integration: IntegrationId, services: ServicesDep, principal: Principal = require_features(MANAGE)
) -> dict[str, Any]:
    """Check that the provider answers with the stored settings and secrets. Nothing is synced."""
    wanted = IntegrationOperation(integrationId=integration, operation="test")
    done = await execute(services, principal, wanted)
    return {"ok": True, "detail": done.detail or ""}


async def execute(
    services: Services, principal: Principal, wanted: IntegrationOperation
) -> IntegrationChanged:
    """Execute an operation on an integration of the caller's organization, between the mutation guards.

    :raises Reject: there is no such integration (404), or the connectors refused (409).
    :raises DecisionPending: sent, and not executed in time (504).
    """
    async with services.reads.connection() as connection:
        if not await has_integration(connection, principal.scope, wanted.integration_id):
            raise Reject("not_found", MISSING, status=404)
    mutation = Mutation(
        principal=principal,
        action=wanted.operation,
        resource_kind="integrations.integration",
        resource_id=wanted.integration_id,
        data=wanted.model_dump(by_alias=True, exclude_defaults=True),
    )
    await services.mutation_guards.run_before(mutation)
    done = await services.decisions.change(principal, wanted)
    result = {"state": done.state, "rows": done.rows}
    await services.mutation_guards.run_after(mutation, result)
    return done
