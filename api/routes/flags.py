"""``/api/customers/flags``: the tenant's feature flags."""

from __future__ import annotations

from typing import Any, Final

from fastapi import Request, Response

from api.authorization import authorized_router, require_features
from api.bodies import RequestBody
from api.command_gateway import CommandRequest
from api.feature_flags import flags, forget
from api.preconditions import preconditions_of
from api.principal import Principal
from api.response_models import Done, ResponseModel, responses_of
from api.services import ServicesDep
from api.write_responses import write_response
from schemas.flags import FlagName
from schemas.values import Flag

router = authorized_router("flags")
PATH: Final = "/api/customers/flags"


class FlagBody(RequestBody):
    """A flag and its new value."""

    flag: FlagName
    enabled: Flag


class FlagItem(ResponseModel):
    """A feature flag. ``chosen`` is true if it was set explicitly."""

    flag: str
    enabled: bool
    chosen: bool


class FlagList(ResponseModel):
    """Every flag of the tenant."""

    items: list[FlagItem]


@router.get(PATH, responses=responses_of(FlagList))
async def list_flags(
    services: ServicesDep, principal: Principal = require_features("customers.view")
) -> dict[str, Any]:
    """Every flag. ``chosen`` is true if it was set explicitly."""
    found = await flags(services, principal)
    return {
        "items": [
            {"flag": flag.name, "enabled": flag.enabled, "chosen": flag.chosen} for flag in found.values()
        ]
    }


@router.put(PATH, response_model=Done)
async def set_flag(
    body: FlagBody,
    request: Request,
    services: ServicesDep,
    principal: Principal = require_features("customers.flags.manage"),
) -> Response:
    """Set a flag for the whole tenant. Every process applies it within two seconds."""
    # A flag belongs to its tenant, so the tenant id is the record key.
    command = CommandRequest(
        principal=principal,
        kind="feature_flag.set",
        entity_id=principal.tenant_id,
        data=body.data(),
        idempotency_key=preconditions_of(request).idempotency_key,
        route=f"PUT {PATH}",
    )
    result = await services.commands.execute(command)
    forget(services, principal)
    return write_response(result, {"ok": True})
