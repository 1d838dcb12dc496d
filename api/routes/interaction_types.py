"""``/api/customers/interaction-types``: the organization's dictionary of interaction types."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Request, Response
from pydantic import Field

from api.authorization import authorized_router, require_features
from api.bodies import RequestBody
from api.command_gateway import CommandRequest, Rejection
from api.preconditions import preconditions_of
from api.principal import Principal
from api.queries.interaction_types import dictionary
from api.response_models import Created, Done, ResponseModel, responses_of
from api.services import Services, ServicesDep
from api.write_responses import write_response
from schemas.errors import Reject
from schemas.values import Color, Flag, InteractionType, ShortText

router = authorized_router("interaction types")
PATH: Final = "/api/customers/interaction-types"
_KIND: Final = "interaction_type.upsert"


class TypeBody(RequestBody):
    """An entry. Omitted fields keep their value. ``strict`` makes the dictionary reject unknown types."""

    interaction_type: InteractionType
    label: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00]*$")] | None = None
    icon: ShortText | None = None
    color: Color | None = None
    actionable: Flag | None = None
    strict: Flag | None = None


class TypeItem(ResponseModel):
    """An entry of the dictionary."""

    interaction_type: str
    label: str
    icon: str | None
    color: str | None
    actionable: bool


class TypeList(ResponseModel):
    """The dictionary of the organization."""

    items: list[TypeItem]
    strict: bool


@router.get(PATH, responses=responses_of(TypeList))
async def list_types(
    services: ServicesDep, principal: Principal = require_features("customers.view")
) -> dict[str, Any]:
    """The entries by label. A strict dictionary rejects unknown types."""
    async with services.reads.connection() as connection:
        rows, strict = await dictionary(connection, principal.scope)
    return {
        "items": [
            {
                "interactionType": row["code"],
                "label": row["label"],
                "icon": row["icon"],
                "color": row["color"],
                "actionable": row["actionable"],
            }
            for row in rows
        ],
        "strict": strict,
    }


@router.post(PATH, status_code=201, response_model=Created)
async def create_type(
    body: TypeBody,
    request: Request,
    services: ServicesDep,
    principal: Principal = require_features("customers.create"),
) -> Response:
    """Add an entry: 201 with its code."""
    command = _command(request, principal, body, expected_version=0)
    try:
        result = await services.commands.execute(command)
    except Rejection as rejection:
        if rejection.code == "version_conflict":
            raise Reject(
                "interaction_type_exists",
                "The dictionary contains this type already. Change it with PUT.",
                pointer="/interactionType",
                status=409,
            ) from None
        raise
    return write_response(result, {"id": body.interaction_type}, 201)


@router.put(PATH, response_model=Done, responses={404: {"description": "No such type"}})
async def update_type(
    body: TypeBody,
    request: Request,
    services: ServicesDep,
    principal: Principal = require_features("customers.edit"),
) -> Response:
    """Change an entry. The projections of all customers that show it are updated."""
    if not await _known(services, principal, body.interaction_type):
        raise Reject("interaction_type_not_found", "The dictionary does not contain this type.", status=404)
    result = await services.commands.execute(_command(request, principal, body))
    return write_response(result, {"ok": True})


async def _known(services: Services, principal: Principal, code: str) -> bool:
    async with services.reads.connection() as connection:
        rows, _ = await dictionary(connection, principal.scope)
    return any(row["code"] == code for row in rows)


def _command(
    request: Request, principal: Principal, body: TypeBody, expected_version: int | None = None
) -> CommandRequest:
    # A dictionary belongs to its organization, so the organization id is the record key.
    return CommandRequest(
        principal=principal,
        kind=_KIND,
        entity_id=principal.organization_id,
        data=body.data(),
        idempotency_key=preconditions_of(request).idempotency_key,
        route=f"{request.method} {PATH}",
        expected_version=expected_version,
    )
