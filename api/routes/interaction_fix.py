"""``POST /api/customers/interactions/fix``: correct an interaction and its signals together."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Request, Response
from pydantic import Field

from api.authorization import authorized_router, require_features
from api.changes import change
from api.principal import Principal
from api.response_models import Done
from api.routes.interaction_models import InteractionUpdateBody
from api.routes.signal_models import SignalUpdateBody
from api.services import ServicesDep
from api.write_responses import write_response
from schemas.signal_payloads import MAX_SIGNALS
from schemas.values import Status

router = authorized_router("interactions")
PATH: Final = "/api/customers/interactions/fix"
_NOT_FOUND: Final[dict[int | str, dict[str, Any]]] = {404: {"description": "No such interaction or signal"}}


class InteractionFixBody(InteractionUpdateBody):
    """Changes of an interaction and of its signals: all of them are written, or none."""

    # Declared without null, so that null is rejected: an interaction always has a status.
    status: Status = "planned"
    signals: Annotated[tuple[SignalUpdateBody, ...], Field(max_length=MAX_SIGNALS)] = ()


@router.post(PATH, response_model=Done, responses=_NOT_FOUND)
async def fix_interaction(
    body: InteractionFixBody,
    request: Request,
    services: ServicesDep,
    principal: Principal = require_features("customers.edit"),
) -> Response:
    """Change an interaction and its signals in one transaction. Conditions refer to the interaction."""
    result = await change(services, request, principal, "interaction.fix", body.id, body.data())
    return write_response(result, {"ok": True})
