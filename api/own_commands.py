"""Own commands of a user, which the user may undo."""

from __future__ import annotations

from api.principal import Principal
from api.queries.command_status import CommandStatus
from api.queries.drafts import user_of_draft
from api.queries.scope import Connection
from schemas.signal_payloads import SIGNAL_ATTACH_DRAFT


async def is_own(connection: Connection, principal: Principal, status: CommandStatus) -> bool:
    """True for a command of the caller, and for the draft that the drafts role wrote for the caller."""
    draft_id = status.result.get("draftId")
    if status.command_type != SIGNAL_ATTACH_DRAFT or draft_id is None:
        return status.actor_id == principal.subject
    return await user_of_draft(connection, principal.scope, draft_id) == principal.subject
