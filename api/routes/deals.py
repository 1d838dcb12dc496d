"""``/api/customers/deals``: deals, which interactions can belong to."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import uuid4

from fastapi import Query, Request, Response

from api.authorization import authorized_router, require_features
from api.command_gateway import CommandRequest, Rejection, keyed_command_id
from api.conditional_reads import NOT_MODIFIED, validator
from api.cursor import make_cursor, read_cursor
from api.customer_items import deal
from api.preconditions import (
    expected_version,
    precondition_failed,
    preconditions_of,
    record_modified,
    status_of_key,
)
from api.principal import Principal
from api.queries import deals
from api.response_models import Created, Done, responses_of
from api.routes.deal_models import Deal, DealCreate, DealPage, DealQuery, DealUpdate
from api.services import ServicesDep
from api.write_responses import write_response
from schemas.errors import Reject
from schemas.identity import derive_id
from schemas.values import UuidText

router = authorized_router("deals")
PATH: Final = "/api/customers/deals"


@router.get(PATH, responses=responses_of(DealPage))
async def list_deals(
    query: Annotated[DealQuery, Query()],
    services: ServicesDep,
    principal: Principal = require_features("customers.view"),
) -> dict[str, Any]:
    """A page of deals, newest first."""
    bound = query.model_dump(include={"entity_id", "status", "search"})
    after = None
    if query.cursor is not None:
        after = read_cursor(query.cursor, "createdAt", "desc", bound, datetime)
        if after.key is None:
            after = None  # created_at is never null
    async with services.reads.connection() as connection:
        rows = await deals.deals(connection, principal.scope, limit=query.limit, after=after, **bound)
    shown = rows[: query.limit]
    answer: dict[str, Any] = {"items": [deal(row) for row in shown]}
    if len(rows) > query.limit:
        answer["nextCursor"] = make_cursor(
            "createdAt", "desc", bound, shown[-1]["created_at"], shown[-1]["id"]
        )
    return answer


@router.get(PATH + "/{deal_id}", responses={**responses_of(Deal, status_404="No such deal"), **NOT_MODIFIED})
async def show_deal(
    deal_id: UuidText,
    request: Request,
    services: ServicesDep,
    response: Response,
    principal: Principal = require_features("customers.view"),
) -> dict[str, Any]:
    """One deal. Its ``ETag`` can be sent as ``If-Match``."""
    async with services.reads.connection() as connection:
        row = await deals.deal(connection, principal.scope, deal_id)
    if row is None:
        raise _not_found()
    response.headers["ETag"] = validator(request, row["version"], {})
    return deal(row)


@router.post(
    PATH, status_code=201, response_model=Created, responses={404: {"description": "No such customer"}}
)
async def create_deal(
    body: DealCreate,
    request: Request,
    services: ServicesDep,
    principal: Principal = require_features("customers.create"),
) -> Response:
    """Add a deal: 201 with its id."""
    key, route = preconditions_of(request).idempotency_key, f"POST {PATH}"
    data = body.data("entity_id")
    if body.id is None:
        data["id"] = derive_id("deal", keyed_command_id(principal, route, key)) if key else str(uuid4())
    command = CommandRequest(
        principal=principal,
        kind="deal.upsert",
        entity_id=body.entity_id,
        data=data,
        idempotency_key=key,
        route=route,
        expected_version=0,
    )
    try:
        result = await services.commands.execute(command)
    except Rejection as rejection:
        if rejection.code == "version_conflict":
            raise Reject("deal_exists", "A deal with this id exists.", pointer="/id", status=409) from None
        raise
    return write_response(result, {"id": data["id"]}, 201)


@router.put(PATH, response_model=Done, responses={404: {"description": "No such deal"}})
async def update_deal(
    body: DealUpdate,
    request: Request,
    services: ServicesDep,
    principal: Principal = require_features("customers.edit"),
) -> Response:
    """Change a deal. Omitted fields keep their value. A repeat with the same key gets the first response."""
    preconditions, route = preconditions_of(request), f"PUT {PATH}"
    async with services.reads.connection() as connection:
        status = await status_of_key(connection, principal, route, preconditions.idempotency_key)
        row = await deals.deal(connection, principal.scope, body.id)
    if row is None:
        raise _not_found()
    command = CommandRequest(
        principal=principal,
        kind="deal.upsert",
        entity_id=row["entity_id"],
        data=body.data(),
        idempotency_key=preconditions.idempotency_key,
        route=route,
        expected_version=None
        if status is not None
        else expected_version(preconditions, row["version"], row["updated_at"]),
    )
    try:
        return write_response(await services.commands.execute(command), {"ok": True})
    except Rejection as rejection:
        if rejection.code != "version_conflict":
            raise
    if preconditions.updated_at is None:
        raise precondition_failed()
    async with services.reads.connection() as connection:
        row = await deals.deal(connection, principal.scope, body.id)
    raise record_modified(preconditions.updated_at, row["updated_at"] if row is not None else None)


def _not_found() -> Reject:
    return Reject("deal_not_found", "There is no deal with this id.", status=404)
