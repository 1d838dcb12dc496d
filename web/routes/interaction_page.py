"""``/backend/interactions/{id}``: one interaction, and the fate of one command."""

from __future__ import annotations

from fastapi import Request, Response

from api.authorization import require_features
from api.changes import not_found
from api.principal import Principal
from api.queries.command_status import command_status
from api.queries.customer_detail import entity
from api.queries.interaction_list import interaction_by_id
from api.queries.people import people_seen
from api.services import ServicesDep
from schemas.values import UuidText
from web.dictionary import types_of
from web.history import history_of
from web.mirrors import mirrors_by_row
from web.notice import notice_of
from web.page_route import is_fragment, local_path, page_router, target_of
from web.paging import position_of
from web.rendering import render
from web.viewer import viewer_of

router = page_router()


@router.get("/backend/interactions/{interaction_id}")
async def interaction(
    interaction_id: UuidText,
    request: Request,
    services: ServicesDep,
    principal: Principal = require_features("customers.view"),
) -> Response:
    """One interaction with its form, its facts, its mirrors and its history."""
    viewer = viewer_of(request, principal)
    async with services.reads.connection() as connection:
        row = await interaction_by_id(connection, principal.scope, interaction_id)
        found = await entity(connection, principal.scope, row["entity_id"]) if row is not None else None
        if row is None or found is None:
            raise not_found()
        types = await types_of(connection, principal.scope)
        mirrors = await mirrors_by_row(connection, principal, [row])
        history = await history_of(connection, principal, row, position_of(request))
        people = await people_seen(connection, principal.scope)
        notice = await notice_of(request, viewer, connection)
    kind = "companies" if found["kind"] == "company" else "people"
    back = local_path(request.query_params.get("back"), f"/backend/customers/{kind}/{found['id']}")
    return render(
        "interaction.html",
        viewer,
        people=people,
        notice=notice,
        back=back,
        here_path=target_of(request),
        row=row,
        customer=found,
        types=types,
        mirrors=mirrors.get(row["id"], []),
        history=history,
    )


@router.get("/backend/commands/{command_id}")
async def command(
    command_id: UuidText,
    request: Request,
    services: ServicesDep,
    principal: Principal = require_features("customers.view"),
) -> Response:
    """The fate of a command whose outcome was not known in time."""
    viewer = viewer_of(request, principal)
    async with services.reads.connection() as connection:
        found = await command_status(connection, principal.scope, command_id)
    template = "fragments/command.html" if is_fragment(request) else "command.html"
    return render(template, viewer, found=found, command_id=command_id, back=target_of(request))
