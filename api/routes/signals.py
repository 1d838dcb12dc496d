"""``/api/customers/signals``: signals, which interactions reveal and drafts resolve."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Query, Request, Response

from api.authorization import authorized_router, require_features
from api.changes import change, not_found
from api.command_gateway import CommandRequest
from api.conditional_reads import NOT_MODIFIED, validator
from api.list_pages import list_page
from api.preconditions import preconditions_of, status_of_key
from api.principal import Principal
from api.queries.row_head import SIGNAL, head_of
from api.queries.signals import SIGNALS, drafts_of, outcomes_of
from api.queries.status_pages import row_by_id
from api.response_models import Created, Done, responses_of
from api.routes.signal_models import (
    ResolveBody,
    Resolved,
    SignalDetail,
    SignalIdBody,
    SignalPage,
    SignalQuery,
    SignalRecordBody,
    SignalUpdateBody,
    SkipBody,
)
from api.services import ServicesDep
from api.signal_items import draft_item, outcome_item, signal_item
from api.signal_resolution import resolve_signal as resolve
from api.write_responses import write_response
from schemas.errors import Reject
from schemas.values import UuidText

router = authorized_router("signals")
PATH: Final = "/api/customers/signals"
_NOT_FOUND: Final[dict[int | str, dict[str, Any]]] = {404: {"description": "No such signal"}}


@router.get(PATH, responses=responses_of(SignalPage))
async def list_signals(
    query: Annotated[SignalQuery, Query()],
    services: ServicesDep,
    principal: Principal = require_features("customers.view"),
) -> dict[str, Any]:
    """Signals in keyset pages, latest first. Repeat with ``nextCursor`` as ``cursor`` until there is none."""
    return await list_page(
        services,
        principal,
        SIGNALS,
        signal_item,
        sort=query.sort_field,
        direction=query.sort_dir,
        statuses=query.statuses(),
        filters=query.filters(),
        cursor=query.cursor,
        limit=query.limit,
    )


@router.get(PATH + "/{signal_id}", responses={**responses_of(SignalDetail), **_NOT_FOUND, **NOT_MODIFIED})
async def get_signal(
    signal_id: UuidText,
    request: Request,
    services: ServicesDep,
    response: Response,
    principal: Principal = require_features("customers.view"),
) -> dict[str, Any]:
    """One signal with its history and its drafts. Its ``ETag`` can be sent as ``If-Match``."""
    async with services.reads.connection() as connection:
        row = await row_by_id(connection, principal.scope, SIGNALS, signal_id)
        if row is None:
            raise not_found(SIGNAL)
        outcomes = [outcome_item(it) for it in await outcomes_of(connection, principal.scope, signal_id)]
        drafts = [draft_item(it) for it in await drafts_of(connection, principal.scope, signal_id)]
    extras = {
        "outcomes": [it["id"] for it in outcomes],
        "drafts": [[it["id"], it["version"]] for it in drafts],
    }
    response.headers["ETag"] = validator(request, row["version"], extras)
    return {**signal_item(row), "outcomes": outcomes, "drafts": drafts}


@router.post(
    PATH, status_code=201, response_model=Created, responses={404: {"description": "No such interaction"}}
)
async def record_signal(
    body: SignalRecordBody,
    request: Request,
    services: ServicesDep,
    principal: Principal = require_features("customers.edit"),
) -> Response:
    """Record a signal of an interaction: 201 with its id."""
    key, route = preconditions_of(request).idempotency_key, f"POST {PATH}"
    async with services.reads.connection() as connection:
        status = await status_of_key(connection, principal, route, key)
        head = await head_of(connection, principal.scope, body.interaction_id)
    entity_id = status.entity_id if status is not None else None
    if entity_id is None:
        if head is None:
            detail = "There is no interaction with this id."
            raise Reject("interaction_not_found", detail, pointer="/interactionId", status=404)
        entity_id = head.entity_id
    command = CommandRequest(
        principal=principal,
        kind="signal.record",
        entity_id=entity_id,
        data=body.data(),
        idempotency_key=key,
        route=route,
    )
    result = await services.commands.execute(command)
    return write_response(result, {"id": result["signalId"]}, 201)


@router.put(PATH, response_model=Done, responses=_NOT_FOUND)
async def update_signal(
    body: SignalUpdateBody,
    request: Request,
    services: ServicesDep,
    principal: Principal = require_features("customers.edit"),
) -> Response:
    """Change the fields of a signal. The status has its own routes."""
    result = await change(services, request, principal, "signal.update", body.id, body.data(), SIGNAL)
    return write_response(result, {"ok": True})


@router.post(
    PATH + "/resolve",
    responses=responses_of(
        Resolved,
        status_404="No such signal",
        status_409="No draft was written and the signal is open; `code` names the failure or the rule",
        status_504="The draft is still being written",
    ),
)
async def resolve_signal(
    body: ResolveBody,
    request: Request,
    services: ServicesDep,
    principal: Principal = require_features("customers.edit"),
) -> Any:
    """open → resolved: 200 with the draft once both are committed.

    409 if no draft was written; ``code`` and ``detail`` give the reason, and the signal is open. 504 if it is
    still being resolved.
    """
    return await resolve(services, request, principal, body.id, body.data())


@router.post(PATH + "/skip", response_model=Done, responses=_NOT_FOUND)
async def skip_signal(
    body: SkipBody,
    request: Request,
    services: ServicesDep,
    principal: Principal = require_features("customers.edit"),
) -> Response:
    """open → skipped: nothing is to be done about the signal."""
    result = await change(services, request, principal, "signal.skip", body.id, body.data(), SIGNAL)
    return write_response(result, {"ok": True})


@router.post(PATH + "/reopen", response_model=Done, responses=_NOT_FOUND)
async def reopen_signal(
    body: SignalIdBody,
    request: Request,
    services: ServicesDep,
    principal: Principal = require_features("customers.edit"),
) -> Response:
    """resolved or skipped → open. Its draft stays."""
    result = await change(services, request, principal, "signal.reopen", body.id, body.data(), SIGNAL)
    return write_response(result, {"ok": True})
