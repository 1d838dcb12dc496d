"""``/api/customers/commands/{id}``: the status of a command."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Path, Response

from api.authorization import authorized_router, require_features
from api.instants import instant_text
from api.principal import Principal
from api.queries.command_status import command_status
from api.response_models import ResponseModel, Timestamp, responses_of
from api.services import ServicesDep
from schemas.errors import Reject
from schemas.outcomes import FirstOutcome

router = authorized_router("commands")


# A command id may contain slashes. Encoded slashes are decoded before the route is matched.
class CommandFate(ResponseModel):
    """Outcome of a command, with its first result as it was published."""

    command_id: str
    command_type: str
    outcome: Literal["applied", "rejected", "no_op"]
    recorded_at: Timestamp
    result: FirstOutcome


@router.get(
    "/api/customers/commands/{command_id:path}",
    responses=responses_of(CommandFate, status_404="No such command, or no outcome yet"),
)
async def command_fate(
    command_id: Annotated[str, Path(min_length=1, max_length=200)],
    services: ServicesDep,
    response: Response,
    principal: Principal = require_features("customers.view"),
) -> dict[str, Any]:
    """The outcome of a command (``applied``, ``rejected`` or ``no_op``) with its result.

    404 if there is none: the command is still in flight, it never arrived, or it belongs to another tenant.
    """
    status = None
    if "\x00" not in command_id:
        async with services.reads.connection() as connection:
            status = await command_status(connection, principal.scope, command_id)
    if status is None:
        raise Reject(
            "command_unknown",
            "This command has no outcome: it is still in flight, or it never arrived.",
            status=404,
        )
    response.headers["Cache-Control"] = "private, max-age=31536000, immutable"
    return {
        "commandId": status.command_id,
        "commandType": status.command_type,
        "outcome": status.outcome,
        "recordedAt": instant_text(status.appended_at),
        "result": status.result,
    }
