"""``POST /api/audit_logs/audit-logs/actions/undo``: undo one write by its undo token."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import Request, Response
from pydantic import Field

from api.authorization import authorized_router, require_features
from api.bodies import RequestBody
from api.command_gateway import CommandRequest
from api.own_commands import is_own
from api.preconditions import preconditions_of
from api.principal import Principal
from api.problems import LegacyError
from api.queries.command_status import command_status
from api.response_models import ResponseModel, responses_of
from api.services import ServicesDep
from api.write_responses import write_response
from domain.undo_image import command_id_of
from schemas.errors import Reject

router = authorized_router("undo")
PATH: Final = "/api/audit_logs/audit-logs/actions/undo"


class UndoBody(RequestBody):
    """The token of an ``x-om-operation`` header."""

    undo_token: Annotated[str, Field(min_length=1, max_length=1100)]


class Undone(ResponseModel):
    """The undo is committed."""

    ok: Literal[True]
    log_id: str


@router.post(PATH, responses=responses_of(Undone))
async def undo(
    body: UndoBody,
    request: Request,
    services: ServicesDep,
    principal: Principal = require_features("audit_logs.undo_self", "audit_logs.undo_tenant"),
) -> Any:
    """Undo a write. Every failure gets the same 400 response."""
    command_id = command_id_of(body.undo_token)
    if command_id is None or "\x00" in command_id:
        raise _not_available()
    async with services.reads.connection() as connection:
        status = await command_status(connection, principal.scope, command_id)
        own = status is not None and await is_own(connection, principal, status)
    if status is None or status.entity_id is None:
        raise _not_available()
    if not principal.has("audit_logs.undo_tenant") and not own:
        raise _not_available()
    command = CommandRequest(
        principal=principal,
        kind="interaction.undo",
        entity_id=status.entity_id,
        data={"undoToken": body.undo_token},
        idempotency_key=preconditions_of(request).idempotency_key,
        route=f"POST {PATH}",
        resource_id=status.interaction_id,
    )
    try:
        result = await services.commands.execute(command)
    except Reject:
        raise _not_available() from None
    response: Response = write_response(result, {"ok": True, "logId": result["commandId"]})
    return response


def _not_available() -> Reject:
    text = "Undo token not available"
    return LegacyError("undo_not_available", text, error=text, status=400)
