"""``/api/customers/drafts``: the messages that resolve signals."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Query, Request, Response

from api.authorization import authorized_router, require_features
from api.changes import change, not_found
from api.conditional_reads import NOT_MODIFIED, validator
from api.list_pages import list_page
from api.principal import Principal
from api.queries.drafts import DRAFTS
from api.queries.row_head import DRAFT
from api.queries.status_pages import row_by_id
from api.response_models import Done, responses_of
from api.routes.draft_models import (
    Draft,
    DraftIdBody,
    DraftPage,
    DraftQuery,
    DraftUpdateBody,
    MarkSentBody,
)
from api.services import ServicesDep
from api.signal_items import draft_item
from api.write_responses import write_response
from schemas.values import UuidText

router = authorized_router("drafts")
PATH: Final = "/api/customers/drafts"
NOT_FOUND: Final[dict[int | str, dict[str, Any]]] = {404: {"description": "No such draft"}}


@router.get(PATH, responses=responses_of(DraftPage))
async def list_drafts(
    query: Annotated[DraftQuery, Query()],
    services: ServicesDep,
    principal: Principal = require_features("customers.view"),
) -> dict[str, Any]:
    """Drafts in keyset pages, newest first. Deleted drafts are listed only with ``status=deleted``."""
    return await list_page(
        services,
        principal,
        DRAFTS,
        draft_item,
        sort="createdAt",
        direction="desc",
        statuses=query.statuses(),
        filters=query.filters(),
        cursor=query.cursor,
        limit=query.limit,
    )


@router.get(PATH + "/{draft_id}", responses={**responses_of(Draft), **NOT_FOUND, **NOT_MODIFIED})
async def get_draft(
    draft_id: UuidText,
    request: Request,
    services: ServicesDep,
    response: Response,
    principal: Principal = require_features("customers.view"),
) -> dict[str, Any]:
    """One draft, also a deleted one. Its ``ETag`` can be sent as ``If-Match``."""
    async with services.reads.connection() as connection:
        row = await row_by_id(connection, principal.scope, DRAFTS, draft_id)
    if row is None:
        raise not_found(DRAFT)
    response.headers["ETag"] = validator(request, row["version"], {})
    return draft_item(row)


@router.put(PATH, response_model=Done, responses=NOT_FOUND)
async def update_draft(
    body: DraftUpdateBody,
    request: Request,
    services: ServicesDep,
    principal: Principal = require_features("customers.edit"),
) -> Response:
    """Change the text of a draft."""
    result = await change(services, request, principal, "draft.update", body.id, body.data(), DRAFT)
    return write_response(result, {"ok": True})


@router.post(PATH + "/mark-sent", response_model=Done, responses=NOT_FOUND)
async def mark_draft_sent(
    body: MarkSentBody,
    request: Request,
    services: ServicesDep,
    principal: Principal = require_features("customers.edit"),
) -> Response:
    """draft → sent, for good: a person has sent it."""
    result = await change(services, request, principal, "draft.mark_sent", body.id, body.data(), DRAFT)
    return write_response(result, {"ok": True})


@router.delete(PATH, response_model=Done, responses=NOT_FOUND)
async def delete_draft(
    request: Request,
    services: ServicesDep,
    id: Annotated[UuidText, Query()],  # noqa: A002 - the parameter's name
    principal: Principal = require_features("customers.delete"),
) -> Response:
    """draft → deleted. Its signal stays resolved; restore and undo bring the draft back."""
    result = await change(services, request, principal, "draft.delete", id, {"id": id}, DRAFT)
    return write_response(result, {"ok": True})


@router.post(PATH + "/restore", response_model=Done, responses=NOT_FOUND)
async def restore_draft(
    body: DraftIdBody,
    request: Request,
    services: ServicesDep,
    principal: Principal = require_features("customers.edit"),
) -> Response:
    """deleted → draft."""
    result = await change(services, request, principal, "draft.restore", body.id, body.data(), DRAFT)
    return write_response(result, {"ok": True})
