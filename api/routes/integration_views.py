"""``GET /api/customers/integrations``: health and backlog, providers, and one integration."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Path

from api.authorization import authorized_router, require_features
from api.instants import instant_text
from api.integration_items import (
    IntegrationItem,
    IntegrationPlan,
    ProviderItem,
    SettingField,
    integration_item,
)
from api.principal import Principal
from api.queries.integration_list import integration_rows, stored_plan, stored_providers
from api.queries.integrations import has_integration
from api.response_models import ResponseModel, Timestamp, responses_of
from api.services import ServicesDep
from schemas.errors import Reject

router = authorized_router("integrations")
PATH: Final = "/api/customers/integrations"
MISSING: Final = "Your organization has no such integration."
VIEW: Final = "customers.view"
MANAGE: Final = "customers.integrations.manage"

IntegrationId = Annotated[str, Path(max_length=200, pattern=r"^[^\x00]*$")]


class IntegrationList(ResponseModel):
    """Every integration of the organization."""

    items: list[IntegrationItem]


class IntegrationDetail(IntegrationItem):
    """An integration. ``settings`` and ``policy`` are ``null`` unless the caller may manage integrations."""

    settings: dict[str, Any] | None
    policy: dict[str, Any] | None


class ProviderList(ResponseModel):
    """Installed providers, and the policy settings that integrations of all providers have.

    ``updatedAt`` is when the connectors stored the list. It is ``null``, and the list empty, before they have
    run with this database.
    """

    items: list[ProviderItem]
    policy: list[SettingField]
    updated_at: Timestamp | None


@router.get(PATH, responses=responses_of(IntegrationList))
async def list_integrations(
    services: ServicesDep, principal: Principal = require_features(VIEW, MANAGE)
) -> dict[str, Any]:
    """Every integration of the caller's organization, with its health and backlog."""
    async with services.reads.connection() as connection:
        rows = await integration_rows(connection, principal.scope)
    return {"items": [integration_item(row) for row in rows]}


@router.get(PATH + "/providers", responses=responses_of(ProviderList))
async def list_providers(
    services: ServicesDep, principal: Principal = require_features(VIEW, MANAGE)
) -> dict[str, Any]:
    """The installed providers with their settings, features, guarantees and limits."""
    del principal
    async with services.reads.connection() as connection:
        found = await stored_providers(connection)
    if found is None:
        return {"items": [], "policy": [], "updatedAt": None}
    stored = found["checkpoint"]
    updated_at = instant_text(found["updated_at"])
    return {"items": stored["providers"], "policy": stored["policy"], "updatedAt": updated_at}


@router.get(PATH + "/{integration}", responses=responses_of(IntegrationDetail, status_404=MISSING))
async def get_integration(
    integration: IntegrationId,
    services: ServicesDep,
    principal: Principal = require_features(VIEW, MANAGE),
) -> dict[str, Any]:
    """One integration with its settings. Secrets are never returned."""
    async with services.reads.connection() as connection:
        rows = await integration_rows(connection, principal.scope, integration)
    if not rows:
        raise Reject("not_found", MISSING, status=404)
    shown = principal.has(MANAGE)
    settings = {name: rows[0][name] if shown else None for name in ("settings", "policy")}
    return {**integration_item(rows[0]), **settings}


@router.get(
    PATH + "/{integration}/plan",
    responses=responses_of(
        IntegrationPlan, status_404="No such integration, or no plan was requested since it was added."
    ),
)
async def get_plan(
    integration: IntegrationId,
    services: ServicesDep,
    principal: Principal = require_features(VIEW, MANAGE),
) -> dict[str, Any]:
    """The last preview of the first sync. Request a new one with `POST`."""
    async with services.reads.connection() as connection:
        if not await has_integration(connection, principal.scope, integration):
            raise Reject("not_found", MISSING, status=404)
        plan = await stored_plan(connection, principal.scope, integration)
    if plan is None:
        raise Reject("no_plan", "No plan was requested for this integration yet.", status=404)
    return plan
