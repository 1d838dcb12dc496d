"""``/api/customers/interactions``: the canonical routes (spec "New canonical endpoints")."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from fastapi import Query, Request, Response

from api.authorization import authorized_router, require_features
from api.changes import change, not_found
from api.command_gateway import CommandRequest
from api.conditional_reads import NOT_MODIFIED, extras_of_interaction, validator
from api.cursor import make_cursor, read_cursor
from api.interaction_items import enriched, interaction_item, mirrors_of
from api.preconditions import preconditions_of
from api.principal import Principal
from api.queries.interaction_list import SORTS, Filters, Page, interaction_by_id, interaction_page
from api.response_models import Completed, Created, Done, responses_of
from api.routes.interaction_models import (
    CompleteBody,
    IdBody,
    Interaction,
    InteractionCreateBody,
    InteractionPage,
    InteractionQuery,
    InteractionUpdateBody,
)
from api.services import Services, ServicesDep
from api.write_responses import write_response
from domain.lifecycle import MIGRATION_SOURCE
from schemas.errors import Reject
from schemas.values import UUID_PATTERN, UuidText

router = authorized_router("interactions")
PATH: Final = "/api/customers/interactions"
#: Feature of callers that move interactions from another system.
_MIGRATE: Final = "customers.migrate"
#: Feature of callers that plan interactions.
_CREATE: Final = "customers.create"
_DESCENDING: Final = frozenset({"occurredAt", "createdAt", "updatedAt", "priority"})
_NOT_FOUND: Final[dict[int | str, dict[str, Any]]] = {404: {"description": "No such interaction"}}


@router.get(PATH, responses=responses_of(InteractionPage))
async def list_interactions(
    query: Annotated[InteractionQuery, Query()],
    services: ServicesDep,
    principal: Principal = require_features("customers.view"),
) -> dict[str, Any]:
    """Interactions in keyset pages. Repeat with ``nextCursor`` as ``cursor`` until there is none."""
    filters = query.filters()
    direction = query.sortDir or ("desc" if query.sortField in _DESCENDING else "asc")
    named = {name: getattr(filters, name) for name in Filters.__slots__}
    after = None
    if query.cursor is not None:
        after = read_cursor(query.cursor, query.sortField, direction, named, SORTS[query.sortField][1])
    page = Page(sort=query.sortField, direction=direction, limit=query.limit, after=after)
    async with services.reads.connection() as connection:
        rows, more = await interaction_page(connection, principal.scope, filters, page)
        mirrors = await mirrors_of(connection, principal, rows)
    answer: dict[str, Any] = {"items": [enriched(interaction_item(row), mirrors) for row in rows]}
    if more:
        last = rows[-1]
        answer["nextCursor"] = make_cursor(query.sortField, direction, named, last["sort_key"], last["id"])
    return answer


@router.get(PATH + "/{interaction_id}", responses={**responses_of(Interaction), **_NOT_FOUND, **NOT_MODIFIED})
async def get_interaction(
    interaction_id: UuidText,
    request: Request,
    services: ServicesDep,
    response: Response,
    principal: Principal = require_features("customers.view"),
) -> dict[str, Any]:
    """One interaction. Its ``ETag`` can be sent as ``If-Match``."""
    async with services.reads.connection() as connection:
        row = await interaction_by_id(connection, principal.scope, interaction_id)
        if row is None:
            raise not_found()
        mirrors = await mirrors_of(connection, principal, [row])
    item = enriched(interaction_item(row), mirrors)
    response.headers["ETag"] = validator(request, row["version"], extras_of_interaction(item))
    return item


@router.post(
    PATH, status_code=201, response_model=Created, responses={404: {"description": "No such customer"}}
)
async def create_interaction(
    body: InteractionCreateBody,
    request: Request,
    services: ServicesDep,
    principal: Principal = require_features("customers.create"),
) -> Response:
    """Plan an interaction, or log one that took place: 201 after the commit."""
    data = body.data("entity_id")
    data.setdefault("source", "manual")
    if (data["source"] or "").startswith(MIGRATION_SOURCE) and not principal.has(_MIGRATE):
        raise Reject(
            "missing_feature",
            f"A source that begins with {MIGRATION_SOURCE} requires the feature {_MIGRATE}.",
            pointer="/source",
            status=403,
        )
    if re.fullmatch(UUID_PATTERN, principal.subject):
        data.setdefault("authorUserId", principal.subject.lower())
    command = CommandRequest(
        principal=principal,
        kind="interaction.create",
        entity_id=body.entity_id,
        data=data,
        idempotency_key=preconditions_of(request).idempotency_key,
        route=f"POST {PATH}",
    )
    result = await services.commands.execute(command)
    return write_response(result, {"id": result["interactionId"]}, 201)


@router.put(PATH, response_model=Done, responses=_NOT_FOUND)
async def update_interaction(
    body: InteractionUpdateBody,
    request: Request,
    services: ServicesDep,
    principal: Principal = require_features("customers.edit"),
) -> Response:
    """Change fields. The status has its own routes."""
    result = await change(services, request, principal, "interaction.update", body.id, body.data())
    return write_response(result, {"ok": True})


@router.delete(PATH, response_model=Done, responses=_NOT_FOUND)
async def delete_interaction(
    request: Request,
    services: ServicesDep,
    id: Annotated[UuidText, Query()],  # noqa: A002 - the parameter's name
    principal: Principal = require_features("customers.delete"),
) -> Response:
    """Delete an interaction. Undo restores it under the same id."""
    result = await change(services, request, principal, "interaction.delete", id, {"id": id})
    return write_response(result, {"ok": True})


@router.post(PATH + "/complete", response_model=Completed, responses=_NOT_FOUND)
async def complete_interaction(
    body: CompleteBody,
    request: Request,
    services: ServicesDep,
    principal: Principal = require_features("customers.edit"),
) -> Response:
    """planned → done. ``next`` plans the next interaction and requires the feature ``customers.create``."""
    data = body.data()
    if body.next is not None:
        if not principal.has(_CREATE):
            raise Reject(
                "missing_feature",
                f"Planning the next interaction requires the feature {_CREATE}. Nothing was completed.",
                pointer="/next",
                status=403,
            )
        if re.fullmatch(UUID_PATTERN, principal.subject):
            data["next"].setdefault("authorUserId", principal.subject.lower())
    result = await change(services, request, principal, "interaction.complete", body.id, data)
    planned = result.get("plannedInteractionId")
    shown = {"ok": True} if planned is None else {"ok": True, "plannedInteractionId": planned}
    return write_response(result, shown)


@router.post(PATH + "/cancel", response_model=Done, responses=_NOT_FOUND)
async def cancel_interaction(
    body: IdBody,
    request: Request,
    services: ServicesDep,
    principal: Principal = require_features("customers.edit"),
) -> Response:
    """planned → canceled."""
    return await _change_status(services, request, principal, "cancel", body.id, body.data())


@router.post(PATH + "/reopen", response_model=Done, responses=_NOT_FOUND)
async def reopen_interaction(
    body: IdBody,
    request: Request,
    services: ServicesDep,
    principal: Principal = require_features("customers.edit"),
) -> Response:
    """done or canceled → planned."""
    return await _change_status(services, request, principal, "reopen", body.id, body.data())


async def _change_status(
    services: Services,
    request: Request,
    principal: Principal,
    action: str,
    identity: str,
    data: dict[str, Any],
) -> Response:
    result = await change(services, request, principal, f"interaction.{action}", identity, data)
    return write_response(result, {"ok": True})
